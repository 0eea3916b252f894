"""Runs all parts of an installation on one machine: six processes, started, watched, restarted, stopped together."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from moiety.foundation.errors import BadInput, Unavailable
from moiety.wire.kinds import Role

if TYPE_CHECKING:
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


class Supervisor:
    """Holds the listening sockets, so that a restarted part is found where it was."""

    def __init__(self, installation: Installation, host: str, port: int, say: Callable[[str], None]) -> None:
        """Prepare to serve HTTP at `host:port` (0: any free port); `say` gets one line per event."""
        self._installation = installation
        self._http = (host, port)
        self._say = say
        self._lock: TextIOWrapper | None = None
        self._sockets: dict[Role, socket.socket] = {}
        self._processes: dict[Role, subprocess.Popen[str]] = {}
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """Where the gate listens."""
        port: int = self._sockets[Role.GATE].getsockname()[1]
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
        self._take_lock()
        self._installation.introduce()
        for role in Role:
            self._sockets[role] = self._listen(self._http if role is Role.GATE else ("127.0.0.1", 0))
        for role in Role:
            self._spawn(role)
        for role in Role:
            self._await_ready(role)

    def _take_lock(self) -> None:
        """Keep a second supervisor away."""
        path = self._installation.run / "lock"
        self._lock = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput("This installation is running already.") from None

    @staticmethod
    def _listen(address: tuple[str, int]) -> socket.socket:
        """Open a listening socket that children inherit."""
        listener = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            raise BadInput(f"Port {address[1]} of {address[0]} is taken or may not be used; choose another.") from None
        listener.listen(256)
        return listener

    def _command(self, role: Role) -> list[str]:
        """Give the command line of one part."""
        command = [sys.executable, "-m", "moiety.cli.part", role.value, "--data", str(self._installation.data)]
        command += ["--fd", str(self._sockets[role].fileno())]
        for peer in ASKS[role]:
            command += ["--peer", f"{peer.value}=127.0.0.1:{self._sockets[peer].getsockname()[1]}"]
        return command

    def _spawn(self, role: Role) -> None:
        """Start one part."""
        descriptor = self._sockets[role].fileno()
        command = self._command(role)
        log = os.open(self._installation.logs / f"{role.value}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._processes[role] = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, pass_fds=[descriptor], text=True
            )
        finally:
            os.close(log)

    def _await_ready(self, role: Role) -> None:
        """Wait for a part's word that it serves."""
        process = self._processes[role]
        said: list[str] = []
        stdout = process.stdout
        assert stdout is not None  # noqa: S101 - it was opened as a pipe
        reader = threading.Thread(target=lambda: said.append(stdout.readline().strip()), daemon=True)
        reader.start()
        reader.join(START_SECONDS)
        if said != ["ready"]:
            words = said[0].removeprefix("failed ") if said and said[0] else f"see {role.value}.log in the logs folder"
            self.stop()
            raise Unavailable(f"The part {role.value} did not start: {words}")

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
        for listener in self._sockets.values():
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
