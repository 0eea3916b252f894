"""The console's pages and how they are put onto the API's application."""

from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from moiety.access import Permission
from moiety.api.entrance import cookie_name
from moiety.api.problems import Problem
from moiety.api.routes import Gate, Routes
from moiety.api.visits import Here
from moiety.console import staff, statics
from moiety.console.templates_of import page
from moiety.foundation.errors import Forbidden, ProofMissing, Unauthenticated
from moiety.storage import Gallery, GalleryState

routes = Routes("console")

PARTS: Final = {"eye": "eye", "vault-a": "vault A", "vault-b": "vault B", "mint": "mint", "witness": "witness"}
REASON: Final = "console: identify"
_FILES: Final = statics.load()


def attach(app: FastAPI) -> None:
    """Put the pages onto an application that `moiety.api.create_app` made; browsers then see its problems as pages."""
    gate: Gate = app.state.gate
    routes.mount(app, gate)
    staff.routes.mount(app, gate)
    app.state.problem_page = problem_page


def problem_page(_: Request, problem: Problem) -> Response:
    """Show a problem to a person; where only the device's proof is missing, a page that lets its worker take over."""
    name = "takeover.html" if problem.slug == ProofMissing.slug else "problem.html"
    response = page(name, problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


def rates(gallery: Gallery) -> dict[str, int]:
    """Say for each band that it is set so that one in so many comparisons of two different people reaches it."""
    return {band: round(10**step / gallery.fmr_target) for step, band in enumerate(gallery.bands)}


@routes.add(
    "GET",
    "/",
    public="shows strangers how to come in; shows the console to a session only",
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def who(request: Request, visit: Here) -> Response:
    """Show the question, or to strangers the way in; whoever may ask nothing here gets their own page."""
    try:
        visit.visitor = await visit.gate.entrance.session(request)
        visit.visitor.check_body(b"")
    except ProofMissing:
        raise
    except Unauthenticated:
        if visit.gate.staff.operators.anybody:
            return RedirectResponse("/sign-in", 303)
        return page("door.html", ended=cookie_name(request) in request.cookies)
    found = await visit.gate.house.galleries.list()
    try:
        here = visit.visitor.caller.visible(Permission.PROBE_IDENTIFY, [one.id for one in found])
    except Forbidden:
        return RedirectResponse("/access", 303)
    galleries = [one for one in found if one.state is GalleryState.OPEN and one.id in here]
    shown = [(one, rates(one)) for one in galleries]
    return page("who.html", galleries=shown, parts=PARTS, reason=REASON, sign_at=visit.gate.sign_at)


@routes.add(
    "GET",
    "/static/{name}",
    public="style, scripts and the mark; nothing about anyone",
    response_class=Response,
    include_in_schema=False,
)
async def static(name: str) -> Response:
    """Give one file of the console by its exact name."""
    if name not in _FILES:
        raise HTTPException(404)
    content, kind = _FILES[name]
    return Response(content, media_type=kind)
