"""Rendering the console's templates."""

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

_TEMPLATES: Final = Environment(
    loader=PackageLoader("moiety.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(name: str, status: int = 200, **values: object) -> HTMLResponse:
    """Render a template; what stands in values is escaped."""
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values), status)
