"""What a running part says of itself to commands on its own machine."""

from __future__ import annotations

import asyncio
import os
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import Refusal
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from moiety.cli.parts import Place
    from moiety.wire.links import Client

PING_SECONDS = 3.0


class Standing:
    """Answers the word `status`."""

    def __init__(self, at: Place) -> None:
        """Count the time from now."""
        self._at = at
        self._began = time.monotonic()
        self._lines = {role: at.client(role) for role in at.addresses if role is not at.role}

    async def status(self, _: dict[str, Any]) -> dict[str, Any]:
        """Give role, version, pid, uptime_s, and for each peer that this part asks whether it answers."""
        return {
            "role": self._at.role,
            "version": version("moiety"),
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._began, 1),
            "peers": dict(zip(self._lines, await asyncio.gather(*map(_look, self._lines.values())), strict=True)),
        }


async def _look(line: Client) -> dict[str, Any]:
    """Ask a peer whether it is there."""
    try:
        await line.call(Kind.PING, {}, (), PING_SECONDS)
    except Refusal as refusal:
        return {"answers": False, "why": str(refusal)}
    return {"answers": True}
