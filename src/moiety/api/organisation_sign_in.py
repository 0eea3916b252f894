"""The organisation's own sign-in: its provider says who sits at a browser, and nothing more; the passkey signs."""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from moiety.access.identified import BACK, WAIT_SECONDS, Identified
from moiety.access.provider import Answer
from moiety.api.entrance import organisation_cookie
from moiety.api.routes import Routes
from moiety.api.sign_in import origin_of
from moiety.api.staff_schemas import Elsewhere
from moiety.api.visits import Here
from moiety.foundation.errors import NotFound

routes = Routes("session")

CODE_CHARS_MAX = 4096
STATE_CHARS_MAX = 200
Told = Annotated[str | None, Query(max_length=CODE_CHARS_MAX)]


def _identified(visit: Here) -> Identified:
    """Give what the organisation's provider has said.

    Raises:
        NotFound: there is no provider here.

    """
    if visit.gate.staff.identified is None:
        raise NotFound("No organisation's sign-in is set up here (MOIETY_OIDC_ISSUER).")
    return visit.gate.staff.identified


@routes.add(
    "POST",
    "/v1/session/organisation",
    public="begins a sign-in at the organisation's provider; what it says opens nothing without a passkey",
    include_in_schema=False,
)
async def begin_at_organisation(request: Request, visit: Here) -> Response:
    """Say where the provider asks who somebody is."""
    gate = origin_of(request)
    address, secret = await _identified(visit).begin(gate)
    response = JSONResponse(Elsewhere(address=address).model_dump())
    # Lax: the provider's answer is a navigation from its site to ours.
    response.set_cookie(
        organisation_cookie(request),
        secret,
        max_age=int(2 * WAIT_SECONDS),
        httponly=True,
        samesite="lax",
        secure=gate.startswith("https://"),
    )
    return response


@routes.add(
    "GET",
    BACK,
    public="takes the provider's answer for the browser that asked; it opens nothing without a passkey",
    response_class=RedirectResponse,
    status_code=303,
    include_in_schema=False,
)
async def back_from_organisation(
    request: Request,
    visit: Here,
    state: Annotated[str, Query(min_length=1, max_length=STATE_CHARS_MAX)],
    code: Told = None,
    iss: Told = None,
) -> RedirectResponse:
    """Take the provider's answer and go on to the passkey."""
    secret = request.cookies.get(organisation_cookie(request), "")
    await _identified(visit).finish(secret, state, None if code is None else Answer(code, iss))
    return RedirectResponse("/sign-in", 303)


@routes.add(
    "POST",
    "/v1/session/organisation/leave",
    public="forgets what the provider said of this browser, and says where one signs out there",
    include_in_schema=False,
)
async def leave_organisation(request: Request, visit: Here) -> Elsewhere:
    """Forget who sits at this browser; gives the provider's address for signing out there, or our own page."""
    gate, identified = origin_of(request), _identified(visit)
    identified.forget(request.cookies.get(organisation_cookie(request), ""))
    return Elsewhere(address=await identified.leaving(gate) or "/sign-in")
