"""Six machines with network stacks of their own (ip-netns(8)), joined by a switch; a cable that is pulled tells nobody.

It needs root and a kernel with network namespaces; `usable()` says whether they are there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Self

from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

NET = "10.213.7"
SWITCH = f"moiety-{os.getpid()}-switch"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def usable() -> bool:
    """Say whether namespaces and virtual cables can be made here."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    try:
        with Switch([Role.MINT]):
            return True
    except (subprocess.CalledProcessError, OSError):
        return False


class Switch:
    """A switch with a cable to each machine."""

    def __init__(self, roles: Sequence[Role]) -> None:
        """Plan one machine per role."""
        self._roles = list(roles)

    def __enter__(self) -> Self:
        """Lay the cables."""
        self._remove()
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Take everything away."""
        self._remove()

    def _make(self) -> None:
        _ip("netns", "add", SWITCH)
        _ip("-n", SWITCH, "link", "add", "bridge", "type", "bridge")
        _ip("-n", SWITCH, "link", "set", "bridge", "up")
        for role in self._roles:
            name = self.name(role)
            _ip("netns", "add", name)
            _ip("-n", name, "link", "add", "cable", "type", "veth", "peer", "name", role, "netns", SWITCH)
            _ip("-n", SWITCH, "link", "set", role, "master", "bridge", "up")
            _ip("-n", name, "addr", "add", f"{self.host(role)}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def _remove(self) -> None:
        for name in (*(self.name(role) for role in self._roles), SWITCH):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    @staticmethod
    def name(role: Role) -> str:
        """Name a machine."""
        return f"moiety-{os.getpid()}-{role}"

    @staticmethod
    def host(role: Role) -> str:
        """Give a machine's address."""
        return f"{NET}.{10 + list(Role).index(role)}"

    def on(self, role: Role) -> list[str]:
        """Say what stands before a command that runs on a machine."""
        return ["ip", "netns", "exec", self.name(role)]

    def pull(self, role: Role) -> None:
        """Pull a machine's cable out of the switch: what is sent is lost."""
        _ip("-n", SWITCH, "link", "set", role, "down")

    def plug(self, role: Role) -> None:
        """Put it back."""
        _ip("-n", SWITCH, "link", "set", role, "up")
