"""`moiety drill`: the product attacks an installation of its own, and says what it got."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from moiety.cli.commands.options import Json
from moiety.cli.exits import Exit
from moiety.cli.output import result, say
from moiety.cli.samples import obtain
from moiety.foundation import settings

if TYPE_CHECKING:
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
    say(f"{len(drills)} of {len(DRILLS)} drills; starting an installation in a scratch folder")
    # Told to end, it leaves through the blocks that stop the parts and remove the folder.
    signal.signal(signal.SIGTERM, _interrupt)
    reports = []
    for report in run(drills, obtain(settings.folder("MOIETY_MODELS"), say), say):
        reports.append(report)
        result(_told(report), as_json=False, lines=[_line(report)])
    held = all(report.held for report in reports)
    words = "every drill got nothing, and every control something" if held else "NOT ALL DRILLS HELD"
    result({"drills": [_told(report) for report in reports]}, as_json=json, lines=[words])
    if not held:
        raise typer.Exit(int(Exit.BREACHED))


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
