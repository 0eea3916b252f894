"""The console's pages: nothing from elsewhere, nothing inline, names as text, words that are true."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from moiety.access import OWNER, Role
from moiety.api.problems import of_status
from moiety.console import pages, statics, templates_of
from moiety.console.galleries import rates
from moiety.console.navigation import ways
from moiety.console.people import Can
from moiety.foundation.ids import GalleryId
from moiety.people.yearly import OfPurpose, Year
from moiety.storage import Gallery, GalleryState

MARKUP = "<b onclick='x'>\"&</b>"
GALLERY = Gallery(
    id=GalleryId("gal_aaaaaaaaaaaaaaaa"),
    name=MARKUP,
    purpose=MARKUP,
    model_name="m",
    model_sha256="00" * 32,
    dim=512,
    rotation_id="00",
    fmr_target=1e-4,
    thresholds=(1, 2, 3),
    bands=("possible", "probable", "strong"),
    retention_days=None,
    policy_version=1,
    state=GalleryState.OPEN,
    created_at=0.0,
)
CAN = Can(read=True, enrol=True, reveal=True, erase=True, rights=True, hold=True, verify=True)
OF_STAFF = ("access.html", "join.html", "sign-in.html", "takeover.html")
TEMPLATES = ("door.html", "home.html", "problem.html", "report.html", "who.html", *OF_STAFF)
SOURCES = {path.name: path.read_text() for path in sorted(Path(pages.__file__).with_name("templates").glob("*.html"))}


def page(name: str, galleries: tuple[Gallery, ...] = (GALLERY,)) -> str:
    values: dict[str, Any] = {
        "galleries": [(one, rates(one), CAN, True) for one in galleries],
        "me": "opr_somebody",
        "parts": pages.PARTS,
        "sign_at": "http://sign.example/sign",
        "ended": False,
        "problem": of_status(404),
        "anybody": True,
        "register_at": "http://sign.example/register",
        "roles": list(Role),
        "ways": ways(OWNER, {"/", "/identify"}),
        "here": "home",
        "mine": True,
        "address": "/",
        "needs": [],
        "path": None,
        "organisation": SimpleNamespace(needed=False),
        "known": False,
        "one_machine": True,
        "report": Year(2026, 1, 2, (OfPurpose(MARKUP, acts=Counter({"identify": 2})),)),
    }
    return bytes(templates_of.page(name, **values).body).decode()


def test_a_bands_rate_is_the_galleries_own() -> None:
    assert rates(GALLERY) == {"possible": 10_000, "probable": 100_000, "strong": 1_000_000}
    assert rates(replace(GALLERY, fmr_target=1e-5, bands=("probable", "strong"))) == {
        "probable": 100_000,
        "strong": 1_000_000,
    }


def test_names_and_purposes_are_text() -> None:
    shown = page("who.html")
    assert MARKUP not in shown
    assert "<b " not in shown
    assert shown.count("&lt;b onclick=") == 3


def test_without_a_gallery_the_page_says_how_to_make_one() -> None:
    shown = page("who.html", ())
    assert "moiety gallery create" in shown
    assert "moiety gallery create" not in page("who.html")
    assert len(re.findall(r"<(?:select|input|button)[^>]* disabled", shown)) == 4


@pytest.mark.parametrize("name", SOURCES)
def test_no_page_has_anything_inline_or_from_elsewhere(name: str) -> None:
    shown = re.sub(r"{#.*?#}|{{.*?}}|{%.*?%}", "", SOURCES[name], flags=re.DOTALL)
    assert not re.search(r"<script(?![^>]*\bsrc=)", shown)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", shown)
    assert all(place.startswith("/") for place in re.findall(r'(?:src|href)="([^"#]+)', shown))


def test_the_scripts_never_write_markup_and_ask_no_other_host() -> None:
    files = statics.load()
    assert {"console.css", "who.js", "mark.svg"} <= set(files)
    for name, (content, kind) in files.items():
        text = content.decode()
        if kind.startswith("text/javascript"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), (
                name
            )
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert "@import" not in text


def test_every_file_that_a_page_or_script_names_is_there() -> None:
    files = statics.load()
    texts = [*SOURCES.values()] + [content.decode() for content, _ in files.values()]
    named = {name for text in texts for name in re.findall(r"/static/([\w.]+)", text)}
    assert named
    assert named <= set(files)


def test_every_word_of_a_script_by_id_is_on_a_page() -> None:
    shown = "".join(SOURCES.values())
    scripts = " ".join(content.decode() for content, kind in statics.load().values() if "javascript" in kind)
    wanted = set(re.findall(r'(?:\bof|getElementById)\("([\w-]+)"\)', scripts))
    assert len(wanted) > 10
    # Most stand as id="…"; macros of pieces.html are given theirs.
    assert [one for one in wanted if f'id="{one}"' not in shown and f'("{one}"' not in shown] == []


def test_a_problem_is_a_page_with_its_status() -> None:
    request = Request({"type": "http", "path": "/nowhere", "headers": []})
    shown = pages.problem_page(request, of_status(404))
    assert shown.status_code == 404
    assert b"There is nothing at this address." in shown.body


def test_whoever_gives_a_reason_is_told_to_write_no_names() -> None:
    """A reason outlives the person's erasure; each field of a question, or of an act about a person, says so."""
    asking = {name: text for name, text in SOURCES.items() if 'name="reason"' in text}
    assert {"acting.html", "who.html", "verify.html"} <= set(asking)
    assert [name for name, text in asking.items() if "write no names" not in text] == []
