"""Whether the gate and the other parts answer, and the API's own description."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from moiety.api.enrol_schemas import EnrolForm, LookForm, PhotoForm
from moiety.api.openapi import describe
from moiety.api.problems import Problem, of_refusal
from moiety.api.routes import Routes
from moiety.api.schemas import (
    CompareForm,
    Health,
    IdentifyForm,
    Ready,
    VerifyForm,
    moment,
)
from moiety.api.visits import Here
from moiety.foundation.errors import PartDown

routes = Routes("state")

WITNESS = "witness"
FORMS = (CompareForm, EnrolForm, IdentifyForm, LookForm, PhotoForm, VerifyForm)


@routes.add("GET", "/v1/health", public="tells that the gate lives, nothing else", summary="Health")
async def health() -> Health:
    """Say that the gate lives."""
    return Health(status="ok")


@routes.add(
    "GET",
    "/v1/ready",
    public="tells which parts answer, for balancers and the signed-out page",
    also=frozenset({503}),
    response_model=Ready,
    summary="Readiness",
)
async def ready(visit: Here) -> Ready | Response:
    """Say whether the parts answer; if not, the problem names those that are down.

    Without the witness only people cannot sign, so it is shown and does not count.
    """
    parts = await visit.gate.parts.state()
    down = [name for name, up in parts.items() if not up and name != WITNESS]
    if not down:
        stands = await asyncio.to_thread(visit.gate.house.checkpointing.standing)
        return Ready(
            status="ready",
            parts=parts,
            sign_at=visit.gate.sign_at,
            ledger=stands.state.value,
            cosigned_at=None if stands.cosigned_at is None else moment(stands.cosigned_at),
        )
    said = of_refusal(PartDown(f"Not answering: {', '.join(down)}."))
    return Problem(said.slug, said.status, said.title, said.detail, said.headers, {"parts": parts}).response()


@routes.add("GET", "/v1/openapi.json", public="the description of the API", include_in_schema=False)
async def description(request: Request) -> JSONResponse:
    """Give the description of the API as OpenAPI 3.1."""
    app = request.app
    if app.openapi_schema is None:
        app.openapi_schema = describe(app, FORMS)
    return JSONResponse(app.openapi_schema)
