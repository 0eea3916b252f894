"""`moiety witness …`: the witness, on its own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moiety.archive.tables import snapshot
from moiety.cli import installation
from moiety.cli.backup.tombstones import encode
from moiety.cli.commands import ceremony
from moiety.cli.commands.options import Data, Json
from moiety.cli.output import result
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import BadInput
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

# `init` stands there already, beside that of the other parts.
app = ceremony.witness_app


@app.command("admit-loss")
def admit_loss(
    data: Data = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="The people who answer for the ledger know it.")] = False,
    json: Json = False,
) -> None:
    """Let a ledger that has lost entries begin anew; that it did, and what was lost, stays on record here."""
    if not yes:
        raise BadInput(
            "A ledger that was restored from an older backup has lost entries; one that was forged looks the same. "
            "Give --yes if you know which it is."
        )
    made = installation.load(installation.where(data))
    told = LocalClient(made.folder(Role.WITNESS) / NAME, Role.WITNESS).ask_now("admit-loss")
    lines = [f"the checkpoint of {told['size']} entries is given up; the next one begins anew"]
    result(told, as_json=json, lines=lines)


@app.command()
def tombstones(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; for `moiety restore --tombstones`.")],
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Write down who was erased, for a restore where the witness cannot be asked: ids that mean nothing elsewhere."""
    made = installation.load(installation.where(data))
    kept = made.folder(Role.WITNESS) / "tombstones.sqlite"
    if not kept.exists():
        raise BadInput("There is no witness on this machine.")
    if file.exists():
        raise BadInput(f"The file {file.name!r} exists.")
    buried: dict[str, set[bytes]] = {}
    with snapshot(kept) as moment:
        for gallery, row_id in moment.read("SELECT gallery, row_id FROM tombstone"):
            buried.setdefault(gallery, set()).add(row_id)
    SYSTEM_DISK.write(file.absolute(), encode(made.tenant, buried))
    count = sum(len(ids) for ids in buried.values())
    lines = [f"{count} tombstones of {len(buried)} galleries are in {file.name}"]
    result({"tombstones": count, "galleries": len(buried)}, as_json=json, lines=lines)
