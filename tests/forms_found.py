"""Every form of an application, found on the application itself, and what a careful person would write into it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hypothesis import find
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from moiety.api.routes import GuardedRoute

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

# What makes a request more than well formed, wherever a field has this name.
KNOWN: Final[dict[str, Any]] = {
    "reason": "a test",
    "reference": "r0",
    "pin": "12345",
    "notice": "2026-11",
    "ends_at": "2027-01-01T00:00:00Z",
}


@dataclass(frozen=True, slots=True)
class Form:
    """A route that takes something from whoever asks: words in its path, its query, or its body."""

    method: str
    path: str
    model: type[BaseModel] | None
    pictures: frozenset[str]
    multipart: bool
    asked: tuple[str, ...]
    route: GuardedRoute

    @property
    def name(self) -> str:
        """Name it in a report."""
        return f"{self.method} {self.path}"


def forms_of(app: FastAPI, *, every: bool = False) -> list[Form]:
    """List all forms of an application, new ones too; with `every` also the routes that take nothing."""
    found = []
    for route in app.routes:
        if isinstance(route, GuardedRoute):
            asked = tuple(
                name
                for part in through(route.dependant)
                for one in part.query_params
                for name in _names(one.field_info.annotation, one.alias)
            )
            rule, method = route.rule, next(iter(route.methods or ()))
            model = rule.body or rule.form
            form = Form(method, route.path, model, rule.pictures, rule.form is not None, asked, route)
            if every or form.model or asked or "{" in route.path:
                found.append(form)
    return found


def through(dependant: Dependant) -> list[Dependant]:
    """List what a route depends on, itself first."""
    return [dependant, *(one for other in dependant.dependencies for one in through(other))]


def _names(kind: Any, alias: str) -> list[str]:
    """Name what one parameter takes: the fields of a model, or itself."""
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else [alias]


def plausible(model: type[BaseModel]) -> dict[str, Any]:
    """Fill the fields that a model needs, by its own description; what is given may be changed."""
    return deepcopy(_filled(model))


@cache
def _filled(model: type[BaseModel]) -> dict[str, Any]:
    """Fill a model once: to draw a text that fits a pattern takes a second. Some need one of several fields as well."""
    schema = model.model_json_schema()
    named = schema.get("$defs", {})
    made = _object(schema, named)
    more = ({name: _value(one, named)} for name, one in schema.get("properties", {}).items() if name not in made)
    return made if _fits(model, made) else next(both for one in more if _fits(model, both := made | one))


def _fits(model: type[BaseModel], given: dict[str, Any]) -> bool:
    try:
        model.model_validate(given)
    except ValidationError:
        return False
    return True


def _object(schema: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: KNOWN.get(name, _value(properties[name], named)) for name in schema.get("required", ())}


def _value(schema: dict[str, Any], named: dict[str, Any]) -> Any:
    """Make a value that fits a schema."""
    ways = [one for name in ("anyOf", "oneOf", "allOf") for one in schema.get(name, ())]
    if "$ref" in schema or ways:
        return _value(named[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else ways[0], named)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    makers: dict[str, Callable[[], Any]] = {
        "object": lambda: _object(schema, named),
        "array": lambda: [_value(schema.get("items", {"type": "integer"}), named)] * max(1, schema.get("minItems", 1)),
        "integer": lambda: schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1),
        "number": lambda: schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1),
        "boolean": lambda: False,
    }
    return makers.get(schema.get("type", ""), lambda: _text(schema))()


def _text(schema: dict[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "2027-01-01T00:00:00Z"
    if "pattern" in schema:
        return str(find(st.from_regex(schema["pattern"], fullmatch=True), bool))
    return "a" * int(max(1, schema.get("minLength", 1)))
