"""How every part is, in plain words: who answers, one machine or several, the last refresh, scrub, backup and drill."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.api.watch import NAMES, PartSeen, part_seen
from moiety.api.watching import on_one_machine
from moiety.console import alarms
from moiety.console.charts import Chart, columns
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.foundation.clock import number_of
from moiety.ledger.checkpointing import Witnessing
from moiety.watch.counts import number
from moiety.wire.kinds import Role

routes = Routes("status")

DAYS: Final = 30
MICROSECONDS: Final = 1_000_000
SEARCHES: Final = ("identify", "verify")
COMINGS: Final = ("enrol", "erase")
ALARMS: Final = (alarms.pressed, alarms.incidents, alarms.reports, alarms.drills)
WITNESSING: Final = {
    Witnessing.NEVER: (N_("The witness has not signed the ledger yet."), "warn"),
    Witnessing.COSIGNED: (N_("The witness signs the ledger."), "good"),
    Witnessing.AWAY: (N_("The witness does not answer; the ledger goes on without its signature."), "warn"),
    Witnessing.REFUSED: (N_("The witness refuses: it has signed entries that are missing here now."), "bad"),
    Witnessing.BROKEN: (N_("Hashes of the ledger are missing; there is nothing that could be signed."), "bad"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `backed_up_at` is None where it was never backed up, or does not say."""

    name: str
    seen: PartSeen
    backed_up_at: float | None


@dataclass(frozen=True, slots=True)
class Care:
    """What is done again and again, and since when it was done last: None for never."""

    words: str
    at: float | None
    how: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The whole installation. `machines` is None where parts do not say on which they run."""

    parts: tuple[Part, ...]
    machines: int | None
    together: bool
    care: tuple[Care, ...]
    ledger: tuple[str, str]
    signed_at: int | None


def _moment(told: dict[str, Any] | None, name: str) -> float | None:
    """Read a moment that a part told; 0 and nonsense are none."""
    return number((told or {}).get(name)) or None


async def standing(frame: Frame) -> Standing:
    """Ask every part, and read off what was done last."""
    gate = frame.visit.gate
    everybody = await gate.watching.everybody()
    parts = tuple(
        Part(NAMES[Role(role)], part_seen(Role(role), told), _moment(told, "backed_up_at"))
        for role, told in everybody.items()
    )
    machines = {role: _moment(told, "machine") for role, told in everybody.items() if told}
    known = [one for one in machines.values() if one]
    vault_a = everybody.get(Role.VAULT_A)
    stands = await asyncio.to_thread(gate.house.checkpointing.standing)
    drill = await asyncio.to_thread(gate.incidents.drills.last)
    never = [part for part in parts if part.backed_up_at is None]
    backed_up = None if never else min(part.backed_up_at or 0 for part in parts)
    care = (
        Care(N_("Every half was refreshed"), _moment(vault_a, "refreshed_at"), "moiety refresh"),
        Care(N_("Every half was read again from the disks"), _moment(vault_a, "scrubbed_at"), "moiety scrub"),
        Care(N_("Every part was backed up"), backed_up, "moiety backup"),
        Care(N_("The installation attacked itself"), drill.at, "moiety drill --report"),
    )
    return Standing(
        parts=parts,
        machines=len(set(known)) if len(known) == len(machines) and known else None,
        together=on_one_machine(everybody) is True,
        care=care,
        ledger=WITNESSING[stands.state],
        signed_at=stands.cosigned_at,
    )


async def activity(frame: Frame) -> tuple[Chart, Chart]:
    """Count searches, and who came and went, by day."""
    desk = frame.visit.gate.house.desk
    today = datetime.fromtimestamp(desk.clock.now(), UTC).date()
    first = today - timedelta(days=DAYS - 1)

    def read() -> tuple[tuple[int, str, int], ...]:
        with desk.store.read() as tx:
            return tx.ledger.days.by_day([*SEARCHES, *COMINGS], number_of(first))

    counted: dict[str, dict[int, int]] = {act: {} for act in (*SEARCHES, *COMINGS)}
    for day, act, count in await asyncio.to_thread(read):
        counted[act][day] = count
    asked = columns(
        frame.say(N_("Questions, by day")),
        (frame.say(N_("who is this?")), frame.say(N_("is it this person?"))),
        first,
        DAYS,
        [counted[act] for act in SEARCHES],
    )
    came = columns(
        frame.say(N_("Enrolments and erasures, by day")),
        (frame.say(N_("enrolled")), frame.say(N_("erased"))),
        first,
        DAYS,
        [counted[act] for act in COMINGS],
    )
    return asked, came


@routes.add("GET", "/status", permission=Permission.METRICS_READ, response_class=HTMLResponse, include_in_schema=False)
async def status_page(frame: Framed) -> HTMLResponse:
    """Show how the installation is, and to whoever reads the ledger what happened here."""
    charts = await activity(frame) if frame.may(Permission.LEDGER_READ) else ()
    told = [one for look in ALARMS for one in await look(frame)]
    return frame.page("status.html", here="status", standing=await standing(frame), charts=charts, alarms=told)
