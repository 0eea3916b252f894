"""`moiety vault standing`: what the gate's own key may do at a vault without anybody else's signature."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from moiety.cli.commands.options import Data, Json
from moiety.cli.commands.vault_options import (
    Changes,
    DraftFile,
    Half,
    Keys,
    Out,
    SigningKeys,
    change,
    changed,
    draft,
    put,
    reach,
    sign,
    tell_put,
)
from moiety.cli.output import result
from moiety.vault.policy import Standing

if TYPE_CHECKING:
    from moiety.cli.drafts import Draft

app = typer.Typer(no_args_is_help=True, help="What the gate's own key may do by itself.")
KIND = "standing"


def _after(book: dict[str, Any]) -> Draft:
    """Give the standing policy with the number of the next version."""
    before = Standing.from_plain(book["standing"])
    return replace(before, version=before.version + 1)


@app.command()
def show(half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Show the standing policy of each vault."""
    _, books = reach(data, half)
    halves = {book.role: book.show()["standing"] for book in books}
    lines = []
    for role, standing in halves.items():
        opens = "may open galleries for itself" if standing["service_opens"] else "opens no gallery"
        lines.append(f"{role} version {standing['version']}: the gate's key {opens}")
        lines += [f"  {name}: {standing[name]}" for name in standing if name.endswith(("hour", "max", "min"))]
    result({"halves": halves}, as_json=json, lines=lines)


@app.command("set")
def set_standing(
    changes: Changes = None, key: Keys = None, half: Half = None, data: Data = None, *, json: Json = False
) -> None:
    """Draft, sign and put the next version in one go; it is in force at once."""
    at, books = reach(data, half)
    tell_put(change(at, books, key, lambda book: changed(_after(book), changes)), json=json)


@app.command("draft")
def draft_standing(
    out: Out, changes: Changes = None, half: Half = None, data: Data = None, *, json: Json = False
) -> None:
    """Write the next version to a file, for keepers to read and sign."""
    _, books = reach(data, half)
    draft(books, out, lambda book: changed(_after(book), changes), json=json)


@app.command("sign")
def sign_standing(file: DraftFile, key: SigningKeys, *, json: Json = False) -> None:
    """Sign a draft as a keeper."""
    sign(file, KIND, key, json=json)


@app.command("put")
def put_standing(file: DraftFile, half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Put a signed draft into force."""
    put(data, half, file, KIND, json=json)
