"""What the witness answers over the wire: tombstones for the vaults, signatures under the ledger's checkpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import BadInput, Unavailable
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moiety.wire.frames import Frame
    from moiety.witness.cosigner import Cosigner
    from moiety.witness.tombstones import Tombstones

GALLERY_CHARS_MAX = 64


class Witness:
    """Keeps tombstones for the vaults, and watches that the gate's ledger only grows."""

    def __init__(self, tombstones: Tombstones, cosigner: Cosigner | None = None) -> None:
        """Keep them in `tombstones`; without `cosigner` no gate is known here."""
        self._tombstones = tombstones
        self._cosigner = cosigner

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map each kind of frame to what answers it."""
        return {Kind.BURY: self._bury, Kind.BURIED: self._buried, Kind.COSIGN: self._cosign}

    def words(self) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """Map each word of the witness's own machine to what answers it."""
        return {"admit-loss": self._admit_loss}

    def more(self) -> dict[str, Any]:
        """Say what `status` tells of the ledger."""
        return {"ledger": self._cosigner.standing()} if self._cosigner else {}

    def _known(self) -> Cosigner:
        if self._cosigner is None:
            raise Unavailable("This witness does not know the gate whose ledger it should watch.")
        return self._cosigner

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

    async def _cosign(self, frame: Frame) -> Answer:
        """Answer the body of an `add-checkpoint` (one buffer): its status, the last size, the signature lines."""
        told = await asyncio.to_thread(self._known().ask, bytes(frame.buffers[0]))
        return Answer({"status": told.status, "size": told.size}, [told.lines])

    async def _admit_loss(self, _: dict[str, Any]) -> dict[str, Any]:
        """Give the last checkpoint up."""
        given_up = await asyncio.to_thread(self._known().admit_loss)
        return {"size": given_up.size, "root": given_up.root.hex(), "cosigned_at": given_up.at}


def _gallery(frame: Frame) -> str:
    """Read which gallery is meant."""
    gallery = str(frame.meta["gallery"])
    if not 0 < len(gallery) <= GALLERY_CHARS_MAX:
        raise BadInput("A gallery's id has 1 to 64 characters.")
    return gallery
