"""What a running part says of itself: to its peers that it is here and what time it is, to its own machine more."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moiety.archive.writing import remembered
from moiety.cli.backup.taking import Taking
from moiety.foundation.envelopes import pack
from moiety.foundation.errors import Refusal
from moiety.watch import lines
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer
from moiety.wire.local import NAME, LocalServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moiety.cli.places import Place
    from moiety.wire.frames import Frame

    Words = dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]

PING_SECONDS = 3.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
VAULTS = (Role.VAULT_A, Role.VAULT_B)


def machine_of(tenant: str) -> int:
    """Give a number for the kernel that this part runs on: the same for all parts of a tenant that share one.

    It changes with each start of the machine, and says nothing else about it.
    """
    try:
        known = _BOOT.read_bytes().strip()
    except OSError:
        known = uuid.getnode().to_bytes(8)  # no Linux: the network card's number
    return int.from_bytes(hashlib.sha256(pack("moiety/machine/1", tenant, known)).digest()[:6])


class Standing:
    """Answers pings, and the word `status`."""

    def __init__(self, at: Place, more: Callable[[], dict[str, Any]] = dict) -> None:
        """Count the time from now; `more` is what this part alone can tell."""
        self._at = at
        self._more = more
        self._began = time.monotonic()
        self._lines = {role: at.client(role) for role in at.addresses if role is not at.role}

    async def ping(self, frame: Frame) -> Answer:
        """Say that this part is here, and what time it is here (seconds since 1970)."""
        return Answer({"role": self._at.role, "echo": frame.id, "time": self._at.clock.now()})

    async def counts(self, _: Frame) -> Answer:
        """Say how much this part has done since it started, in counts and seconds; see `figures`."""
        return Answer(self.figures())

    def figures(self) -> dict[str, Any]:
        """Give what `Counts.told` gives, `lines` of the log, and at a vault `galleries`, `rows`, `excluded`.

        `backed_up_at` (0 if never) and vault A's `scrubbed_at` and `refreshed_at` are seconds since 1970; parts with
        the same `machine` run on one.
        """
        more = self._more()
        galleries = list(more.get("galleries", {}).values())
        rows = {
            "galleries": len(galleries),
            "rows": sum(one["rows"] for one in galleries),
            "excluded": sum(len(one["excluded"]) for one in galleries),
        }
        made = self._at.installation
        return {
            **self._at.counts.told(),
            "lines": lines.written(),
            "backed_up_at": remembered(made.folder(self._at.role)).get("at", 0),
            "machine": machine_of(made.tenant),
            **more.get("since", {}),
            **(rows if self._at.role in VAULTS else {}),
        }

    async def status(self, _: dict[str, Any]) -> dict[str, Any]:
        """Say how this part is.

        `peers` holds for each part that this one asks: `answers`; `why` it does not; `clock_off_s`, how far its clock
        is ahead of ours.
        """
        looks = await asyncio.gather(*map(self._look, self._lines))
        shown = self._at.identity.certificate()
        return {
            "role": self._at.role,
            "version": version("moiety"),
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._began, 1),
            "certificate_ends": shown.not_valid_after_utc.isoformat() if shown else None,
            "peers": dict(zip(self._lines, looks, strict=True)),
            "counts": self.figures(),
            **self._more(),
        }

    async def _look(self, role: Role) -> dict[str, Any]:
        """Ask a peer whether it is there, and for its time."""
        asked = self._at.clock.now()
        try:
            found = await self._lines[role].call(Kind.PING, {}, (), PING_SECONDS)
        except Refusal as refusal:
            return {"answers": False, "why": str(refusal)}
        # Its answer was written, as far as we can know, half-way between our question and now.
        half_way = (asked + self._at.clock.now()) / 2
        told = found.meta.get("time")
        off = round(told - half_way, 1) if isinstance(told, float) else None
        return {"answers": True, "clock_off_s": off}

    async def close(self) -> None:
        """End the lines that pings went over."""
        await asyncio.gather(*(line.close() for line in self._lines.values()))


def local_server(at: Place, standing: Standing, words: Words) -> LocalServer:
    """Make the local socket of a part; every part knows the words `status` and `backup`."""
    known: Words = {"status": standing.status, "backup": Taking(at).backup}
    return LocalServer(at.installation.folder(at.role) / NAME, known | words)
