"""`moiety vault roster`: keepers, people with passkeys, devices, and the page on which people sign."""

from __future__ import annotations

import base64
import json as jsons
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli import files
from moiety.cli.commands.options import Data, Json
from moiety.cli.commands.vault_options import (
    DraftFile,
    Half,
    Keys,
    Out,
    SigningKeys,
    change,
    draft,
    put,
    reach,
    sign,
    tell_put,
)
from moiety.cli.output import result
from moiety.foundation.errors import AlreadyThere, BadInput, NotFound, Unverified
from moiety.vault.endorsed import fingerprint
from moiety.vault.roster import Device, Keeper, Person, Roster, RosterRole
from moiety.warrants.passkeys import Passkey, registered

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(no_args_is_help=True, help="Whom a vault believes: keepers, people with passkeys, devices.")
KIND = "roster"
CARD = "passkey/1"

Name = Annotated[str, typer.Argument(metavar="NAME", help="A handle: letters, digits, dots, dashes.")]
PublicKey = Annotated[str, typer.Option("--public-key", metavar="HEX", help="Raw Ed25519 public key, 64 hex digits.")]


def _alter(
    data: Path | None, half: str | None, keys: list[Path] | None, alter: Callable[[Roster], Roster], *, json: bool
) -> None:
    """Draft, sign and put the next version of the roster."""
    at, books = reach(data, half)
    tell_put(change(at, books, keys, lambda book: _checked(alter(_after(book)))), json=json)


def _after(book: dict[str, Any]) -> Roster:
    """Give the roster with the number of the next version."""
    before = Roster.from_plain(book["roster"])
    return replace(before, version=before.version + 1)


def _checked(roster: Roster) -> Roster:
    """Check a draft before anybody signs it.

    Raises:
        BadInput: it cannot stand.

    """
    try:
        roster.check()
    except Unverified as error:
        raise BadInput(str(error)) from None
    return roster


def _hex(text: str) -> bytes:
    """Read hex digits.

    Raises:
        BadInput: they are none.

    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadInput("A public key is written in hex digits.") from None


@app.command()
def show(half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Show the roster of each vault."""
    _, books = reach(data, half)
    halves = {book.role: book.show()["roster"] for book in books}
    lines = []
    for role, told in halves.items():
        roster = Roster.from_plain(told)
        page = roster.origin or "none: no passkey is accepted"
        lines.append(f"{role} version {roster.version}: quorum {roster.quorum}; signing page {page}")
        lines += [f"  keeper {one.name}: {fingerprint(one.key)}" for one in roster.keepers]
        lines += [
            f"  person {one.name} ({', '.join(one.roles)}): {len(one.passkeys)} passkeys" for one in roster.people
        ]
        lines += [
            f"  device {one.name} ({one.role}) at {one.door} of {one.gallery}: {fingerprint(one.key)}"
            for one in roster.devices
        ]
    result({"halves": halves}, as_json=json, lines=lines)


@app.command("draft")
def draft_roster(out: Out, half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Write the next version to a file, for keepers to edit, read and sign."""
    _, books = reach(data, half)
    draft(books, out, _after, json=json)


@app.command("sign")
def sign_roster(file: DraftFile, key: SigningKeys, *, json: Json = False) -> None:
    """Sign a draft as a keeper."""
    sign(file, KIND, key, json=json)


@app.command("put")
def put_roster(file: DraftFile, half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Put a signed draft into force."""
    put(data, half, file, KIND, json=json)


@app.command("page")
def set_page(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="Such as https://sign.example.org: the witness's.")],
    rp_id: Annotated[
        str | None, typer.Option("--rp-id", metavar="HOST", help="Relying party id; else the origin's host.")
    ] = None,
    key: Keys = None,
    half: Half = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Pin the page on which people sign."""
    host = rp_id or origin.partition("://")[2].partition(":")[0]
    _alter(data, half, key, lambda roster: replace(roster, origin=origin, rp_id=host), json=json)


@app.command("add-keeper")
def add_keeper(
    name: Name,
    public_key: PublicKey,
    quorum: Annotated[
        int | None, typer.Option("--quorum", metavar="N", help="From now on so many keepers sign: 1 or 2.")
    ] = None,
    key: Keys = None,
    half: Half = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Add a keeper."""
    added = Keeper(name, _hex(public_key))

    def alter(roster: Roster) -> Roster:
        return replace(roster, keepers=(*roster.keepers, added), quorum=quorum or roster.quorum)

    _alter(data, half, key, alter, json=json)


