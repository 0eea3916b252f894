"""Running the real thing in tests: an installation of six processes in a folder, its commands, its gate over HTTP.

with Site(folder) as site:
    site.cli("gallery", "create", "staff", "--purpose", "a test")
    site.kill(Role.VAULT_B)
    site.restart(Role.VAULT_B)
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from moiety.cli import gate, installation, places
from moiety.cli.samples import obtain
from moiety.cli.supervisor import START_SECONDS, Supervisor
from moiety.foundation import settings
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moiety.cli.places import Place
    from moiety.cli.samples import Samples
    from moiety.people.house import House

MOIETY = str(Path(sys.executable).parent / "moiety")
OTHERS = (Role.EYE, Role.VAULT_A, Role.VAULT_B, Role.MINT, Role.WITNESS)
REASON = {"reason": "a test of moiety"}


def samples() -> Samples:
    """Give the free photos that are always there."""
    return obtain(settings.folder("MOIETY_MODELS"), lambda _: None)


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said: its exit code, both streams, and the last line of standard output as JSON."""

    code: int
    out: str
    words: str

    @property
    def json(self) -> dict[str, Any]:
        """Read the last line."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found

    @property
    def problem(self) -> str:
        """Read the code of an error."""
        return str(self.json["error"]["code"])


def command(*words: str | Path, env: dict[str, str] | None = None, seconds: float = 120.0) -> Said:
    """Run `moiety …` to its end."""
    done = subprocess.run(
        [MOIETY, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, **(env or {})},
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Parts(Supervisor):
    """A supervisor that can leave parts out: a test may play the gate itself."""

    roles: tuple[Role, ...] = tuple(Role)

    def start(self) -> None:
        """Start the chosen parts; all of them have an address."""
        self._take_lock()
        self._installation.introduce()
        self._open_doors()
        for role in self.roles:
            self._spawn(role)
        for role in self.roles:
            self._await_ready(role)

    def address(self, role: Role) -> tuple[str, int]:
        """Say where a part listens."""
        host, port = self._sockets[role].getsockname()[:2]
        return str(host), int(port)

    def processes(self) -> dict[Role, subprocess.Popen[str]]:
        """Give the processes that were started."""
        return self._processes

    def respawn(self, role: Role) -> None:
        """Start a part that was left out or has ended."""
        self._spawn(role)

    def await_ready(self, role: Role) -> None:
        """Wait until a part serves."""
        self._await_ready(role)


@dataclass
class Site:
    """One installation in `data`; parts that die stay dead until the test restarts them."""

    data: Path
    roles: tuple[Role, ...] = tuple(Role)
    made: installation.Installation = field(init=False)
    parts: Parts = field(init=False)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start the chosen parts on the folder; a new one where there is none."""
        self.made = installation.create(self.data)
        self.parts = Parts(self.made, "127.0.0.1", 0, lambda _: None)
        self.parts.roles = self.roles
        self.parts.start()

    def stop(self) -> None:
        """Stop all parts as an operator would."""
        for role in self.parts.processes():
            self.thaw(role)
        self.parts.stop()

    def pid(self, role: Role) -> int:
        """Give a part's process id."""
        return self.parts.process(role).pid

    def kill(self, role: Role) -> None:
        """End a part as a power cut would."""
        process = self.parts.process(role)
        process.kill()
        process.wait(10)

    def restart(self, role: Role) -> None:
        """Start a part again that has ended."""
        self.parts.restart(role)

    def restart_all(self, roles: Iterable[Role]) -> None:
        """Start several parts again, at the same time."""
        for role in roles:
            self.parts.respawn(role)
        for role in roles:
            self.parts.await_ready(role)

    def alive(self, role: Role) -> bool:
        """Whether a part runs."""
        return self.parts.process(role).poll() is None

    def freeze(self, role: Role) -> None:
        """Stop a part where it stands."""
        os.kill(self.pid(role), signal.SIGSTOP)

    def thaw(self, role: Role) -> None:
        """Let a frozen part go on."""
        if self.alive(role):
            os.kill(self.pid(role), signal.SIGCONT)

    # ---- asking ----

    def cli(self, *words: str | Path, code: int = 0, env: dict[str, str] | None = None) -> Said:
        """Run a command on this installation with --json and check its exit code."""
        said = command(*words, "--data", self.data, "--json", env=env)
        assert said.code == code, f"{words}: exit {said.code}\n{said.out}\n{said.words}"
        return said

    @property
    def url(self) -> str:
        """Where the gate listens."""
        return f"http://127.0.0.1:{self.parts.port}"

    def owner(self) -> httpx.Client:
        """Open a line to the gate as the owner of the folder."""
        told = json.loads((self.made.run / "gate.json").read_bytes())
        return self.caller(f"run_{told['token']}")

    def caller(self, token: str | None = None) -> httpx.Client:
        """Open a line to the gate with an API key, or with nothing."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=f"{self.url}/v1/", headers=headers, timeout=90, trust_env=False)

    # ---- playing the gate ----

    def place(self, role: Role) -> Place:
        """Take a role's keys and everybody's addresses."""
        return places.place(self.made, role, {one: self.parts.address(one) for one in Role})

    def house(self) -> House:
        """Be the gate: its services in this process, over real links; only where the real gate was left out."""
        return gate.house(self.place(Role.GATE))

    # ---- looking at disks ----

    def files(self) -> list[Path]:
        """List every file of the installation, its keys and logs among them."""
        return sorted(path for path in self.data.rglob("*") if path.is_file() and not path.is_symlink())

    def read(self, role: Role, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read a role's database past the process that owns it."""
        name = "gate.sqlite" if role is Role.GATE else "journal.sqlite"
        with sqlite3.connect(f"file:{self.made.folder(role) / name}?mode=ro", uri=True, timeout=10) as db:
            found = db.execute(query, values).fetchall()
        db.close()
        return found

    def read_file(self, role: Role, name: str, query: str) -> list[tuple[Any, ...]]:
        """Read a database of a role by its name."""
        with sqlite3.connect(f"file:{self.made.folder(role) / name}?mode=ro", uri=True, timeout=10) as db:
            found = db.execute(query).fetchall()
        db.close()
        return found

    def holding(self) -> Holding:
        """Read what A, B and the gate hold of people."""
        rows = {
            role: self.read(role, "SELECT row_id, state, seq FROM row ORDER BY seq, row_id")
            for role in (Role.VAULT_A, Role.VAULT_B)
        }
        return Holding(
            a=[tuple(row) for row in rows[Role.VAULT_A]],
            b=[tuple(row) for row in rows[Role.VAULT_B]],
            keys=self.read(Role.VAULT_B, "SELECT handle, state FROM person ORDER BY handle"),
            gate=self.read(Role.GATE, "SELECT row_id, state, seq FROM template ORDER BY seq, row_id"),
            subjects=self.read(Role.GATE, "SELECT id, state FROM subject ORDER BY id"),
            fields=self.read(Role.GATE, "SELECT subject_id, name FROM subject_field ORDER BY subject_id, name"),
            intents=self.read(Role.GATE, "SELECT id, kind, state FROM intent"),
        )


