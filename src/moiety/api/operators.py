"""Operators: who works here, inviting, roles, recovery, stopping somebody; and the roles that there are."""

import asyncio

from moiety.access import DUTIES, Permission, Role
from moiety.access.roles import ALONE
from moiety.api.approvals import approval_seen
from moiety.api.entrance import Via
from moiety.api.routes import Routes
from moiety.api.schemas import moment, moment_or_none
from moiety.api.staff_schemas import (
    ApprovalSeen,
    Ended,
    InviteBody,
    OperatorList,
    OperatorSeen,
    ReasonBody,
    RoleList,
    RolesBody,
    RoleSeen,
    WayIn,
)
from moiety.api.visits import Here, TheCaller
from moiety.foundation.errors import Forbidden
from moiety.foundation.ids import OperatorId
from moiety.storage import Operator

routes = Routes("operators")
ONE = "/v1/operators/{operator}"


def join_path(code: str) -> str:
    """Give the address of a link; what stands behind # is sent to no server and stands in no log."""
    return f"/join#{code}"


async def _seen(visit: Here, one: Operator) -> OperatorSeen:
    staff = visit.gate.staff
    passkeys = await asyncio.to_thread(staff.operators.passkeys, one.id)
    return OperatorSeen(
        id=one.id,
        name=staff.operators.sealing.name_of(one),
        state=one.state.value,
        roles=list(one.roles),
        passkeys=len(passkeys),
        sessions=staff.sessions.of(one.id),
        created_at=moment(one.created_at),
        disabled_at=moment_or_none(one.disabled_at),
    )


@routes.add("GET", "/v1/roles", permission=Permission.SELF, summary="Roles")
async def list_roles() -> RoleList:
    """List the roles: what each may, and what it can not."""
    return RoleList(
        roles=[
            RoleSeen(
                name=role.value,
                permissions=sorted(duty.may),
                can_not=list(duty.can_not),
                narrowable=duty.narrowable,
                alone=role in ALONE,
            )
            for role in Role
            for duty in [DUTIES[role]]
        ]
    )


@routes.add("GET", "/v1/operators", permission=Permission.OPERATOR_READ, summary="List")
async def list_operators(visit: Here) -> OperatorList:
    """List everybody who works here or did."""
    found = await asyncio.to_thread(visit.gate.staff.operators.list)
    return OperatorList(operators=[await _seen(visit, one) for one in found])


@routes.add(
    "POST", "/v1/operators/first", permission=Permission.OPERATOR_MANAGE, status_code=201, summary="The first operator"
)
async def first_operator(visit: Here) -> WayIn:
    """Make the link by which the first operator comes in; the owner of the data folder alone may, while nobody is."""
    if visit.visitor is None or visit.visitor.via is not Via.RUN:
        raise Forbidden(
            "Only the owner of the data folder makes the first operator; run `moiety operator first` there."
        )
    operator_id, code = await asyncio.to_thread(visit.gate.staff.operators.first)
    return WayIn(operator=operator_id, path=join_path(code))


@routes.add(
    "POST",
    "/v1/operators",
    permission=Permission.OPERATOR_MANAGE,
    body=InviteBody,
    status_code=201,
    summary="Propose an invitation",
)
async def invite_operator(body: InviteBody, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Propose that somebody works here; a second person approves it."""
    acts = visit.gate.staff.acts
    made = await asyncio.to_thread(acts.invite, caller, body.name, body.roles, body.reason)
    return await approval_seen(visit, made)


@routes.add(
    "PUT", ONE + "/roles", permission=Permission.OPERATOR_MANAGE, body=RolesBody, status_code=201, summary="Roles"
)
async def give_roles(operator: str, body: RolesBody, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Propose other roles for somebody; a second person approves it."""
    acts = visit.gate.staff.acts
    made = await asyncio.to_thread(acts.give_roles, caller, OperatorId(operator), body.roles, body.reason)
    return await approval_seen(visit, made)


@routes.add(
    "POST",
    ONE + "/recovery",
    permission=Permission.OPERATOR_MANAGE,
    body=ReasonBody,
    status_code=201,
    summary="Propose a recovery",
)
async def recover_operator(operator: str, body: ReasonBody, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Propose that a colleague who lost all passkeys makes new ones; a second person approves it."""
    acts = visit.gate.staff.acts
    made = await asyncio.to_thread(acts.recover, caller, OperatorId(operator), body.reason)
    return await approval_seen(visit, made)


@routes.add("DELETE", ONE + "/sessions", permission=Permission.OPERATOR_MANAGE, summary="End all sessions")
async def end_sessions(operator: str, visit: Here, caller: TheCaller) -> Ended:
    """End all sessions of somebody, from the next request on."""
    staff, desk = visit.gate.staff, visit.gate.house.desk
    found = await asyncio.to_thread(staff.operators.get, OperatorId(operator))
    ended = staff.sessions.end_all(found.id)

    def note() -> None:
        with desk.store.begin() as tx:
            # Sessions are in memory: a crash before the commit ends them all the same, without an entry.
            staff.operators.note(tx, "operator-sessions", caller.key_id, found.id)

    await asyncio.to_thread(note)
    return Ended(ended=ended)


@routes.add("DELETE", ONE, permission=Permission.OPERATOR_MANAGE, body=ReasonBody, summary="Stop somebody")
async def disable_operator(operator: str, body: ReasonBody, visit: Here, caller: TheCaller) -> OperatorSeen:
    """Stop somebody for good and at once: sessions, passkeys and links end. One person is enough for that."""
    staff = visit.gate.staff
    operator_id = OperatorId(operator)
    await asyncio.to_thread(staff.operators.disable, operator_id, caller.key_id, body.reason)
    staff.sessions.end_all(operator_id)
    return await _seen(visit, await asyncio.to_thread(staff.operators.get, operator_id))
