"""The mint and both vaults of a scratch installation as the processes that they are, for benchmarks of the vaults."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from moiety.cli.starting import listen
from moiety.foundation.errors import Unavailable
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from moiety.cli.installation import Installation

ROLES = (Role.MINT, Role.VAULT_B, Role.VAULT_A)
ASKS: dict[Role, tuple[Role, ...]] = {Role.MINT: (), Role.VAULT_B: (Role.MINT,), Role.VAULT_A: (Role.VAULT_B,)}
STOP_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds of a process so far."""

    user_s: float
    system_s: float

    @property
    def total_s(self) -> float:
        """Both."""
        return self.user_s + self.system_s


class Trio:
    """Three processes; `with Trio(...)` starts and stops them."""

    def __init__(self, made: Installation, instead: Mapping[Role, tuple[str, int]] | None = None) -> None:
        """Prepare; `instead` are addresses at which parts are looked for in place of their own: a relay's."""
        self._made = made
        self._instead = dict(instead or {})
        self._sockets: dict[Role, socket.socket] = {}
        self._processes: dict[Role, subprocess.Popen[str]] = {}
        self.started_s: dict[Role, float] = {}

    def addresses(self) -> dict[Role, tuple[str, int]]:
        """Say where each part listens."""
        return {role: listener.getsockname()[:2] for role, listener in self._sockets.items()}

    def open_doors(self) -> dict[Role, tuple[str, int]]:
        """Open the sockets, so that a relay can be put in front of one before the parts start."""
        for role in ROLES:
            self._sockets[role] = listen(("127.0.0.1", 0))
        return self.addresses()

    def look_for(self, role: Role, address: tuple[str, int]) -> None:
        """Let parts that start from now on look for `role` at another address."""
        self._instead[role] = address

    def __enter__(self) -> Self:
        """Start all three and wait until they serve.

        Raises:
            Unavailable: one did not start.

        """
        if not self._sockets:
            self.open_doors()
        try:
            for role in ROLES:
                self._spawn(role)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _spawn(self, role: Role) -> None:
        """Start one part and wait until it serves."""
        command = [sys.executable, "-m", "moiety.cli.part", role.value, "--data", str(self._made.data)]
        command += ["--fd", str(self._sockets[role].fileno())]
        for peer in ASKS[role]:
            host, port = self._instead.get(peer) or self._sockets[peer].getsockname()[:2]
            command += ["--peer", f"{peer.value}={host}:{port}"]
        log = os.open(self._made.logs / f"{role.value}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        begun = time.perf_counter()
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[self._sockets[role].fileno()],
                text=True,
            )
        finally:
            os.close(log)
        self._processes[role] = process
        out: IO[str] | None = process.stdout
        said = out.readline().strip() if out else ""
        if said != "ready":
            raise Unavailable(f"The part {role.value} did not start: {said.removeprefix('failed ')}")
        self.started_s[role] = time.perf_counter() - begun

    def __exit__(self, *_: object) -> None:
        """Stop all: ask, wait, then kill."""
        for process in self._processes.values():
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

    # ---- what the system says of them ----

    def used(self) -> dict[Role, Used]:
        """Read each part's CPU time (proc_pid_stat(5))."""
        found = {}
        for role, process in self._processes.items():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            found[role] = Used(int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)
        return found

    def resident_bytes(self) -> dict[Role, int]:
        """Read how much memory each part has (proc_pid_status(5), VmRSS)."""
        found = {}
        for role, process in self._processes.items():
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            found[role] = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))
        return found
