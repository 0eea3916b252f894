"""The inbox of another unit: decoys that were opened, one person looked up again and again, budgets, contests."""

import asyncio
from dataclasses import replace

from moiety.access import Caller, Permission
from moiety.api.approvals import approval_seen
from moiety.api.guard_schemas import AlertList, AlertSeen, LockSeen, SeenBody
from moiety.api.routes import Routes
from moiety.api.schemas import moment, moment_or_none
from moiety.api.staff_schemas import ApprovalSeen, ReasonBody
from moiety.api.visits import Here, TheCaller
from moiety.foundation.errors import Forbidden
from moiety.ledger import Kind as Record
from moiety.storage.guard_records import Alert, AlertKind

routes = Routes("alerts")
PURPOSE = "who looks at whom"


def _seen(visit: Here, one: Alert) -> AlertSeen:
    return AlertSeen(
        id=one.id,
        kind=one.kind,
        actor=one.actor,
        actor_name=visit.gate.staff.operators.name_of(one.actor),
        gallery_id=one.gallery_id,
        subject_id=one.subject_id,
        times=one.times,
        created_at=moment(one.created_at),
        last_at=moment(one.last_at),
        seen_at=moment_or_none(one.seen_at),
        seen_by=one.seen_by,
    )


@routes.add("GET", "/v1/alerts", permission=Permission.ALERT_READ, summary="List")
async def list_alerts(visit: Here) -> AlertList:
    """List the newest two hundred, those that nobody has seen first, and every account that is locked."""

    def read() -> AlertList:
        with visit.gate.house.desk.store.read() as tx:
            alerts, locks, counts = tx.alerts.page(), tx.alerts.locks(), tx.alerts.counts()
        names = visit.gate.staff.operators.name_of
        return AlertList(
            open=sum(number for (_, seen), number in counts.items() if not seen),
            alerts=[_seen(visit, one) for one in alerts],
            locks=[
                LockSeen(actor=one.actor, actor_name=names(one.actor), alert=one.alert_id, since=moment(one.since))
                for one in locks
            ],
        )

    return await asyncio.to_thread(read)


@routes.add(
    "POST", "/v1/alerts/{alert}/seen", permission=Permission.ALERT_READ, body=SeenBody, summary="Somebody has looked"
)
async def alert_seen(alert: str, body: SeenBody, visit: Here, caller: TheCaller) -> AlertSeen:
    """Say what was found; nobody does that about themselves."""
    return _seen(visit, await asyncio.to_thread(_look, visit, alert, body.reason, caller))


def _look(visit: Here, alert: str, reason: str, caller: Caller) -> Alert:
    desk = visit.gate.house.desk
    with desk.store.begin() as tx:
        # A crash before the commit leaves it unseen.
        found = tx.alerts.get(alert)
        # Whoever wrote an objection down has done nothing that others should look into.
        if found.actor == caller.key_id and found.kind != AlertKind.CONTESTED:
            raise Forbidden("This is about yourself; somebody else looks into it.")
        found = replace(found, seen_at=desk.clock.now(), seen_by=caller.key_id)
        tx.alerts.put(found)
        actor = caller.key_id
        desk.ledger.append(
            tx, Record.ALTERATION, "alert-seen", actor=actor, purpose=PURPOSE, reason=reason, alert=found.id
        )
    return found


@routes.add(
    "POST",
    "/v1/locks/{actor}/unlock",
    permission=Permission.OPERATOR_MANAGE,
    body=ReasonBody,
    status_code=201,
    summary="Propose to unlock",
)
async def unlock(actor: str, body: ReasonBody, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Propose that an account or a key which an alarm locked opens again; a second person approves it."""
    made = await asyncio.to_thread(visit.gate.staff.acts.unlock, caller, actor, body.reason)
    return await approval_seen(visit, made)
