"""`moiety vault policy`: what may be asked of a gallery, set on the vault's own machine by keepers' signatures."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

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
from moiety.foundation.errors import BadInput, UnknownGallery
from moiety.vault.policy import FIRST_VERSION, GalleryPolicy, Needs

app = typer.Typer(no_args_is_help=True, help="What may be asked of a gallery, and by whose signature.")
KIND = "policy"

Gallery = Annotated[str, typer.Argument(metavar="GALLERY", help="Id of the gallery (gal_…).", show_default=False)]
NEEDS = "service, device, operator or two-person."


def _needs(option: str, what: str) -> Any:
    """Make an option for a kind of signature."""
    return typer.Option(option, metavar="NEEDS", help=f"Who signs to {what}: {NEEDS}", show_default=False)


def _number(option: str, what: str) -> Any:
    """Make an option for a number."""
    return typer.Option(option, metavar="N", help=what, min=0, show_default=False)


Asks = Annotated[Needs | None, _needs("--asks", "search and verify")]
Enrols = Annotated[Needs | None, _needs("--enrols", "enrol")]
Erases = Annotated[Needs | None, _needs("--erases", "erase")]
Reveals = Annotated[Needs | None, _needs("--reveals", "reveal fields")]
Alone = Annotated[int | None, _number("--erasures-alone-per-day", "Above so many rows in 24 hours, two people erase.")]
Probes = Annotated[int | None, _number("--probes-per-hour", "Probes per signer and hour.")]
Templates = Annotated[int | None, _number("--templates-per-hour", "Enrolled photos per signer and hour.")]
Erasures = Annotated[int | None, _number("--erasures-per-hour", "Erased rows per signer and hour.")]
Fields = Annotated[int | None, _number("--reveals-per-hour", "Revealed fields per signer and hour.")]
Thresholds = Annotated[
    list[int] | None,
    typer.Option("--threshold", metavar="N", help="A score, once for each band, rising.", show_default=False),
]


@app.command()
def show(
    gallery: Annotated[str | None, typer.Argument(metavar="[GALLERY]", help="Only this one.")] = None,
    half: Half = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Show the policies in force, what the gate asks for, and where two vaults differ."""
    _, books = reach(data, half)
    shown = {book.role: book.show() for book in books}
    halves = {role: [_entry(one) for one in book["policies"]] for role, book in shown.items()}
    wishes = {role: book["wishes"] for role, book in shown.items()}
    for told in (halves, wishes):
        for role, entries in told.items():
            told[role] = [one for one in entries if gallery in {None, one["gallery"]}]
    found = [{one["gallery"]: one for one in entries} for entries in halves.values()]
    known = {name for entries in found for name in entries}
    if gallery is not None and not known and not any(wishes.values()):
        raise UnknownGallery
    differ = sorted(
        name for name in known if any(_policy(entries, name) != _policy(found[0], name) for entries in found)
    )
    lines = [*_lines(halves), *_asked(wishes), *map(_warning, differ)]
    result({"halves": halves, "wishes": wishes, "differ": differ}, as_json=json, lines=lines or ["no policies yet"])


def _entry(one: dict[str, Any]) -> dict[str, Any]:
    """Join a policy and how it came into the book."""
    policy: dict[str, Any] = one["policy"]
    return policy | {"origin": one["origin"], "put_at": one["put_at"]}


def _policy(entries: dict[str, dict[str, Any]], gallery: str) -> dict[str, Any]:
    """Give what must be the same at both vaults."""
    return {name: value for name, value in entries.get(gallery, {}).items() if name not in {"origin", "put_at"}}


def _asked(wishes: dict[Any, list[dict[str, Any]]]) -> list[str]:
    """Describe what the gate asks keepers for."""
    return [
        f"{role} {one['gallery']} is not in force; the gate asks for it: {one['purpose']}"
        for role, entries in wishes.items()
        for one in entries
    ]


def _warning(gallery: str) -> str:
    """Say that two vaults hold different policies."""
    return f"{gallery}: the vaults differ; every question of it is refused until both hold the same"


def _lines(halves: dict[Any, list[dict[str, Any]]]) -> list[str]:
    """Describe each policy in a line or two."""
    told = []
    for role, entries in halves.items():
        for one in entries:
            needs = ", ".join(f"{name} {one[name]}" for name in ("asks", "enrols", "erases", "reveals"))
            told.append(f"{role} {one['gallery']} version {one['version']} ({one['origin']}): {one['purpose']}")
            told.append(f"  {needs}; thresholds {', '.join(map(str, one['thresholds']))}")
    return told


def _after(book: dict[str, Any], gallery: str) -> GalleryPolicy:
    """Give a gallery's policy with the number of the next version, or the first one that the gate asks for.

    Raises:
        UnknownGallery: this vault has none.

    """
    for one in book["policies"]:
        if one["policy"]["gallery"] == gallery:
            before = GalleryPolicy.from_plain(one["policy"])
            return replace(before, version=before.version + 1)
    for wish in book["wishes"]:
        if wish["gallery"] == gallery:
            return GalleryPolicy.from_plain(wish)
    raise UnknownGallery(f"This vault has no policy for {gallery!r}; the gate asks for a gallery first.")


@app.command("set")
def set_policy(
    gallery: Gallery,
    asks: Asks = None,
    enrols: Enrols = None,
    erases: Erases = None,
    reveals: Reveals = None,
    alone: Alone = None,
    probes: Probes = None,
    templates: Templates = None,
    erasures: Erasures = None,
    fields: Fields = None,
    thresholds: Thresholds = None,
    key: Keys = None,
    half: Half = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Draft, sign and put a gallery's next policy in one go, or the first that the gate asks for; in force at once."""
    wanted = {
        "asks": asks,
        "enrols": enrols,
        "erases": erases,
        "reveals": reveals,
        "erasures_alone_per_day": alone,
        "probes_per_hour": probes,
        "templates_per_hour": templates,
        "erasures_per_hour": erasures,
        "reveals_per_hour": fields,
        "thresholds": tuple(thresholds) if thresholds else None,
    }
    named: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    at, books = reach(data, half)

    def after(book: dict[str, Any]) -> GalleryPolicy:
        made = replace(_after(book, gallery), **named)
        if not named and made.version != FIRST_VERSION:
            raise BadInput("Nothing would change; name what shall.")
        return made

    tell_put(change(at, books, key, after), json=json)


@app.command("draft")
def draft_policy(
    gallery: Gallery, out: Out, changes: Changes = None, half: Half = None, data: Data = None, *, json: Json = False
) -> None:
    """Write the next version of a gallery's policy to a file, for keepers to read and sign."""
    _, books = reach(data, half)
    draft(books, out, lambda book: changed(_after(book, gallery), changes), json=json)


@app.command("sign")
def sign_policy(file: DraftFile, key: SigningKeys, *, json: Json = False) -> None:
    """Sign a draft as a keeper; nothing else is needed on the machine where this is done."""
    sign(file, KIND, key, json=json)


@app.command("put")
def put_policy(file: DraftFile, half: Half = None, data: Data = None, *, json: Json = False) -> None:
    """Put a signed draft into force."""
    put(data, half, file, KIND, json=json)
