"""Who works here: their roles and passkeys, inviting, other roles, a way back, ending sessions, stopping somebody."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import HTMLResponse

from moiety.access import Permission, Role
from moiety.access.spares import PASSKEYS_WANTED
from moiety.api.routes import Routes
from moiety.console.duties import can_not
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.storage import Operator, OperatorState

routes = Routes("colleagues")

STATES: Final = {
    OperatorState.INVITED: (N_("invited, has no passkey yet"), "warn"),
    OperatorState.ACTIVE: (N_("works here"), "good"),
    OperatorState.DISABLED: (N_("stopped"), "calm"),
}


@dataclass(frozen=True, slots=True)
class Colleague:
    """One operator as the page shows them."""

    one: Operator
    name: str
    passkeys: int
    sessions: int
    words: str
    kind: str
    me: bool


async def _colleague(frame: Frame, one: Operator) -> Colleague:
    staff = frame.visit.gate.staff
    words, kind = STATES[one.state]
    return Colleague(
        one=one,
        name=staff.operators.sealing.name_of(one),
        passkeys=len(await asyncio.to_thread(staff.operators.passkeys, one.id)),
        sessions=staff.sessions.of(one.id),
        words=words,
        kind=kind,
        me=str(one.id) == str(frame.caller.key_id),
    )


@routes.add(
    "GET", "/operators", permission=Permission.OPERATOR_READ, response_class=HTMLResponse, include_in_schema=False
)
async def operators_page(frame: Framed) -> HTMLResponse:
    """Show who works here and what each role may."""
    found = await asyncio.to_thread(frame.visit.gate.staff.operators.list)
    people = [await _colleague(frame, one) for one in found]
    active = [one for one in people if one.one.state is not OperatorState.DISABLED]
    gone = [one for one in people if one.one.state is OperatorState.DISABLED]
    return frame.page(
        "operators.html",
        here="operators",
        people=[*active, *gone],
        can_not=can_not(frame),
        roles=list(Role),
        wanted=PASSKEYS_WANTED,
    )
