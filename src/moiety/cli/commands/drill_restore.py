"""`moiety drill restore`: that an erased person is in no backup, shown by restoring every one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.archive.tables import snapshot
from moiety.cli import files, installation
from moiety.cli.backup.tombstones import decode
from moiety.cli.commands.drill import app
from moiety.cli.commands.options import Data, Json
from moiety.cli.exits import Exit
from moiety.cli.output import result, say
from moiety.cli.samples import obtain
from moiety.foundation import settings
from moiety.foundation.errors import BadInput
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.drill.restore import Shown


@app.command("restore")
def drill_restore(
    backups: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Your own copies; may be repeated. None: a scratch story.")
    ] = None,
    identity: Annotated[
        list[Path] | None, typer.Option(metavar="KEYFILE", help="An operator's secret key; may be repeated.")
    ] = None,
    keys_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the copies' own keys lie, if --keys-to said so.")
    ] = None,
    tombstones: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who was erased; without it the witness on this machine.")
    ] = None,
    data: Data = None,
    *,
    every: Annotated[
        bool, typer.Option("--every-set", help="All sets that fit; without it every copy at least once.")
    ] = False,
    json: Json = False,
) -> None:
    """Restore every kept copy in a scratch folder and look for those who were erased, and for everyone else."""
    shown = []
    for one in _own(backups, identity or [], keys_from, tombstones, data, every=every) if backups else _story():
        shown.append(one)
        result({}, as_json=False, lines=[_line(one)])
    told: list[dict[str, Any]] = [
        {"name": one.name, "obtained": one.obtained, "control_obtained": one.control, "what": one.what} for one in shown
    ]
    held = all(one.held for one in shown)
    words = "no erased person came back, and everyone else did" if held else "NOT ALL COPIES HELD"
    result({"drills": told}, as_json=json, lines=[words])
    if not held:
        raise typer.Exit(int(Exit.BREACHED))


def _story() -> Iterator[Shown]:
    """Let a scratch installation live through it with sample photos."""
    from moiety.drill.story import lived  # noqa: PLC0415 - loads all that parts are made of

    yield from lived(obtain(settings.folder("MOIETY_MODELS"), say), say)


def _own(
    backups: list[Path],
    identities: list[Path],
    keys_from: Path | None,
    tombstones: Path | None,
    data: Path | None,
    *,
    every: bool,
) -> Iterator[Shown]:
    """Drill an operator's own copies."""
    from moiety.drill.kept_copies import Copies  # noqa: PLC0415 - as above
    from moiety.drill.restore import kept  # noqa: PLC0415 - as above

    if not identities:
        raise BadInput("Give the operators' keys: --identity KEYFILE, once for each.")
    copies = Copies(backups, identities, keys_from)
    if not copies.all:
        raise BadInput("There are no backups in these folders.")
    folder = installation.where(data)
    live = installation.load(folder) if installation.exists(folder) else None
    if tombstones:
        buried = decode(files.read(tombstones), copies.all[0].about.tenant)
    elif live and (live.folder(Role.WITNESS) / "tombstones.sqlite").exists():
        buried = {}
        with snapshot(live.folder(Role.WITNESS) / "tombstones.sqlite") as moment:
            for gallery, row_id in moment.read("SELECT gallery, row_id FROM tombstone"):
                buried.setdefault(gallery, set()).add(row_id)
    else:
        raise BadInput("Say who was erased: --tombstones FILE (moiety witness tombstones), or --data with the witness.")
    yield from kept(copies, live, buried, every=every)


def _line(one: Shown) -> str:
    """Give one drill in one line."""
    mark = "" if one.held else "FAILED "
    got = f"obtained {one.obtained}" if one.obtained else "obtained nothing"
    return f"{mark}{one.name}: {got} ({one.what}); without tombstones {one.control}; {one.seconds} s"
