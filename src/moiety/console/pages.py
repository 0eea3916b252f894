"""The console's pages and how they are put onto the API's application."""

from typing import Annotated, Final

from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from moiety.access import Permission
from moiety.api.entrance import cookie_name
from moiety.api.problems import Problem
from moiety.api.routes import Gate, Routes
from moiety.console import (
    alerting,
    approving,
    colleagues,
    deciding,
    enrolling,
    galleries,
    home,
    incidents,
    ledger_pages,
    people,
    report,
    reports,
    retention,
    staff,
    statics,
    status,
)
from moiety.console.frame import Frame, Framed
from moiety.console.galleries import rates
from moiety.console.languages import COOKIE, NAMES
from moiety.console.marking import N_
from moiety.foundation.errors import BadInput, ProofMissing, Unauthenticated

routes = Routes("console")
# Whoever adds pages adds their routes here; the navigation shows what is mounted.
MODULES: Final = (
    home,
    staff,
    people,
    enrolling,
    deciding,
    ledger_pages,
    alerting,
    approving,
    colleagues,
    galleries,
    report,
    retention,
    status,
    incidents,
    reports,
)

PARTS: Final = {
    "eye": N_("eye"),
    "vault-a": N_("vault A"),
    "vault-b": N_("vault B"),
    "mint": N_("mint"),
    "witness": N_("witness"),
}
YEAR_SECONDS: Final = 365 * 24 * 3600
_FILES: Final = statics.load()


def attach(app: FastAPI) -> None:
    """Put the pages onto an application that `moiety.api.create_app` made; browsers then see its problems as pages."""
    gate: Gate = app.state.gate
    routes.mount(app, gate)
    for module in MODULES:
        module.routes.mount(app, gate)
    app.state.problem_page = problem_page


def problem_page(request: Request, problem: Problem) -> Response:
    """Show a problem to a person; where only the device's proof is missing, a page that lets its worker take over."""
    name = "takeover.html" if problem.slug == ProofMissing.slug else "problem.html"
    frame = Frame(request, getattr(request.state, "visit", None))
    response = frame.page(name, problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


@routes.add(
    "GET",
    "/",
    public="shows strangers how to come in; shows the first page to a session only",
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def first_page(request: Request, frame: Framed) -> Response:
    """Show what needs the reader now, or to strangers the way in."""
    visit = frame.visit
    try:
        visit.visitor = await visit.gate.entrance.session(request)
        visit.visitor.check_body(b"")
    except ProofMissing:
        raise
    except Unauthenticated:
        if visit.gate.staff.operators.anybody:
            return RedirectResponse("/sign-in", 303)
        return frame.page("door.html", ended=cookie_name(request) in request.cookies)
    return await home.show(frame)


@routes.add(
    "GET",
    "/identify",
    permission=Permission.PROBE_IDENTIFY,
    listing=True,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def identify_page(frame: Framed) -> HTMLResponse:
    """Show the question "Who is this?" for the galleries in which the reader may ask it."""
    here = await people.open_galleries(frame, Permission.PROBE_IDENTIFY)
    under = {one.id: await frame.visit.gate.house.registry.deploying.get(one) for one in here}
    two = {name for name, use in under.items() if use is not None and use.two_to_search}
    shown = [(one, rates(one), people.Can.of(frame, one), one.id in two) for one in here]
    one_machine = await frame.visit.gate.watching.together()
    me = frame.caller.key_id
    return frame.page("who.html", here="identify", galleries=shown, parts=PARTS, me=me, one_machine=one_machine)


@routes.add(
    "GET",
    "/language",
    public="keeps in a cookie in which language its reader wants the pages",
    response_class=RedirectResponse,
    include_in_schema=False,
)
async def choose_language(
    request: Request,
    to: Annotated[str, Query(max_length=8)],
    back: Annotated[str, Query(max_length=200, pattern=r"^/([^/\\].*)?$")] = "/",
) -> Response:
    """Keep the language that was chosen, and go back to the page."""
    if to not in NAMES:
        raise BadInput("There are no pages in this language.")
    response = RedirectResponse(back, 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, to, max_age=YEAR_SECONDS, httponly=True, samesite="lax", secure=secure)
    return response


@routes.add(
    "GET",
    "/static/{name}",
    public="style, scripts and the mark; nothing about anyone",
    uncounted=True,
    response_class=Response,
    include_in_schema=False,
)
async def static(name: str) -> Response:
    """Give one file of the console by its exact name."""
    if name not in _FILES:
        raise HTTPException(404)
    content, kind = _FILES[name]
    return Response(content, media_type=kind)
