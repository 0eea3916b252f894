"""What the witness answers over the wire: the vaults bury row ids here and ask for them when they are restored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moiety.wire.frames import Frame
    from moiety.witness.tombstones import Tombstones

GALLERY_CHARS_MAX = 64


class Witness:
    """Keeps tombstones for the vaults."""

    def __init__(self, tombstones: Tombstones) -> None:
        """Keep them in `tombstones`."""
        self._tombstones = tombstones

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map each kind of frame to what answers it."""
        return {Kind.BURY: self._bury, Kind.BURIED: self._buried}

    async def _bury(self, frame: Frame) -> Answer:
        """Keep the row ids of one buffer (16 bytes each) for `gallery`; answered when they are on disk."""
        raw = bytes(frame.buffers[0])
        row_ids = [raw[i : i + ROW_ID_BYTES] for i in range(0, len(raw), ROW_ID_BYTES)]
        await asyncio.to_thread(self._tombstones.bury, _gallery(frame), row_ids)
        return Answer({"buried": len(row_ids)})

    async def _buried(self, frame: Frame) -> Answer:
        """Give the row ids of `gallery` behind number `after`; `next` is the number to go on behind, or null."""
        after = int(frame.meta.get("after", 0))
        row_ids, following = await asyncio.to_thread(self._tombstones.buried, _gallery(frame), after)
        return Answer({"next": following}, [b"".join(row_ids)])


def _gallery(frame: Frame) -> str:
    """Read which gallery is meant."""
    gallery = str(frame.meta["gallery"])
    if not 0 < len(gallery) <= GALLERY_CHARS_MAX:
        raise BadInput("A gallery's id has 1 to 64 characters.")
    return gallery