@app.command("add-person")
def add_person(
    name: Name,
    role: Annotated[
        list[RosterRole], typer.Option("--role", help="operator asks and reveals, registrar enrols, erases.")
    ],
    passkey: Annotated[
        list[Path], typer.Option("--passkey", metavar="FILE", help="What the signing page gave at registration.")
    ],
    key: Keys = None,
    half: Half = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Add a person with one or more passkeys; for somebody who is there, replace roles and add the passkeys."""
    cards = [_card(path) for path in passkey]

    def alter(roster: Roster) -> Roster:
        if not roster.rp_id:
            raise BadInput("Name the signing page first: moiety vault roster page ORIGIN.")
        fresh = [_passkey(card, roster.rp_id) for card in cards]
        known = {person.name: person for person in roster.people}
        before = known[name].passkeys if name in known else ()
        known[name] = Person(name, tuple(dict.fromkeys(role)), (*before, *(one for one in fresh if one not in before)))
        return replace(roster, people=tuple(known.values()))

    _alter(data, half, key, alter, json=json)


def _card(path: Path) -> bytes:
    """Read the registration that the signing page gave: {"moiety": "passkey/1", "authenticator_data": base64url}.

    Raises:
        BadInput: it is none.

    """
    try:
        told = jsons.loads(files.read(path))
        if told["moiety"] != CARD:
            raise BadInput(f"The file {path.name!r} is no passkey card.")
        text = str(told["authenticator_data"])
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, TypeError, KeyError):
        raise BadInput(f"The file {path.name!r} is no passkey card.") from None


def _passkey(card: bytes, rp_id: str) -> Passkey:
    """Read a passkey that was made on the roster's page.

    Raises:
        BadInput: it was not, or without user verification.

    """
    try:
        return registered(card, rp_id)
    except Unverified as error:
        raise BadInput(str(error)) from None


@app.command("add-device")
def add_device(
    name: Name,
    public_key: PublicKey,
    gallery: Annotated[str, typer.Option("--gallery", metavar="GALLERY", help="Id of its gallery.")],
    door: Annotated[str, typer.Option("--door", metavar="DOOR", help="The door or desk that it stands at.")],
    role: Annotated[RosterRole, typer.Option("--role", help="operator asks, registrar enrols.")] = RosterRole.OPERATOR,
    key: Keys = None,
    half: Half = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Add a device at a door of a gallery."""
    added = Device(name, _hex(public_key), gallery, door, role)

    def alter(roster: Roster) -> Roster:
        if any(one.name == name for one in roster.devices):
            raise AlreadyThere(f"There is a device {name!r} on the roster; remove it first.")
        return replace(roster, devices=(*roster.devices, added))

    _alter(data, half, key, alter, json=json)


@app.command("remove")
def remove(name: Name, key: Keys = None, half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Remove a keeper, person or device; they sign no more, at once."""

    def alter(roster: Roster) -> Roster:
        after = replace(
            roster,
            keepers=tuple(one for one in roster.keepers if one.name != name),
            people=tuple(one for one in roster.people if one.name != name),
            devices=tuple(one for one in roster.devices if one.name != name),
        )
        if after == roster:
            raise NotFound(f"There is nobody called {name!r} on the roster.")
        return after

    _alter(data, half, key, alter, json=json)
