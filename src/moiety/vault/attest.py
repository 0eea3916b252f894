"""Attestation: A recomputes the commitment of every row, B holds it against its own; rows that differ leave both.

ATTEST    A tells which rows it has excluded, B does so too and tells its own: then both have the same out of search.
ATTESTED  the rows with places in (after, upto]: their ids and a digest over ids and commitments; where B's differ, A
          sends the commitments, and B says which rows are wrong, having excluded them itself.

Some thousand rows at a time, so that questions and changes go on; what changes meanwhile at one of them first differs
in ids, not in commitments, and is left to the next time. A row that only one has shows in the next question.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import OutOfStep
from moiety.vault.halves import COMMITMENT_BYTES
from moiety.vault.register import as_bytes, cut
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

    from moiety.vault.cabinet import Cabinet
    from moiety.vault.register import Rows
    from moiety.vault.rows import RowStore
    from moiety.vault.seeds import SeedStore
    from moiety.vault.shelf import Shelf
    from moiety.vault.turns import Changes, Turns
    from moiety.wire.frames import Frame
    from moiety.wire.links import Client

ROWS_PER_BLOCK = 4096
CALL_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Attested:
    """What an attestation found: how many rows were looked at, and which are excluded now that were not before."""

    rows: int
    excluded: list[bytes]


def digest_of(ids: NDArray[np.uint8], commitments: NDArray[np.uint8]) -> bytes:
    """SHA-256 over the rows of a block: their ids, then their commitments."""
    return hashlib.sha256(ids.tobytes() + commitments.tobytes()).digest()


def _block(shelf: Shelf, after: int, upto: int | None) -> tuple[Rows, NDArray[np.uint16]]:
    """Copy the rows with places in (after, upto], or the next block of them, and view their lanes."""
    first = int(np.searchsorted(shelf.seqs, after, side="right"))
    end = first + ROWS_PER_BLOCK if upto is None else int(np.searchsorted(shelf.seqs, upto, side="right"))
    which = slice(first, min(end, len(shelf)))
    return shelf.rows.part(np.arange(which.start, which.stop)), shelf.lanes[which]


class Attesting:
    """A's side."""

    def __init__(self, cabinet: Cabinet, rows: RowStore, peer: Client, turns: Turns, changes: Changes) -> None:
        """Ask B over `peer`."""
        self._cabinet = cabinet
        self._rows = rows
        self._peer = peer
        self._turns = turns
        self._changes = changes

    async def attest(self, gallery: str, *, files: bool) -> Attested:
        """Go through all rows with B; with `files` both read what lies on their disks again as well.

        Raises:
            PartDown: B is away.
            OutOfStep: B has another epoch in force.

        """
        gone = await self._same_out(gallery, [])
        seen, after = 0, -1
        while True:
            async with self._turns.shared(gallery):
                shelf = self._cabinet.shelf(gallery)
                block, lanes = _block(shelf, after, None)
                if not len(block):
                    break
                told, damaged = await asyncio.to_thread(self._told, gallery, block, lanes, files=files)
            seen, last = seen + len(block), int(block.seqs[-1])
            bad = as_bytes(block.ids[damaged])
            bad += await self._differing(gallery, (after, last), block, told, files=files)
            after = last
            if bad:
                gone += await self._same_out(gallery, bad)
        return Attested(seen, gone)

    async def align(self, gallery: str) -> list[bytes]:
        """Have the same rows out of search as B; returns those that A has excluded by it.

        Raises:
            PartDown: B is away.
            OutOfStep: B has another epoch in force.

        """
        return await self._same_out(gallery, [])

    def _told(
        self, gallery: str, block: Rows, lanes: NDArray[np.uint16], *, files: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Recompute the commitments u8[n, 32] of a block."""
        policy, of = self._cabinet.policy(gallery), self._cabinet.generation(gallery)
        fresh, damaged = self._rows.committed(policy, of, block, lanes, files=files)
        return np.frombuffer(b"".join(fresh), np.uint8).reshape(-1, COMMITMENT_BYTES), damaged

    async def _differing(
        self, gallery: str, between: tuple[int, int], block: Rows, told: NDArray[np.uint8], *, files: bool
    ) -> list[bytes]:
        """Let B compare a block; returns the rows that B found wrong and has excluded."""
        meta = self._about(gallery) | {"after": between[0], "upto": between[1], "files": files}
        reply = await self._peer.call(Kind.ATTESTED, meta, [digest_of(block.ids, told)], CALL_SECONDS)
        if reply.meta["same"]:
            return []
        reply = await self._peer.call(Kind.ATTESTED, meta, [block.ids.tobytes(), told.tobytes()], CALL_SECONDS)
        return cut(bytes(reply.buffers[0]))

    async def _same_out(self, gallery: str, damaged: list[bytes]) -> list[bytes]:
        """Exclude rows at both; returns those that A has excluded by it."""
        gone = await self._exclude(gallery, damaged)
        mine = self._cabinet.excluded(gallery)
        reply = await self._peer.call(Kind.ATTEST, self._about(gallery), [b"".join(mine)], CALL_SECONDS)
        return gone + await self._exclude(gallery, cut(bytes(reply.buffers[0])))

    async def _exclude(self, gallery: str, row_ids: list[bytes]) -> list[bytes]:
        if not row_ids:
            return []
        async with self._changes.one(gallery), self._turns.alone(gallery):
            return await asyncio.to_thread(self._cabinet.exclude, gallery, row_ids)

    def _about(self, gallery: str) -> dict[str, object]:
        of = self._cabinet.generation(gallery)
        return {"gallery": gallery, "epoch": of.epoch, "mark": of.mark.hex()}


class Comparing:
    """B's side."""

    def __init__(self, cabinet: Cabinet, seeds: SeedStore, turns: Turns, changes: Changes) -> None:
        """Compare with what `seeds` keeps."""
        self._cabinet = cabinet
        self._seeds = seeds
        self._turns = turns
        self._changes = changes

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """List what A may ask."""
        return {Kind.ATTEST: self._attest, Kind.ATTESTED: self._attested}

    def _gallery(self, frame: Frame) -> str:
        """Read about which gallery A asks.

        Raises:
            OutOfStep: A has another epoch in force.

        """
        gallery = str(frame.meta["gallery"])
        of = self._cabinet.generation(gallery)
        if (of.epoch, of.mark.hex()) != (frame.meta["epoch"], frame.meta["mark"]):
            raise OutOfStep
        return gallery

    async def _attest(self, frame: Frame) -> Answer:
        """Have the same rows out of search as A."""
        gallery = self._gallery(frame)
        await self._exclude(gallery, cut(bytes(frame.buffers[0])))
        return Answer({}, [b"".join(self._cabinet.excluded(gallery))])

    async def _exclude(self, gallery: str, row_ids: list[bytes]) -> None:
        if row_ids:
            async with self._changes.one(gallery), self._turns.alone(gallery):
                await asyncio.to_thread(self._cabinet.exclude, gallery, row_ids)

    async def _attested(self, frame: Frame) -> Answer:
        """Compare a block: first its digest, then, where that differs, row by row."""
        gallery = self._gallery(frame)
        async with self._turns.shared(gallery):
            kept, ids, damaged = await asyncio.to_thread(self._kept, gallery, frame)
        if len(frame.buffers) == 1:
            same = not damaged.any() and digest_of(ids, kept) == bytes(frame.buffers[0])
            return Answer({"same": same})
        theirs = dict(zip(cut(bytes(frame.buffers[0])), _commitments(bytes(frame.buffers[1])), strict=True))
        bad = [
            row_id
            for row_id, commitment, wrong in zip(as_bytes(ids), _commitments(kept.tobytes()), damaged, strict=True)
            if wrong or (row_id in theirs and theirs[row_id] != commitment)
        ]
        await self._exclude(gallery, bad)
        return Answer({"same": not bad}, [b"".join(bad)])

    def _kept(self, gallery: str, frame: Frame) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """Read the commitments of a block: u8[n, 32], ids u8[n, 16], and which rows B finds damaged by itself."""
        policy, of = self._cabinet.policy(gallery), self._cabinet.generation(gallery)
        rows, lanes = _block(self._cabinet.shelf(gallery), int(frame.meta["after"]), int(frame.meta["upto"]))
        damaged = np.zeros(len(rows), np.bool_)
        if frame.meta["files"]:
            damaged = self._seeds.differing(policy, of, rows, lanes)
        return self._seeds.commitments(of, rows), rows.ids, damaged


def _commitments(joined: bytes) -> list[bytes]:
    return [joined[at : at + COMMITMENT_BYTES] for at in range(0, len(joined), COMMITMENT_BYTES)]
