"""`moiety refresh`, `moiety scrub`: how the galleries of both vaults are tended, asked for on vault A's machine."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli import installation
from moiety.cli.commands.options import Data, Json
from moiety.cli.gateway import running
from moiety.cli.output import progress, result, say
from moiety.foundation.errors import PartDown, Refusal
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer()

LOOK_SECONDS = 0.5

Chosen = Annotated[
    str | None,
    typer.Argument(metavar="GALLERY", help="Name or id of a gallery (the id where the gate runs elsewhere); or all."),
]


def vault_a(folder: Path) -> LocalClient:
    """Reach vault A on this machine."""
    made = installation.load(folder)
    return LocalClient(made.folder(Role.VAULT_A) / NAME, "vault-a")


def _given(folder: Path, gallery: str | None) -> dict[str, Any]:
    """Name the gallery as vault A knows it.

    Raises:
        PartDown: a name was given, and the gate that knows it does not run here.
        UnknownGallery: there is none of that name.

    """
    if gallery is None or gallery.startswith("gal_"):
        return {"gallery": gallery}
    line = running(folder)
    if line is None:
        raise PartDown(
            "The gate does not run on this machine: give the gallery's id, as `moiety gallery list` shows it."
        )
    with line:
        return {"gallery": line.ask("GET", f"galleries/{gallery}")["id"]}


@app.command()
def refresh(gallery: Chosen = None, data: Data = None, *, json: Json = False) -> None:
    """Give every row new halves, of which none fits a stolen old one; searches go on. Run it on vault A's machine."""
    folder = installation.where(data)
    vault, given = vault_a(folder), _given(folder, gallery)
    told = vault.ask_now("upkeep", given)["galleries"]
    done: dict[str, Any] = {}

    def work() -> None:
        try:
            done.update(vault.ask_now("refresh", given))
        except Refusal as refusal:
            done["refusal"] = refusal

    asked = threading.Thread(target=work, daemon=True)
    with progress("refreshing", sum(one["live"] for one in told)) as advance:
        asked.start()
        _watch(vault, given, asked, advance)
    if "refusal" in done:
        raise done["refusal"]
    lines = [
        f"{one['gallery']}: epoch {one['epoch']}, {one['rows']} rows in {one['seconds']:.1f} s"
        for one in done["galleries"]
    ]
    result(done, as_json=json, lines=lines)


def _watch(vault: LocalClient, given: dict[str, Any], asked: threading.Thread, advance: Any) -> None:
    """Show how far it is, until it ends."""
    shown: dict[str, int] = {}
    while asked.is_alive():
        asked.join(LOOK_SECONDS)
        try:
            galleries = vault.ask_now("upkeep", given)["galleries"]
        except Refusal:
            continue  # the end of the work says why
        for one in galleries:
            if one["refreshing"]:
                now = int(one["refreshing"]["done"])
                advance(now - shown.get(one["gallery"], 0))
                shown[one["gallery"]] = now


@app.command()
def scrub(gallery: Chosen = None, data: Data = None, *, json: Json = False) -> None:
    """Read every half from both vaults' disks again, and exclude and name what was damaged. Run it on A's machine."""
    folder = installation.where(data)
    vault, given = vault_a(folder), _given(folder, gallery)
    begun = time.monotonic()
    say("reading every half again at both vaults")
    told = vault.ask_now("scrub", given)
    told["seconds"] = round(time.monotonic() - begun, 1)
    result(told, as_json=json, lines=[line for one in told["galleries"] for line in _lines(one)])


def _lines(one: dict[str, Any]) -> list[str]:
    """Say how a gallery was found; row ids are no secret."""
    first = f"{one['gallery']}: epoch {one['epoch']}, {one['rows']} rows read, {one['found']} newly excluded"
    return [first, *(f"  row {row} is excluded: a half of it was damaged or altered" for row in one["excluded"])]


def excluded_lines(folder: Path) -> list[str]:
    """Say which galleries of this machine have rows that are excluded; nothing where vault A is not here."""
    try:
        galleries = vault_a(folder).ask_now("upkeep", seconds=5.0)["galleries"]
    except Refusal:
        return []
    return [
        f"gallery {one['gallery']}: {len(one['excluded'])} rows are damaged and in no search: "
        + ", ".join(one["excluded"][:8])
        + (" …" if len(one["excluded"]) > 8 else "")  # noqa: PLR2004 - as many as stand on a line
        for one in galleries
        if one["excluded"]
    ]
