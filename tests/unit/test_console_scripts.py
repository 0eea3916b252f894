"""What the console's scripts say: they take every word from the page, which has it in the reader's language."""

from __future__ import annotations

import re

import pytest

from catalogs import CONSOLE

SCRIPTS = sorted(CONSOLE.joinpath("static").glob("*.js"))
TEMPLATES = sorted(CONSOLE.joinpath("templates").glob("*.html"))
LITERAL = re.compile(r'"([^"\n]*)"|`([^`]*)`')
# A sentence begins large, or ends with a stop, or has several words that are no names of classes.
SENTENCE = re.compile(r"^\W*[A-Z][a-z']+(\s|$)|[a-z]{2}[.!?…]$|[a-z]+ [a-z]+ [a-z]")
# Commands, files, headers and keys of browsers, and one fact's name as the gate writes it.
NO_WORDS = {"moiety ledger verify --proof", "two to search", "Escape"}
HELD = re.compile(r"<div data-words.*?</div>", re.DOTALL)
NAME = re.compile(r"\bdata-([a-z-]+)=")
MACRO = re.compile(r"{% macro (\w+)\(\) %}(.*?){% endmacro %}", re.DOTALL)
LOADED = re.compile(r'<script type="module" src="/static/([a-z]+\.js)"')
IMPORTED = re.compile(r'from "/static/([a-z]+\.js)"')
USED = re.compile(r"(?<![\w.])words\.([a-zA-Z]+)\b")


def spoken(source: str) -> set[str]:
    """Give the literals of a script that look like words for people."""
    bare = re.sub(r"^\s*(?://.*|import .*|.* from \"/static/.*)$", "", source, flags=re.MULTILINE)
    found = {re.sub(r"\$\{[^}]*\}", "", one or other) for one, other in LITERAL.findall(bare)}
    return {one for one in found if SENTENCE.search(one) and not one.startswith("/")} - NO_WORDS


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda one: one.name)
def test_no_script_says_words_of_its_own(path: object) -> None:
    assert spoken(path.read_text()) == set()  # type: ignore[attr-defined]  # it is a Path


@pytest.mark.parametrize("words", ["Look again.", "Nobody", "three small words", "`${count} faces were found`"])
def test_words_in_a_script_would_be_found(words: str) -> None:
    literal = words if words.startswith("`") else f'"{words}"'
    assert len(spoken(f"  place.textContent = {literal};\n")) == 1


def camel(name: str) -> str:
    """Name an attribute as scripts do (HTML, section 3.2.6.6)."""
    first, *others = name.removeprefix("data-").split("-")
    return first + "".join(one.capitalize() for one in others)


def held(source: str) -> list[str]:
    """Give the words that a template holds for scripts, as they name them."""
    return [camel(one) for block in HELD.findall(source) for one in NAME.findall(block) if one != "words"]


def wanted(script: str, seen: set[str]) -> set[str]:
    """Give the words that a script and those that it imports ask for."""
    if script in seen:
        return set()
    seen.add(script)
    source = CONSOLE.joinpath("static", script).read_text()
    found = set(USED.findall(source)) - {"js"} if "/static/words.js" in source else set()
    return found.union(*(wanted(other, seen) for other in IMPORTED.findall(source)))


def test_each_word_is_held_once_and_asked_for() -> None:
    all_held = [one for path in TEMPLATES for one in held(path.read_text())]
    assert len(all_held) == len(set(all_held))
    assert set(all_held) == set().union(*(wanted(path.name, set()) for path in SCRIPTS))


def test_every_page_holds_the_words_that_its_scripts_ask_for() -> None:
    words, acting = (CONSOLE.joinpath("templates", name).read_text() for name in ("words.html", "acting.html"))
    macros = {name: set(held(body)) for name, body in MACRO.findall(words + acting)}
    macros["words"] |= macros["of_signing"]
    pages = 0
    for path in TEMPLATES:
        source = path.read_text()
        scripts = [*LOADED.findall(source), "frame.js"]
        has = macros["of_all"].union(*(macros[name] for name in macros if f"{{{{ {name}() }}}}" in source))
        asked: set[str] = set().union(*(wanted(script, set()) for script in scripts))
        assert asked <= has, path.name
        pages += len(scripts) > 1
    assert pages > 15
