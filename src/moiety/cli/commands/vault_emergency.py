"""`moiety vault emergency`: stop and kill at a vault. Whoever runs it presses; only keepers let go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli.commands.options import Data, Json
from moiety.cli.commands.vault_options import DraftFile, Half, Keys, Out, SigningKeys, change, draft, put, reach, sign
from moiety.cli.commands.vault_options import tell_put as tell
from moiety.cli.output import result
from moiety.foundation.errors import BadInput
from moiety.vault.emergency import Emergency

if TYPE_CHECKING:
    from moiety.cli.drafts import Draft

app = typer.Typer(no_args_is_help=True, help="Stop and kill at a vault: anybody here presses, keepers let go.")
KIND = "emergency"

Stop = Annotated[bool, typer.Option("--stop", help="The stop button: no search, no verification.")]
Kill = Annotated[bool, typer.Option("--kill", help="The kill switch: no device and no session signs.")]


def _freed(book: dict[str, Any], *, stop: bool, kill: bool) -> Draft:
    """Give the next version, with switches let go; keys of devices that were killed stay dead.

    Raises:
        BadInput: no switch is named.

    """
    if not stop and not kill:
        raise BadInput("Name what is let go: --stop, --kill, or both.")
    before = Emergency.from_plain(book[KIND])
    after = replace(before, version=before.version + 1)
    after = replace(after, stopped=0) if stop else after
    return replace(after, killed=0) if kill else after


@app.command()
def show(half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Show what is pressed at each vault."""
    _, books = reach(data, half)
    halves = {book.role: book.show()[KIND] for book in books}
    lines = [
        f"{role} version {one['version']}: matching {'STOPPED' if one['stopped'] else 'goes on'}, devices and sessions "
        f"{'KILLED' if one['killed'] else 'may sign'}; {len(one['dead'])} keys of devices dead for good"
        for role, one in halves.items()
    ]
    result({"halves": halves}, as_json=json, lines=lines)


@app.command("press")
def press_here(
    half: Half = None, data: Data = None, *, stop: Stop = False, kill: Kill = False, json: Json = False
) -> None:
    """Press switches at each vault on this machine, at once; the gate is not asked."""
    if not stop and not kill:
        raise BadInput("Name what is pressed: --stop, --kill, or both.")
    _, books = reach(data, half)
    told = {book.role: book.press(stop=stop, kill=kill) for book in books}
    result({"halves": told}, as_json=json, lines=[f"pressed at {role}" for role in told])


@app.command("lift")
def lift_here(
    key: Keys = None,
    half: Half = None,
    data: Data = None,
    *,
    stop: Stop = False,
    kill: Kill = False,
    json: Json = False,
) -> None:
    """Let go in one go, as keepers: two sign where a vault has two or more."""
    at, books = reach(data, half)
    tell(change(at, books, key, lambda book: _freed(book, stop=stop, kill=kill)), json=json)


@app.command("draft")
def draft_lift(
    out: Out, half: Half = None, data: Data = None, *, stop: Stop = False, kill: Kill = False, json: Json = False
) -> None:
    """Write the version that lets go to a file, for keepers to read and sign."""
    _, books = reach(data, half)
    draft(books, out, lambda book: _freed(book, stop=stop, kill=kill), json=json)


@app.command("sign")
def sign_lift(file: DraftFile, key: SigningKeys, *, json: Json = False) -> None:
    """Sign such a draft as a keeper."""
    sign(file, KIND, key, json=json)


@app.command("put")
def put_lift(file: DraftFile, half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Put a signed draft into force."""
    put(data, half, file, KIND, json=json)
