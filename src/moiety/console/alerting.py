"""What another unit is told: decoys that were opened, one person looked up again and again, budgets, contests."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.console.proofs import Proof, proof
from moiety.storage.guard_records import Alert, AlertKind, Lock

routes = Routes("alerting")

WORDS: Final = {
    AlertKind.CANARY: (N_("Somebody who does not exist was opened"), "bad"),
    AlertKind.REPEATED: (N_("One person was looked for again and again"), "bad"),
    AlertKind.BUDGET: (N_("Somebody wanted to see more people than they may"), "warn"),
    AlertKind.CONTESTED: (N_("A person objects to being matched"), "warn"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One alert as the page shows it."""

    one: Alert
    words: str
    kind: str
    who: str
    gallery: str
    mine: bool
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Shut:
    """One account or key that an alarm locked."""

    one: Lock
    who: str


def _read(frame: Frame) -> tuple[list[Told], list[Shut]]:
    """Read alerts and locks, with names of those who work here."""
    gate = frame.visit.gate
    with gate.house.desk.store.read() as tx:
        alerts, locks = tx.alerts.page(), tx.alerts.locks()
        names = {one.id: one.name for one in tx.galleries.list()}
        looked = tx.ledger.decided([one.id for one in alerts], ["alert-seen"])
    who, me = gate.staff.operators.name_of, str(frame.caller.key_id)
    notices = [
        Told(
            one,
            *WORDS[AlertKind(one.kind)],
            who(one.actor) or one.actor,
            names.get(one.gallery_id, "") if one.gallery_id else "",
            one.actor == me and one.kind != AlertKind.CONTESTED,
            proof(frame, *looked.get(one.id, ())),
        )
        for one in alerts
    ]
    return notices, [Shut(one, who(one.actor) or one.actor) for one in locks]


@routes.add("GET", "/alerts", permission=Permission.ALERT_READ, response_class=HTMLResponse, include_in_schema=False)
async def alerts_page(frame: Framed) -> HTMLResponse:
    """Show what nobody has looked into, the locked accounts, and what was found before."""
    notices, locks = await asyncio.to_thread(_read, frame)
    fresh = [one for one in notices if one.one.seen_at is None]
    seen = [one for one in notices if one.one.seen_at is not None]
    return frame.page("alerts.html", here="alerts", fresh=fresh, seen=seen, locks=locks)