@dataclass(frozen=True)
class Holding:
    """What stands in the three databases about people: rows (id, state, seq), keys, subjects, fields, open intents."""

    a: list[tuple[Any, ...]]
    b: list[tuple[Any, ...]]
    keys: list[tuple[Any, ...]]
    gate: list[tuple[Any, ...]]
    subjects: list[tuple[Any, ...]]
    fields: list[tuple[Any, ...]]
    intents: list[tuple[Any, ...]]

    @property
    def people(self) -> int:
        """Count the subjects."""
        return len(self.subjects)

    def check_whole(self) -> None:
        """Check that nothing is half there: A, B and the gate hold the same rows in the same order, and no more keys.

        Every subject in these tests has a sealed reference, so each has exactly one personal key.
        """
        assert not self.intents, self
        assert {state for _, state, _ in self.a + self.b} <= {"live"}, self
        assert {state for _, state, _ in self.gate} <= {"active"}, self
        assert {state for _, state in self.subjects} <= {"active"}, self
        assert {state for _, state in self.keys} <= {"live"}, self
        assert self.a == self.b, self
        assert [(row, seq) for row, _, seq in self.a] == [(row, seq) for row, _, seq in self.gate], self
        assert len(self.keys) == len(self.subjects), self
        assert {subject for subject, _ in self.fields} == {subject for subject, _ in self.subjects}, self


def upload(path: Path | bytes, name: str = "image") -> dict[str, tuple[str, bytes]]:
    """Make the files of a form from a picture."""
    return {name: ("picture", path if isinstance(path, bytes) else path.read_bytes())}


def eventually(what: str, seconds: float = START_SECONDS) -> Iterator[None]:
    """Go round a loop until its body breaks out; fail after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)
    raise AssertionError(f"it did not come about: {what}")


def free_port() -> int:
    """Find a port that is free at this moment, and that the system does not give to outgoing connections by itself."""
    while True:
        port = secrets.choice(range(15_000, 32_000))
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
