"""The API's description (OpenAPI 3.1): what the framework derives, and what only we know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from moiety.api.problems import HTTP, MEDIA_TYPE, PROBLEMS, URN
from moiety.api.waiting import QuestionSeen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI
    from pydantic import BaseModel

    from moiety.api.routes import Rule

_REF: Final = "#/components/schemas/{model}"

_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, `moi_…`; or, for the owner of the data folder, the run token, `run_…`.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key, `moi_…`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "moiety_PORT",
        "description": "The console's session. Requests that change something also need the header `X-Moiety: 1`.",
    },
}

_PROBLEM: Final = {
    "title": "Problem",
    "description": "Why something was refused (RFC 9457). `type` names the kind; nothing that was sent is repeated.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "enum": sorted({URN + kind.slug for kind in PROBLEMS} | {URN + slug for slug, _, _ in HTTP.values()}),
        },
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "One plain sentence for people."},
        "errors": {
            "type": "array",
            "description": "What does not fit the description, by place.",
            "items": {
                "type": "object",
                "required": ["where", "what"],
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
        "parts": {
            "type": "object",
            "description": "Which parts answer.",
            "additionalProperties": {"type": "boolean"},
        },
    },
    "examples": [
        {
            "type": "urn:moiety:problem:no-face",
            "title": "No face",
            "status": 422,
            "detail": "No face was found in the picture.",
        }
    ],
}

_WORDS: Final = {
    400: "The request cannot be understood.",
    401: "No valid key or session was given.",
    403: "The key does not carry the scope that this needs, or a vault refuses the warrant.",
    404: "There is no such gallery, subject or photo.",
    408: "The body did not arrive in time.",
    409: "It is there already, or belongs to another model.",
    413: "The body or the picture is too large.",
    415: "The body is of another type, or the file is not one still picture.",
    421: "This server does not answer to that host name.",
    422: "The request does not fit this description, or the picture is not good for this.",
    429: "Too many requests; `Retry-After` says how long to wait.",
    500: "Something went wrong inside; it was noted without any of your data.",
    503: "A part cannot answer now; nothing was changed.",
    507: "The disk is full; nothing was kept.",
}
_WAITS: Final = "The gallery's policy wants people's signatures: the question waits, and is answered at `Location`."
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}


def described(rule: Rule, path: str) -> tuple[dict[str, Any], dict[int | str, dict[str, Any]]]:
    """Give what a route adds to its description: permission and form, and the problems that it may answer."""
    extra: dict[str, Any] = {"security": []}
    form = rule.form
    found = {400, 421, 422, 429, 500} | rule.also
    if not rule.public:
        named = str(rule.permission or "that of the question")
        extra = {"security": [{name: []} for name in _SCHEMES], "x-moiety-permission": named}
        found |= {401, 403, 408, 409, 413, 415, 503, 507}
    if "{" in path:
        found |= {404}
    if form is not None:
        content = {"multipart/form-data": {"schema": {"$ref": _REF.format(model=form.__name__)}}}
        extra["requestBody"] = {"required": True, "content": content}
    waits: dict[int | str, dict[str, Any]] = {202: {"description": _WAITS, "model": QuestionSeen}} if rule.parks else {}
    return extra, waits | {status: _problem(status) for status in sorted(found)}


def _problem(status: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    response: dict[str, Any] = {"description": _WORDS[status], "content": content}
    return response | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def describe(app: FastAPI, forms: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """Write the whole description of `app`; `forms` are the models of its multipart bodies."""
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts = made.setdefault("components", {})
    parts["securitySchemes"] = _SCHEMES
    _, shapes = models_json_schema([(form, "validation") for form in forms], ref_template=_REF)
    parts["schemas"] = dict(
        sorted((parts.get("schemas", {}) | shapes.get("$defs", {}) | {"Problem": _PROBLEM}).items())
    )
    return made
