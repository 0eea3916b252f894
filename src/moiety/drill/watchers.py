"""Somebody has everything that watches an installation: logs at debug, figures, traces, what a crash leaves behind."""

from __future__ import annotations

import gzip
import signal
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from moiety.drill import household, matters
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.ground import END_SECONDS, environment
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from moiety.drill.ground import Ground

ABOUT = b"moiety-gate"


class Watchers(Drill):
    """Reads what is made for those who run the machines, and may see nobody."""

    name = "watchers"
    tried = (
        "took everybody's logs at debug, traces, the gate's figures and what it says of its parts, after a life of "
        "enrolling, releasing, searching, showing, erasing, deciding by two, writing of a breach, answering a report "
        "and failing, then had the gate crash and took what that left; looked for names, numbers, reasons, guardians, "
        "PINs, colleagues, all such texts, tokens and ids of people"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:careless_and_unsieved"}

    def __init__(self) -> None:
        """Begin without traces."""
        self.sent: list[bytes] = []

    def attack(self, ground: Ground) -> Obtained:
        """Let the installation do all it can do, crash it, then read what watches it; traces stay in `sent`."""
        self.sent = []
        with _collector(self.sent) as address:
            traced = find_spec("opentelemetry") is not None
            with environment({"MOIETY_TRACES": address if traced else ""}):
                _end_all(ground)
                home = household.move_in(ground)
                with ground.owner() as line:
                    people = line.ask("GET", f"galleries/{home.gallery}/subjects")["subjects"]
                with matters.worked(ground) as told, ground.owner() as line:
                    figures = line.http.get("/metrics").content
                    said = line.http.get("/v1/parts").content
                # What is not sent yet is sent at the end.
                _end_all(ground)
        left = _crashed(ground, told.incident)
        logs = [path.read_bytes() for path in ground.made.logs.iterdir()]
        ids = [str(one["id"]) for one in people]
        wanted = [*household.words(), *told.secrets, home.token, *ids]
        tally, places = Tally(), {"logs": logs, "figures": [figures], "words about parts": [said]}
        for where, contents in (places | {"traces": self.sent, "what a crash left": left}).items():
            found = household.find_words(contents, wanted)
            size = sum(map(len, contents))
            what = f"{len(found)} of {len(wanted)} secret words{matters.kinds(found)} and ids"
            tally.add(len(found), f"{what} in {size} bytes of {where}")
        # Who looks into an empty room finds nobody: the control's count is then no measure of the attack's.
        if not ids or b"moiety_part_answers_total" not in figures or not any(logs):
            tally.add(1, "there was nothing to look at")
        if traced and not any(ABOUT in one for one in self.sent):
            tally.add(1, "no trace came")
        return tally.obtained()


def _end_all(ground: Ground) -> None:
    """End every part; those that are asked for later start with the environment of then."""
    ground.arrange(gate_runs=False, down=tuple(Role))


def _crashed(ground: Ground, opened: str) -> list[bytes]:
    """Have the gate die as by an error inside a library, with what it `opened` in its memory.

    Gives all files that are new then, dumps of memory if any.

    Raises:
        Fault: it does not die.

    """
    with ground.owner() as line:
        line.ask("GET", opened)
    before = set(_files(ground))
    process = ground.process(Role.GATE)
    process.send_signal(signal.SIGABRT)
    if process.wait(END_SECONDS) != -signal.SIGABRT:
        raise Fault("The drill's gate does not crash; nothing would be proved.")
    return [path.read_bytes() for path in _files(ground) if path not in before]


def _files(ground: Ground) -> list[Path]:
    """List every file of the installation and beside it."""
    return [path for path in ground.folder.rglob("*") if path.is_file() and not path.is_symlink()]


@contextmanager
def _collector(sent: list[bytes]) -> Iterator[str]:
    """Be a collector of traces on this machine, which keeps what it is `sent`; gives its address."""

    class Taking(BaseHTTPRequestHandler):
        """Takes everything."""

        def do_POST(self) -> None:
            """Keep a body, unpacked."""
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            sent.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
