"""The pages of those who work here: signing in, joining, one's own page; and the worker that signs for the device."""

from typing import Final

from starlette.responses import HTMLResponse, Response

from moiety.access import Permission, Role
from moiety.api.routes import Routes
from moiety.api.visits import Here
from moiety.console import statics
from moiety.console.templates_of import page

routes = Routes("staff")

_WORKER: Final = statics.load()["worker.js"]


@routes.add(
    "GET",
    "/sign-in",
    public="shows a button; the passkey is asked for by the witness",
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def sign_in(visit: Here) -> HTMLResponse:
    """Show the way in for those who work here."""
    return page("sign-in.html", sign_at=visit.gate.sign_at, anybody=visit.gate.staff.operators.anybody)


@routes.add(
    "GET",
    "/join",
    public="shows a form; what stands behind # in an invitation's link is the secret",
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def join(visit: Here) -> HTMLResponse:
    """Show the page that an invitation's link opens."""
    return page("join.html", sign_at=visit.gate.sign_at)


@routes.add("GET", "/access", permission=Permission.SELF, response_class=HTMLResponse, include_in_schema=False)
async def access(visit: Here) -> HTMLResponse:
    """Show one's own page: passkeys, approvals, colleagues."""
    sign_at = visit.gate.sign_at
    register_at = sign_at.removesuffix("/sign") + "/register"
    return page("access.html", sign_at=sign_at, register_at=register_at, roles=list(Role))


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
