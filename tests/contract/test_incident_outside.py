"""What a stranger sees: nothing of a real site that runs; each hole of a site that has it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import httpx
import pytest

from api_in_process import Served
from moiety.access import Allowance
from moiety.api import Limits
from moiety.api.app import MODULES
from moiety.foundation.errors import BadInput, PartDown
from moiety.incidents.outside import GUESSES, MEDIA, Outside, _routes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from moiety.incidents.findings import Finding

PATIENT = Limits(failures=Allowance(per_minute=1_000_000, burst=10_000))
GUARDED = [one for module in MODULES for one in module.routes.guarded()]


def holes(found: list[Finding]) -> dict[str, str]:
    return {one.what: one.said for one in found if one.hole}


def test_a_real_site_shows_a_stranger_nothing(tmp_path: Path) -> None:
    with Served(tmp_path, PATIENT) as site:
        found = Outside(site.url).look(GUARDED, ())
    assert holes(found) == {}
    assert len(GUARDED) > 60
    assert {one.what for one in found} >= {"routes", "headers", "cookies", "files", "media", "names", "security.txt"}


class _Leaky(BaseHTTPRequestHandler):
    """A site with a hole of every kind."""

    server_version = "leaky/1.0"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("set-cookie", "session=1; Path=/")
        self.send_header("access-control-allow-origin", "*")
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Slow(_Leaky):
    """A site that first asks for patience, then answers each address with the status that it names."""

    asked: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        again = self.path in self.asked
        self.asked.add(self.path)
        self.send_response(int(self.path.rpartition("/")[2]) if again else 429)
        self.send_header("retry-after", "0")
        self.send_header("content-length", "0")
        self.end_headers()


@contextmanager
def leaky(kind: type[_Leaky] = _Leaky) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def routes(statuses: Iterable[int]) -> Finding:
    _Slow.asked.clear()
    with leaky(_Slow) as url, httpx.Client(base_url=url, trust_env=False) as http:
        return _routes(http, [("GET", f"/v1/{status}") for status in statuses])


@pytest.mark.parametrize("status", [404, 429, 500])
def test_only_a_refusal_for_want_of_a_key_counts_as_closed(status: int) -> None:
    assert not routes([401, 403]).hole
    found = routes([401, status])
    assert found.hole
    assert found.said.endswith(f"look again: GET /v1/{status}.")
    assert "Answered without" in routes([401, 200]).said
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    with httpx.Client(base_url=gone, trust_env=False) as http:
        assert _routes(http, [("GET", "/v1/any")]).hole


def test_each_hole_of_a_site_that_has_it_is_named_in_plain_words() -> None:
    with leaky() as url, socket.create_server(("127.0.0.1", 0)) as database:
        found = Outside(url).look(GUARDED, [database.getsockname()[1]])
    told = holes(found)
    assert set(told) == {"port", "headers", "cookies", "routes", "files", "media", "names", "security.txt"}
    assert "close it" in told["port"]
    assert told["files"].count(",") == len(GUESSES) - 1
    assert told["media"].count(",") == len(MEDIA) - 1
    assert "GET /v1/galleries" in told["routes"]
    words = " ".join(one.said for one in found if one.hole)
    for said in ("content security policy is missing", "The version of a program is told", "CORS", "httponly"):
        assert said in words


def test_what_is_no_site_is_said_to_be_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(PartDown):
        Outside(free).look((), ())
    for wrong in ("ftp://x", "http://", "https://x/path", "https://x?y"):
        with pytest.raises(BadInput):
            Outside(wrong)
    assert Outside("gate.example.org").url == "https://gate.example.org"


def test_without_tls_anywhere_but_at_home_is_a_hole() -> None:
    (far,) = Outside("http://gate.example.org")._plain()
    (home,) = Outside("http://localhost:8080")._plain()
    assert (far.hole, home.hole) == (True, False)
