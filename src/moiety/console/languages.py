"""The languages of the pages: English in the sources, others from catalogs compiled at their first use."""

from __future__ import annotations

import io
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

if TYPE_CHECKING:
    from starlette.requests import Request

SOURCE: Final = "en"
NAMES: Final = {"en": "English", "hi": "हिन्दी", "ta": "தமிழ்"}
COOKIE: Final = "moiety_language"
DOMAIN: Final = "messages"
HEADER_CHARS_MAX: Final = 200


@cache
def translations(language: str) -> NullTranslations:
    """Compile and load the catalog of a language of `NAMES`; the source language needs none."""
    if language == SOURCE:
        return NullTranslations()
    text = resources.files("moiety.console").joinpath("locale", f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(text), locale=language, domain=DOMAIN))
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)


@cache
def locale_of(language: str) -> Locale:
    """Give the rules for dates and numbers of a language of `NAMES`."""
    return Locale.parse(language)


def language_of(request: Request) -> str:
    """Choose the language: the reader's own choice, else the browser's (RFC 9110, section 12.5.4), else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in NAMES:
        return chosen
    wanted = _wanted(request.headers.get("accept-language", "")[:HEADER_CHARS_MAX])
    return negotiate_locale(wanted, list(NAMES), sep="-") or SOURCE


def _wanted(header: str) -> list[str]:
    """Order what a browser asks for by its weight."""
    found = []
    for one in header.split(","):
        tag, _, rest = one.strip().partition(";")
        weight = rest.strip().removeprefix("q=") or "1"
        try:
            found.append((float(weight), tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(found, key=lambda pair: -pair[0]) if weight > 0 and tag]
