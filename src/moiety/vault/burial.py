"""Tells the witness which rows and personal keys this vault has destroyed, so that no restore brings them back."""

from __future__ import annotations

import asyncio
import logging
from itertools import groupby
from typing import TYPE_CHECKING

from moiety.foundation.errors import Refusal
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from moiety.vault.journal import Journal
    from moiety.wire.links import Client

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A witness that was itself restored from a backup has to hear all of them again.
AGAIN_SECONDS = 3600.0
AT_ONCE = 4096
# A clock that is set back by less does not hide a tombstone; after a start all of them are told again.
MARGIN_SECONDS = 600.0


class Burial:
    """Carries tombstones from a vault's journal to the witness; telling one twice changes nothing."""

    def __init__(self, journal: Journal, witness: Client) -> None:
        """Read `journal`, tell `witness`."""
        self._journal = journal
        self._witness = witness
        self._told = 0
        self._until = float("-inf")

    async def run(self) -> None:
        """Tell whatever is new, again and again; while the witness is away it waits in the journal."""
        silent = False
        loop = asyncio.get_running_loop()
        again = loop.time() + AGAIN_SECONDS
        while True:
            if loop.time() > again:
                again = loop.time() + AGAIN_SECONDS
                self._told, self._until = 0, float("-inf")
            try:
                await self.tell()
                silent = False
            except Refusal as refusal:
                if not silent:
                    _log.warning("tombstones wait to be told to the witness: %(slug)s", {"slug": refusal.slug})
                silent = True
            await asyncio.sleep(LOOK_SECONDS)

    async def tell(self) -> int:
        """Tell what is new; returns how many tombstones that were, some of them told before.

        Raises:
            PartDown: the witness is away; nothing is lost.

        """
        count, latest, new = await asyncio.to_thread(self._new)
        for gallery, rows in groupby(new, key=lambda row: row[0]):
            ids = [row_id for _, row_id in rows]
            for start in range(0, len(ids), AT_ONCE):
                await self._witness.call(Kind.BURY, {"gallery": gallery}, [b"".join(ids[start : start + AT_ONCE])])
        # A crash before this tells them again after the start.
        self._told, self._until = count, max(self._until, latest)
        return len(new)

    def _new(self) -> tuple[int, float, list[tuple[str, bytes]]]:
        """Read how many there are, when the last came, and those that the witness may not know."""
        with self._journal.alone():
            ((count, latest),) = self._journal.read("SELECT count(*), max(at) FROM tombstone")
            if count == self._told:
                return count, self._until, []
            query = "SELECT gallery, row_id FROM tombstone WHERE at >= ? ORDER BY gallery, row_id"
            return count, latest, self._journal.read(query, (self._until - MARGIN_SECONDS,))
