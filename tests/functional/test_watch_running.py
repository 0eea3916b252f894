"""An installation that people use, and all that watches it: logs, figures and traces know none of them."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from moiety.drill import household
from moiety.drill.ground import Ground
from moiety.drill.scratch import scratch
from moiety.drill.watchers import Watchers
from moiety.watch import KEYS
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.cli.samples import Samples
    from moiety.drill.drill import Obtained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ALWAYS = {"time", "level", "logger", "event", "withheld"}


class Collector(ThreadingHTTPServer):
    """Takes what parts send of their traces."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[bytes] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        taken = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        assert isinstance(self.server, Collector)
        self.server.taken.append(taken)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Life:
    """What watched an installation in which everything was done."""

    def __init__(self, photos: Samples, weak: dict[Role, str], monkeypatch: pytest.MonkeyPatch) -> None:
        with collecting() as collector:
            monkeypatch.setenv("MOIETY_TRACES", collector.address)
            with scratch() as folder, Ground(folder, photos) as ground:
                with ground.weakened(weak):
                    self.obtained: Obtained = Watchers().attack(ground)
                    # At its end a part hands over the spans that it still has.
                    for role in Role:
                        ground.parts.end(role)
                self.logs = {path.stem: path.read_text().splitlines() for path in ground.made.logs.iterdir()}
            self.traces = collector.taken


@pytest.mark.parametrize("weak", [{}, {Role.GATE: "weak_gate:careless"}], ids=["sound", "careless"])
def test_req_42_what_watches_an_installation_knows_nobody(
    photos: Samples, weak: dict[Role, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(photos, weak, monkeypatch)
    assert life.obtained.count == 0, life.obtained.what
    # Every line of every log is one of ours, with keys that have a shape.
    assert set(life.logs) == set(Role)
    read = {part: [json.loads(line) for line in written] for part, written in life.logs.items()}
    assert {key for written in read.values() for line in written for key in line} <= ALWAYS | set(KEYS)
    reveals = [line for line in read["vault-b"] if "revealed" in line["event"]]
    assert {line["field_class"] for line in reveals} == {"label", "field"}
    routes = {line["route"] for line in read["gate"] if "route" in line}
    assert {"/v1/galleries/{gallery}/identify", "/v1/galleries/{gallery}/subjects"} <= routes
    withheld = sum(line.get("withheld", 0) for line in read["gate"])
    assert (withheld > 0) is bool(weak), "what was blurted out was counted"
    # The traces are there, of every part that answers, and know nobody either.
    together = b"".join(life.traces)
    assert household.find_words(life.traces, household.words()) == []
    for part in Role:
        assert f"moiety-{part}".encode() in together, part
    assert b"moiety.kind" in together
    assert b"/v1/galleries/{gallery}/identify" in together
    assert b"sub_" not in together
