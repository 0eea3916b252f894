"""The pages' languages: every text is in the catalog, translations fit it, and the reader's own language is found."""

from __future__ import annotations

import re

import pytest
from starlette.requests import Request

from catalogs import CONSOLE, LOCALE, POT, kept, placeholders, said, written
from moiety.access import DUTIES
from moiety.console.duties import SENTENCES
from moiety.console.languages import NAMES, SOURCE, language_of, translations
from moiety.console.navigation import GROUPS
from moiety.console.templates_of import environment
from moiety.console.welcome import STEPS

OTHERS = [one for one in NAMES if one != SOURCE]
# Words that stand in every language as they are.
UNSAID = {"moiety", "moiety open", "moiety operator first", "moiety gallery create NAME --purpose", "MOIETY", "JSON"}
SHOWN = re.compile(r'(?:aria-label|placeholder|alt|title|data-sure)="([^"{]*[A-Za-z]{2}[^"{]*)"')
# What everybody meets first, what scripts say, and what is read in a hurry is whole in every language.
WHOLE = (
    *("base.html", "home.html", "sign-in.html", "takeover.html", "problem.html"),
    *("words.html", "acting.html", "emergency.html"),
)


def left_over(source: str) -> set[str]:
    """Give the words of a template that stand there without going through the catalog."""
    bare = re.sub(r"{#.*?#}|{%.*?%}", "", source, flags=re.DOTALL)
    found = set(SHOWN.findall(bare))
    bare = re.sub(r"{{.*?}}", "", bare, flags=re.DOTALL)
    bare = re.sub(r"<code.*?</code>|<[^>]*>|&\w+;", "\n", bare, flags=re.DOTALL)
    found |= {line.strip(' ·"“”():,') for line in bare.splitlines() if re.search(r"[A-Za-z]{2}", line)}
    return found - UNSAID


@pytest.mark.parametrize("path", sorted(CONSOLE.joinpath("templates").glob("*.html")), ids=lambda one: one.name)
def test_every_text_of_a_template_goes_through_the_catalog(path: object) -> None:
    assert left_over(path.read_text()) == set()  # type: ignore[attr-defined]  # it is a Path


def test_a_text_beside_the_catalog_would_be_found() -> None:
    assert left_over('<p>Hello</p><a aria-label="Go on">{{ _("Further") }}</a>') == {"Hello", "Go on"}


def test_what_a_role_cannot_do_is_said_in_every_language() -> None:
    assert {one for duty in DUTIES.values() for one in duty.can_not} == SENTENCES
    for language in OTHERS:
        assert {one for one in SENTENCES if translations(language).gettext(one) == one} == set(), language


def test_the_catalog_is_what_the_pages_say() -> None:
    assert written(said()) == POT.read_bytes(), "run: python tests/catalogs.py"


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_is_of_something_that_is_said_and_puts_in_the_same(language: str) -> None:
    known = said()
    for message in kept(LOCALE / f"{language}.po"):
        if not message.id:
            continue
        assert message.id in known, message.id
        wanted = set().union(*map(placeholders, texts(message.id)))
        assert all(one and placeholders(one) == wanted for one in texts(message.string)), message.id


def texts(of: object) -> list[str]:
    """Give a message's one text, or its forms for one and for many."""
    return [str(one) for one in of] if isinstance(of, tuple | list) else [str(of)]


@pytest.mark.parametrize("language", OTHERS)
def test_the_most_used_pages_are_whole_in_every_language(language: str) -> None:
    words = {place.words for group in GROUPS for place in group.places} | {step.words for step in STEPS}
    for name in WHOLE:
        source = CONSOLE.joinpath("templates", name).read_text()
        found = environment().extract_translations(source)  # type: ignore[attr-defined]  # the extension adds it
        parts = [message if isinstance(message, tuple) else (message,) for _, _, message in found]
        words |= {part for (part, *_) in parts if part}
    spoken = translations(language)
    assert len(words) >= 40
    assert [one for one in words if spoken.gettext(one) == one] == []


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, "en"),
        ({"accept-language": "ta-IN,ta;q=0.9,en;q=0.5"}, "ta"),
        ({"accept-language": "de, hi;q=0.4, en;q=0.2"}, "hi"),
        ({"accept-language": "hi;q=0, en;q=nonsense"}, "en"),
        ({"accept-language": "hi", "cookie": "moiety_language=ta"}, "ta"),
        ({"accept-language": "hi", "cookie": "moiety_language=../etc"}, "hi"),
    ],
)
def test_the_readers_language_is_found(headers: dict[str, str], wanted: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert language_of(Request({"type": "http", "headers": raw})) == wanted
