"""The pages of those who work here: signing in, joining, one's own page; and the worker that signs for the device."""

from typing import Final

from starlette.responses import HTMLResponse, Response

from moiety.access import Permission
from moiety.api.entrance import Via, organisation_cookie
from moiety.api.routes import Routes
from moiety.console import statics
from moiety.console.frame import Framed

routes = Routes("staff")

_WORKER: Final = statics.load()["worker.js"]


@routes.add(
    "GET",
    "/sign-in",
    public="shows a button; the passkey is asked for by the witness",
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def sign_in(frame: Framed) -> HTMLResponse:
    """Show the way in for those who work here."""
    staff = frame.visit.gate.staff
    told_by = frame.request.cookies.get(organisation_cookie(frame.request), "")
    known = staff.identified is not None and staff.identified.known(told_by) is not None
    return frame.page("sign-in.html", anybody=staff.operators.anybody, organisation=staff.identified, known=known)


@routes.add(
    "GET",
    "/join",
    public="shows a form; what stands behind # in an invitation's link is the secret",
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def join(frame: Framed) -> HTMLResponse:
    """Show the page that an invitation's link opens."""
    return frame.page("join.html", organisation=frame.visit.gate.staff.identified)


@routes.add("GET", "/access", permission=Permission.SELF, response_class=HTMLResponse, include_in_schema=False)
async def access(frame: Framed) -> HTMLResponse:
    """Show one's own page: passkeys, approvals, colleagues."""
    register_at = frame.visit.gate.sign_at.removesuffix("/sign") + "/register"
    visitor = frame.visit.visitor
    mine = visitor is not None and visitor.via is Via.DEVICE
    return frame.page("access.html", here="me", register_at=register_at, own=mine)


@routes.add(
    "GET",
    "/worker.js",
    public="the script that signs for a device; nothing about anyone",
    response_class=Response,
    include_in_schema=False,
)
async def worker() -> Response:
    """Give the worker at the top, so that it sees every request."""
    content, kind = _WORKER
    return Response(content, media_type=kind)
