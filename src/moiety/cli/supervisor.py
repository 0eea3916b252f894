"""Runs all parts of an installation on one machine: six processes, started, watched, restarted, stopped together."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Self

from moiety.cli import signing_page
from moiety.cli.starting import listen, take_lock, turn_away
from moiety.foundation.errors import Unavailable
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from io import TextIOWrapper

    from moiety.cli.installation import Installation

# Whom each part asks; a part needs only these addresses.
ASKS: dict[Role, tuple[Role, ...]] = {
    Role.MINT: (),
    Role.EYE: (),
    Role.WITNESS: (),
    Role.VAULT_B: (Role.MINT, Role.WITNESS),
    Role.VAULT_A: (Role.VAULT_B, Role.WITNESS),
    Role.GATE: (Role.EYE, Role.VAULT_A, Role.VAULT_B, Role.MINT, Role.WITNESS),
}
START_SECONDS = 120.0
STOP_SECONDS = 10.0
RESTART_PAUSE_SECONDS = 1.0
WATCH_SECONDS = 0.2
DOOR_SECONDS = 0.1


class _FirstLine:
    """Reads what a part says first: `ready`, or why it failed."""

    def __init__(self, stdout: IO[str]) -> None:
        """Read in a thread of its own."""
        self._stdout = stdout
        self.said: str | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self.said = self._stdout.readline().strip()

    def wait(self) -> str:
        """Give the line, empty where none came in time."""
        self._reader.join(START_SECONDS)
        return self.said or ""


class Supervisor:
    """Holds the listening sockets, so that a restarted part is found where it was.

    Who asks a part while it is away is turned away at once; only the gate's callers, people, wait for its return.
    """

    def __init__(self, installation: Installation, host: str, port: int, say: Callable[[str], None]) -> None:
        """Prepare to serve HTTP at `host:port` (0: any free port); `say` gets one line per event."""
        self._installation = installation
        self._http = (host, port)
        self._say = say
        self._lock: TextIOWrapper | None = None
        self._sockets: dict[Role, socket.socket] = {}
        self._page: socket.socket | None = None
        self._processes: dict[Role, subprocess.Popen[str]] = {}
        self._words: dict[Role, _FirstLine] = {}
        self._known: set[Role] = set()
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """Where the gate listens."""
        port: int = self._sockets[Role.GATE].getsockname()[1]
        return port

    @property
    def page_port(self) -> int:
        """Where the witness's signing page listens."""
        assert self._page is not None  # noqa: S101 - it is opened with all others
        port: int = self._page.getsockname()[1]
        return port

    def addresses(self) -> dict[Role, tuple[str, int]]:
        """Say where each part listens."""
        return {role: listener.getsockname()[:2] for role, listener in self._sockets.items()}

    def process(self, role: Role) -> subprocess.Popen[str]:
        """Give a part's process, for those who look at it or kill it in a test."""
        return self._processes[role]

    def start(self) -> None:
        """Start all parts and wait until they are ready.

        Raises:
            BadInput: the installation runs already, or the port is taken.
            Unavailable: a part did not start; its own words are in the message.

        """
        self._installation.must_be_whole()
        self._take_lock()
        self._installation.introduce()
        self._open_doors()
        for role in Role:
            self._spawn(role)
        for role in Role:
            self._await_ready(role)

    def _open_doors(self) -> None:
        """Open every part's listening socket, and that of the signing page."""
        for role in Role:
            self._sockets[role] = self._listen(self._http if role is Role.GATE else ("127.0.0.1", 0))
        self._page = signing_page.door(self._http[1])

    def _take_lock(self) -> None:
        """Keep a second supervisor away."""
        self._lock = take_lock(self._installation.run)

    @staticmethod
    def _listen(address: tuple[str, int]) -> socket.socket:
        """Open a listening socket that children inherit."""
        return listen(address)

    def _command(self, role: Role) -> list[str]:
        """Give the command line of one part."""
        command = [sys.executable, "-m", "moiety.cli.part", role.value, "--data", str(self._installation.data)]
        command += ["--fd", str(self._sockets[role].fileno())]
        for peer in ASKS[role]:
            command += ["--peer", f"{peer.value}=127.0.0.1:{self._sockets[peer].getsockname()[1]}"]
        return command

    def _spawn(self, role: Role) -> None:
        """Start one part."""
        descriptors = [self._sockets[role].fileno()]
        command = self._command(role)
        if role is Role.WITNESS and self._page:
            descriptors.append(self._page.fileno())
            command += ["--page-fd", str(self._page.fileno())]
        env = os.environ | signing_page.environment(self.page_port, self.port)
        if role is not Role.GATE:
            # Only the gate may know how its tables are reached.
            env = {name: value for name, value in env.items() if name != "MOIETY_DATABASE"}
        log = os.open(self._installation.logs / f"{role.value}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=descriptors,
                text=True,
                env=env,
            )
            assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
            self._processes[role], self._words[role] = process, _FirstLine(process.stdout)
        finally:
            os.close(log)

    def _await_ready(self, role: Role) -> None:
        """Wait for a part's word that it serves."""
        said = self._words[role].wait()
        if said != "ready":
            self.stop()
            words = said.removeprefix("failed ") or f"see {role.value}.log in the logs folder"
            raise Unavailable(f"The part {role.value} did not start: {words}")
        if not self._known:
            threading.Thread(target=self._mind_doors, daemon=True).start()
        self._known.add(role)

    def _mind_doors(self) -> None:
        """Turn away who asks a part that served before and does not now."""
        while not self._stopping.wait(DOOR_SECONDS):
            for role in self._known - {Role.GATE}:
                if self._words[role].said != "ready" or self._processes[role].poll() is not None:
                    turn_away(self._sockets[role])

    def watch(self) -> None:
        """Restart parts that end by themselves, until `stop` is called."""
        while not self._stopping.wait(WATCH_SECONDS):
            for role in Role:
                if self._processes[role].poll() is not None and not self._stopping.is_set():
                    self._say(f"{role.value} ended; starting it again")
                    time.sleep(RESTART_PAUSE_SECONDS)
                    self._spawn(role)

    def ask_to_stop(self) -> None:
        """Let `watch` return; fit for a signal handler."""
        self._stopping.set()

    def restart(self, role: Role) -> None:
        """Start a part again that has ended, and wait until it serves."""
        self._processes[role].wait(STOP_SECONDS)
        self._spawn(role)
        self._await_ready(role)

    def stop(self) -> None:
        """Stop all parts: ask, wait, then kill."""
        self._stopping.set()
        for process in self._processes.values():
            with contextlib.suppress(BrokenPipeError):
                if process.stdin:
                    process.stdin.close()
        for process in self._processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for listener in (*self._sockets.values(), *([self._page] if self._page else [])):
            listener.close()
        if self._lock:
            self._lock.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()
