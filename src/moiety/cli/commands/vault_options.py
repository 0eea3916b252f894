"""Options and steps that the commands on a vault's own machine share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli import installation
from moiety.cli.books import lines
from moiety.cli.drafts import kind_of, read_draft, write_draft
from moiety.cli.keeping import own_key, read_key_file
from moiety.cli.output import result
from moiety.foundation.errors import BadInput, Refusal, refusal_of
from moiety.vault.endorsed import Endorsed, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.cli.books import BookLine
    from moiety.cli.drafts import Draft
    from moiety.cli.installation import Installation

Half = Annotated[
    str | None,
    typer.Option("--half", metavar="a|b|both", help="Which vault; else every one on this machine.", show_default=False),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="A keeper's key file; twice for two keepers.", show_default=False),
]
SigningKeys = Annotated[
    list[Path],
    typer.Option("--key", metavar="FILE", help="A keeper's key file; twice for two keepers.", show_default=False),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--change", metavar="FIELD=VALUE", help="Change a field; may be repeated.", show_default=False),
]
DraftFile = Annotated[Path, typer.Argument(metavar="FILE", help="The draft.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Write the draft to this file.", show_default=False)]


def reach(data: Path | None, half: str | None) -> tuple[Installation, list[BookLine]]:
    """Open the installation and the books that are meant."""
    at = installation.load(installation.where(data))
    return at, lines(at, half)


def keys_of(at: Installation, files: Sequence[Path] | None) -> list[Ed25519PrivateKey]:
    """Read the keepers' keys that are named, or the one that a one-machine installation made for itself.

    Raises:
        BadInput: a file is no key, or none is named and there is none.

    """
    if files:
        return [read_key_file(path) for path in files]
    return [own_key(at.keys)]


def change(
    at: Installation, books: Sequence[BookLine], keys: Sequence[Path] | None, made: Callable[[dict[str, Any]], Draft]
) -> dict[str, Any]:
    """Draft, sign and put at each book in one go; where two books are meant, both must have the same before.

    Raises:
        BadInput: they have not: they are brought into line one by one.
        Refusal: a vault does not take it.

    """
    signing = keys_of(at, keys)
    drafts = [made(book.show()) for book in books]
    if any(draft != drafts[0] for draft in drafts):
        raise BadInput("The vaults on this machine hold different versions; change one with --half a or --half b.")
    endorsed = Endorsed(drafts[0].encode())
    for key in signing:
        endorsed = endorsed.by(key)
    return _put(books, drafts[0], endorsed)


def _put(books: Sequence[BookLine], record: Draft, endorsed: Endorsed) -> dict[str, Any]:
    """Put at each book; the first refusal ends it, and says which books hold it already."""
    told: dict[str, Any] = {"kind": kind_of(record), "version": record.version, "put": []}
    for book in books:
        try:
            book.put(told["kind"], endorsed)
        except Refusal as refusal:
            if told["put"]:
                raise refusal_of(
                    refusal.slug, f"{refusal} {', '.join(told['put'])} took it, {book.role} did not."
                ) from None
            raise
        told["put"].append(book.role)
    return told


def tell_put(told: dict[str, Any], *, json: bool) -> None:
    """Say what was put where."""
    said = f"{told['kind']} version {told['version']} is in force at {' and '.join(told['put'])}"
    result(told, as_json=json, lines=[said])


def changed(record: Draft, changes: Sequence[str] | None) -> Draft:
    """Change the fields that are named; a list is written with commas.

    Raises:
        BadInput: there is no such field, or it cannot have that value.

    """
    told = record.plain()
    for change_ in changes or ():
        name, _, value = change_.partition("=")
        if name not in told or name in {"tenant", "version"} or isinstance(told[name], dict):
            raise BadInput(f"There is no field {name!r} to change.")
        told[name] = _like(told[name], value)
    return type(record).from_plain(told)


def _like(before: object, value: str) -> object:
    """Read a value as what stood there before."""
    if isinstance(before, list):
        return [_like(before[0] if before else "", piece) for piece in value.split(",")]
    if isinstance(before, int):
        return int(value) if value.isdecimal() else value
    return value


def draft(books: Sequence[BookLine], out: Path, made: Callable[[dict[str, Any]], Draft], *, json: bool) -> None:
    """Write the next version to a file, for people to read and keepers to sign."""
    record = made(books[0].show())
    write_draft(out, record)
    told = {"file": str(out), "kind": kind_of(record), "version": record.version}
    result(told, as_json=json, lines=[f"drafted {told['kind']} version {record.version} in {out}"])


def sign(path: Path, kind: str, keys: Sequence[Path], *, json: bool) -> None:
    """Sign a draft with each key."""
    record, endorsed = read_draft(path, kind)
    for key in keys:
        endorsed = endorsed.by(read_key_file(key))
    write_draft(path, record, endorsed)
    signers = [fingerprint(one.key) for one in endorsed.endorsements]
    told = {"file": str(path), "kind": kind, "version": record.version, "signers": signers}
    result(told, as_json=json, lines=[f"{path} carries the signatures of: {', '.join(signers)}"])


def put(data: Path | None, half: str | None, path: Path, kind: str, *, json: bool) -> None:
    """Put a signed draft into force."""
    record, endorsed = read_draft(path, kind)
    _, books = reach(data, half)
    tell_put(_put(books, record, endorsed), json=json)
