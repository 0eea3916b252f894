"""Rendering the console's templates, in one language at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Final

from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from moiety.console.languages import NAMES, SOURCE, locale_of, translations

EXTENSION: Final = "jinja2.ext.i18n"


@cache
def environment(language: str = SOURCE) -> Environment:
    """Build the environment of a language; `when`, `day`, `number` are as its readers write, `local` as inputs do."""
    made = Environment(
        loader=PackageLoader("moiety.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[EXTENSION],
    )
    speech = translations(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        speech.gettext, speech.ngettext, newstyle=True, pgettext=speech.pgettext
    )
    locale = locale_of(language)
    made.filters["when"] = lambda at: format_datetime(_here(at), "medium", locale=locale)
    made.filters["day"] = lambda at: format_date(_here(at), "long", locale=locale)
    made.filters["short_day"] = lambda at: format_skeleton("MMMd", _here(at), locale=locale)
    made.filters["local"] = lambda at: _here(at).strftime("%Y-%m-%dT%H:%M")
    made.filters["number"] = lambda value: format_decimal(value, locale=locale)
    made.filters["iso"] = lambda at: _here(at).isoformat(timespec="seconds")
    made.globals |= {"language": language, "languages": NAMES}
    return made


def _here(at: float | datetime | date) -> datetime:
    """Give a moment in the time of the machine, which is the site's; numbers are seconds since 1970."""
    if isinstance(at, datetime):
        return at.astimezone()
    if isinstance(at, date):
        return datetime(at.year, at.month, at.day).astimezone()
    return datetime.fromtimestamp(at, UTC).astimezone()


def page(name: str, status: int = 200, language: str = SOURCE, **values: object) -> HTMLResponse:
    """Render a template; what stands in values is escaped."""
    return HTMLResponse(environment(language).get_template(name).render(**values), status)
