"""Putting the API together."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match, Route

from moiety.access import RateLimiter, Staff
from moiety.api import (
    alerts,
    approvals,
    breaches,
    deployments,
    drills,
    elsewhere,
    emergencies,
    enrol_schemas,
    entry,
    galleries,
    incident_schemas,
    journal,
    keys,
    ledger_search,
    operators,
    organisation_sign_in,
    own_templates,
    person_schemas,
    persons,
    probes,
    questions,
    reports,
    rights,
    schemas,
    sign_in,
    staff_schemas,
    state,
    subjects,
    transparency,
    waiting,
    watch,
    yearly,
)
from moiety.api.entrance import Access, Entrance, Strikes
from moiety.api.limits import Limits, Queue
from moiety.api.parts import Parts
from moiety.api.problems import of_refusal, of_status, of_validation
from moiety.api.routes import Gate
from moiety.api.sessions import Sessions
from moiety.api.shell import Shell
from moiety.api.watching import Watching
from moiety.foundation.errors import Fault, ProofMissing, Refusal
from moiety.incidents import Incidents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from moiety.access.provider import Organisation
    from moiety.access.sessions import Span
    from moiety.api.problems import Problem
    from moiety.api.watching import Told
    from moiety.matching.desk import Desk
    from moiety.people.house import House

MODULES: Final = (
    galleries,
    subjects,
    persons,
    elsewhere,
    own_templates,
    rights,
    probes,
    questions,
    keys,
    journal,
    ledger_search,
    transparency,
    sign_in,
    organisation_sign_in,
    operators,
    approvals,
    emergencies,
    breaches,
    reports,
    drills,
    alerts,
    deployments,
    state,
    entry,
    watch,
    yearly,
)
ABOUT: Final = (
    "Who is this, and is it really them? Answers are bands in words; there is no score, no distance and no embedding "
    "in any request or answer. Errors are problem+json (RFC 9457)."
)
API_VERSION: Final = "1.0"
MILLISECONDS: Final = 1000


def create_app(
    house: House,
    access: Access,
    limits: Limits | None = None,
    *,
    on_fault: Callable[[Fault], None],
    sign_at: str = "",
    background: Mapping[str, Callable[[], bool]] | None = None,
    span: Span | None = None,
    own: Callable[[], Told] = dict,
    organisation: Organisation | None = None,
) -> FastAPI:
    """Build the application over `house`.

    `sign_at` is the address of the page on which people sign, `span` how long their sessions live, `organisation`
    whose provider names them. `access` says who may come in and under which host names. `on_fault` is called when going
    on would be wrong: it has to end the process after the answer is out. The server that runs it must not write an
    access log of its own: query strings hold reasons. `background` says by name whether lasting work goes on; `own`
    gives what the gate says of itself, as other parts do of themselves.
    """
    limits, clock = limits or Limits(), house.desk.clock
    limiter, sessions = RateLimiter(clock, limits.rates()), Sessions(clock)
    staff = Staff.over(house.desk, access.keys, sign_at, span, organisation)
    gate = Gate(
        house=house,
        access=access,
        entrance=Entrance(access, sessions, Strikes(limiter, clock), staff),
        sessions=sessions,
        limits=limits,
        limiter=limiter,
        queue=Queue(limits.pictures_at_once, limits.pictures_waiting),
        parts=Parts(house.desk.links.state, clock),
        sign_at=sign_at,
        watching=Watching(Parts(house.desk.links.counts, clock), background or {}, partial(_alerts, house.desk), own),
        staff=staff,
        incidents=Incidents.over(house, staff),
    )
    house.parked.on_fault = on_fault
    app = _empty(access, gate)
    app.state.gate, app.state.problem_page = gate, None
    for module in MODULES:
        module.routes.mount(app, gate)
    _answer_errors(app, on_fault)
    return app


def _empty(access: Access, gate: Gate) -> FastAPI:
    """Build an application without routes."""
    return FastAPI(
        title="moiety",
        version=API_VERSION,
        description=ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Shell, hosts=access.names(), seen=gate.watching.seen)],
    )


def _alerts(desk: Desk) -> dict[tuple[str, bool], int]:
    """Count alerts by kind and whether somebody has seen them."""
    with desk.store.read() as tx:
        return tx.alerts.counts()


def _answer_errors(app: FastAPI, on_fault: Callable[[Fault], None]) -> None:
    """Map every error that is foreseen; `Shell` has the rest."""

    async def refused(request: Request, error: Refusal) -> Response:
        problem = of_refusal(error)
        if isinstance(error, ProofMissing):
            # A device whose clock is wrong learns ours, and proves itself again.
            now = request.app.state.gate.house.desk.clock.now()
            problem = replace(problem, headers={**problem.headers, "X-Moiety-Time": str(int(now * MILLISECONDS))})
        return say(request, problem)

    async def fault(request: Request, error: Fault) -> Response:
        on_fault(error)
        return say(request, of_status(500))

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return say(request, of_validation(error.errors(), _WORDS))

    async def by_http(request: Request, error: HTTPException) -> Response:
        headers = {"Allow": _allowed(request)} if error.status_code == 405 else {}  # noqa: PLR2004 - RFC 9110, 15.5.6
        return say(request, of_status(error.status_code, headers))

    handlers: dict[type[Exception], Any] = {
        Refusal: refused,
        Fault: fault,
        RequestValidationError: invalid,
        HTTPException: by_http,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def say(request: Request, problem: Problem) -> Response:
    """Say a problem as JSON, or as a page to a browser where the console has one."""
    page = request.app.state.problem_page
    if page is not None and "text/html" in request.headers.get("accept", ""):
        shown: Response = page(request, problem)
        return shown
    return problem.response()


def _allowed(request: Request) -> str:
    """Name the methods of all routes at this address."""
    methods = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


_DESCRIBED: Final = (
    *(emergencies, enrol_schemas, incident_schemas, schemas, waiting),
    *(staff_schemas, person_schemas, elsewhere, own_templates, ledger_search),
)


def _words() -> frozenset[str]:
    """Collect the names in the API's description: only these are ever repeated in an answer."""
    models = [
        one
        for module in _DESCRIBED
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, schemas.Taken | schemas.Given)
    ]
    fields = {name for model in models for name in model.model_fields}
    return frozenset(fields | {"body", "query", "path", "after", "limit", "reason", "ticket"})


_WORDS: Final = _words()
