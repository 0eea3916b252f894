"""Retention: whoever's time is over is erased without anybody asking."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from moiety.foundation.errors import Refusal
from moiety.matching.desk import Asker

if TYPE_CHECKING:
    from moiety.matching.desk import Desk
    from moiety.people.erase import Eraser
    from moiety.storage import Gallery, Subject

_log = logging.getLogger(__name__)

CLOCK = Asker("retention", "the gallery's retention period is over")


class Retention:
    """The clock that erases."""

    def __init__(self, desk: Desk, eraser: Eraser) -> None:
        """Look at `desk`, erase with `eraser`."""
        self._desk = desk
        self._eraser = eraser

    async def sweep(self) -> int:
        """Erase up to 100 subjects whose time is over; returns how many are erased.

        Where the policy wants people's signatures they go out of every answer now, and wait for those.
        """
        due = await asyncio.to_thread(self._due)
        erased = 0
        for gallery, subject in due:
            try:
                erased += await self._eraser.expire(gallery, subject.id, CLOCK)
            except Refusal as refusal:
                _log.warning("gate: an expired subject waits to be erased: %(slug)s", {"slug": refusal.slug})
        return erased

    def _due(self) -> list[tuple[Gallery, Subject]]:
        """Read who is due."""
        with self._desk.store.read() as tx:
            return [(tx.galleries.get(s.gallery_id), s) for s in tx.subjects.expired(self._desk.clock.now())]
