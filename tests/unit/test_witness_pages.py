"""The witness's pages: few files, strict headers, nothing inline or from elsewhere, settings as text."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import pytest

from moiety.access.kinds import KINDS
from moiety.foundation.errors import BadInput
from moiety.witness.pages import HEADERS, Pages, Site

SITE = Site("https://sign.example.org", ("https://gate.example.org", "http://localhost:8080"))
PAGES = ("/", "/register", "/release", "/sign")


async def get(pages: Pages, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        raise AssertionError("a page reads no body")

    await pages({"type": "http", "path": path, "method": method}, receive, send)
    start, body = said
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, body["body"]


async def test_every_answer_has_the_strict_headers() -> None:
    pages = Pages(SITE)
    for path in (*pages.paths(), "/missing", "/static/../service.py"):
        status, headers, body = await get(pages, path)
        assert status == (200 if path in pages.paths() else 404)
        assert HEADERS.items() <= headers.items()
        assert int(headers["content-length"]) == len(body)
    assert "'unsafe" not in HEADERS["content-security-policy"]
    assert "connect-src" not in HEADERS["content-security-policy"]
    assert HEADERS["content-security-policy"].startswith("default-src 'none'")


async def test_only_looking_is_answered() -> None:
    pages = Pages(SITE)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, body = await get(pages, "/sign", method)
        assert (status, headers["allow"], body) == (405, "GET, HEAD", b"")
    status, headers, body = await get(pages, "/sign", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 1000


async def test_a_page_knows_its_own_address_and_the_gates() -> None:
    for path in PAGES:
        content = (await get(Pages(SITE), path))[2].decode()
        assert '<meta name="moiety-rp" content="sign.example.org">' in content
        assert '<meta name="moiety-origin" content="https://sign.example.org">' in content
        assert 'content="https://gate.example.org http://localhost:8080"' in content
        assert not re.search(r"<script(?![^>]*\bsrc=)", content)
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", content)
        assert all(place.startswith("/") for place in re.findall(r'(?:src|href)="([^"#]+)', content))
        assert len(re.findall(r"<h1", content)) >= 1


async def test_every_file_that_a_page_or_script_names_is_there() -> None:
    pages = Pages(SITE)
    named = set()
    for path in pages.paths():
        named |= set(re.findall(r"/static/[\w.]+", (await get(pages, path))[2].decode()))
    assert named == {path for path in pages.paths() if path.startswith("/static/")}


def test_the_page_has_words_for_every_act_of_two_people() -> None:
    script = resources.files("moiety.witness").joinpath("static/staff.js").read_text()
    block = re.search(r"^const KINDS = \{$(.*?)^\};$", script, re.MULTILINE | re.DOTALL)
    assert block is not None
    assert set(re.findall(r'^  "?([\w-]+)"?: [\[(]', block[1], re.MULTILINE)) == set(KINDS)


def test_the_scripts_write_no_markup_and_ask_nobody() -> None:
    for file in resources.files("moiety.witness").joinpath("static").iterdir():
        words = file.read_text()
        if file.name.endswith(".js"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", words)
            assert not re.search(
                r"\bfetch\(|XMLHttpRequest|sendBeacon|WebSocket|EventSource|localStorage|indexedDB", words
            )
            assert not re.search(r"postMessage\([^)]*['\"]\*['\"]", words)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|localhost on)", words), file.name
        assert "@import" not in words


@pytest.mark.parametrize(
    ("origin", "gates"),
    [
        ("sign.example.org", ()),
        ("https://sign.example.org/sign", ()),
        ("https://sign.example.org", ("gate.example.org",)),
        ("https://sign.example.org", ('https://gate.example.org"><script>',)),
        ("https://SIGN.example.org", ()),
        ("", ()),
    ],
)
def test_what_is_no_origin_is_refused(origin: str, gates: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="must be"):
        Pages(Site(origin, gates))


@pytest.mark.parametrize(
    ("origin", "rp_id"),
    [("http://localhost:8081", "localhost"), ("https://sign.example.org:8443", "sign.example.org")],
)
def test_passkeys_are_bound_to_the_host(origin: str, rp_id: str) -> None:
    assert Site(origin).rp_id == rp_id
