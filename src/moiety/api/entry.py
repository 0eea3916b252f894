"""The way into the console: a ticket, a session, and out again."""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from moiety.access import Permission
from moiety.api.entrance import Via, cookie_name
from moiety.api.routes import Routes
from moiety.api.schemas import Ticket
from moiety.api.sessions import SESSION_SECONDS, TICKET_SECONDS
from moiety.api.visits import Here
from moiety.foundation.errors import Forbidden

routes = Routes("entry")


@routes.add("POST", "/v1/tickets", permission=Permission.KEY_MANAGE, status_code=201, summary="Ticket for the console")
async def make_ticket(visit: Here) -> Ticket:
    """Make a way into the console for the owner of the data folder, who alone has the run token."""
    if visit.visitor is None or visit.visitor.via is not Via.RUN:
        raise Forbidden("Only the owner of the data folder can open the console; run `moiety open` there.")
    ticket = visit.gate.sessions.ticket()
    return Ticket(ticket=ticket, path=f"/enter?ticket={ticket}", seconds=int(TICKET_SECONDS))


@routes.add(
    "GET",
    "/enter",
    public="spends a ticket, which is a secret of its own",
    status_code=303,
    response_class=RedirectResponse,
    include_in_schema=False,
)
async def enter(
    request: Request, visit: Here, ticket: Annotated[str, Query(min_length=1, max_length=100)]
) -> RedirectResponse:
    """Spend a ticket for a session."""
    await visit.gate.entrance.follow()
    secret = visit.gate.sessions.enter(ticket)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@routes.add(
    "DELETE",
    "/v1/session",
    public="ends the session whose cookie comes with it, after the same checks as any other request of a session",
    status_code=204,
    include_in_schema=False,
)
async def leave(request: Request, visit: Here) -> Response:
    """End the browser session."""
    (await visit.gate.entrance.session(request)).check_body(b"")
    visit.gate.entrance.leave(request)
    response = Response(status_code=204)
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict")
    return response
