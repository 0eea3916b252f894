"""`moiety drill`: the product attacks an installation of its own, and says what it got."""

from __future__ import annotations

import json as jsons
import signal
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from moiety.cli.commands.operators import line
from moiety.cli.commands.options import Data, Json
from moiety.cli.exits import Exit
from moiety.cli.output import result, say
from moiety.cli.papers import checked
from moiety.cli.samples import obtain
from moiety.foundation import settings
from moiety.foundation.envelopes import write_durably
from moiety.incidents.drills import SignedDrills

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.cli.gateway import Gate
    from moiety.drill.run import Report


class _RunByDefault(TyperGroup):
    """`moiety drill steal-a --json` is `moiety drill run steal-a --json`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` in front where no other word of the group stands there."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault, help="The product attacks an installation of its own; `run` may be left out.")


@app.command("run")
def drill(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Drills to run; all without one.")] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="NAMES", help="The same, separated by commas.")] = None,
    *,
    listing: Annotated[bool, typer.Option("--list", help="Only say which drills there are.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Have the gate of --data sign what was found, into its ledger.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="With --report: write it there.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Attack a fresh installation in a scratch folder in every way the drills know, and run each drill's control."""
    from moiety.drill.run import DRILLS, chosen, run  # noqa: PLC0415 - drills load all of the product, other commands do not

    wanted = [*(names or []), *(name.strip() for name in (only or "").split(",") if name.strip())]
    drills = chosen(wanted)
    if listing:
        told = [{"name": one.name, "tried": one.tried} for one in drills]
        result({"drills": told}, as_json=json, lines=[*(f"{one.name}: {one.tried}" for one in drills), RESTORE])
        return
    # What nobody could sign in the end is found out before an hour of drills.
    signing = line(data) if report else None
    say(f"{len(drills)} of {len(DRILLS)} drills; starting an installation in a scratch folder")
    # Told to end, it leaves through the blocks that stop the parts and remove the folder.
    signal.signal(signal.SIGTERM, _interrupt)
    reports = []
    for one in run(drills, obtain(settings.folder("MOIETY_MODELS"), say), say):
        reports.append(one)
        result(_told(one), as_json=False, lines=[_line(one)])
    held = all(one.held for one in reports)
    if signing is not None:
        with signing as to:
            _keep(to, reports, out)
    words = "every drill got nothing, and every control something" if held else "NOT ALL DRILLS HELD"
    result({"drills": [_told(one) for one in reports]}, as_json=json, lines=[words])
    if not held:
        raise typer.Exit(int(Exit.BREACHED))


def _keep(to: Gate, reports: Sequence[Report], out: Path | None) -> None:
    """Have the installation sign the report and write it into its ledger, whatever was found."""
    ran = [
        {
            "name": one.name,
            "obtained": one.attack.count,
            "control_obtained": one.control.count,
            "seconds": one.seconds,
        }
        for one in reports
    ]
    made = to.ask("POST", "drills", json={"version": version("moiety"), "drills": ran})
    if out is not None:
        write_durably(out, jsons.dumps(made, sort_keys=True).encode())
    say("the report is signed, and stands in the ledger of the installation")


@app.command("verify-report")
def verify_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report, from `moiety drill --report --out`.")],
    card: Annotated[Path | None, typer.Option(metavar="FILE", help="The gate's card, from `moiety gate card`.")] = None,
    *,
    json: Json = False,
) -> None:
    """Check a report of drills without any installation; with --card also that this gate signed it."""
    told, signed = checked(file, SignedDrills, card)
    failed = [one["name"] for one in told["drills"] if not one["held"]]
    lines = [
        f"moiety {told['version']} at {told['at']}: {len(told['drills']) - len(failed)} of {len(told['drills'])} held",
        *(f"did NOT hold: {name}" for name in failed),
        signed,
    ]
    result(told, as_json=json, lines=lines)


RESTORE = "restore: see `moiety drill restore`, which proves that erased people are in no backup"


def _interrupt(*_: object) -> None:
    """End as if the user had pressed Ctrl-C."""
    raise KeyboardInterrupt


def _told(report: Report) -> dict[str, Any]:
    """Give a report for machines."""
    return {
        "name": report.name,
        "tried": report.tried,
        "obtained": report.attack.count,
        "found": report.attack.what,
        "control_obtained": report.control.count,
        "control_found": report.control.what,
        "seconds": report.seconds,
    }


def _line(report: Report) -> str:
    """Give a report for people, in one line."""
    got = f"obtained {report.attack.count}" if report.attack.count else "obtained nothing"
    mark = "" if report.held else "FAILED "
    control = f"control obtained {report.control.count}"
    return f"{mark}{report.name}: {report.tried} -> {got} ({report.attack.what}); {control} ({report.control.what})"
