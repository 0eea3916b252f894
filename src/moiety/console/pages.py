"""The console's pages and how they are put onto the API's application."""

from typing import Final

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from moiety.api.entrance import cookie_name
from moiety.api.problems import Problem
from moiety.api.routes import Gate, Routes
from moiety.api.visits import Here
from moiety.console import statics
from moiety.foundation.errors import Unauthenticated
from moiety.storage import Gallery, GalleryState

routes = Routes("console")

PARTS: Final = {"eye": "eye", "vault-a": "vault A", "vault-b": "vault B", "mint": "mint", "witness": "witness"}
REASON: Final = "console: identify"
_FILES: Final = statics.load()
_TEMPLATES: Final = Environment(
    loader=PackageLoader("moiety.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def attach(app: FastAPI) -> None:
    """Put the pages onto an application that `moiety.api.create_app` made; browsers then see its problems as pages."""
    gate: Gate = app.state.gate
    routes.mount(app, gate)
    app.state.problem_page = problem_page


def _page(name: str, status: int = 200, **values: object) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values), status)


def problem_page(_: Request, problem: Problem) -> Response:
    """Show a problem to a person."""
    response = _page("problem.html", problem.status, problem=problem)
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
async def who(request: Request, visit: Here) -> HTMLResponse:
    """Show the question, or to strangers the way in."""
    try:
        visit.visitor = visit.gate.entrance.session(request)
    except Unauthenticated:
        return _page("door.html", ended=cookie_name(request) in request.cookies)
    galleries = [one for one in await visit.gate.house.galleries.list() if one.state is GalleryState.OPEN]
    shown = [(one, rates(one)) for one in galleries]
    return _page("who.html", galleries=shown, parts=PARTS, reason=REASON, sign_at=visit.gate.sign_at)


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
