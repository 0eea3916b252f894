"""Asking both vaults: probes from the eye, warrants, the two shares, and from bits to row ids."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.errors import ExchangeAborted, OutOfStep, Unverified
from moiety.foundation.ids import ROW_ID_BYTES, RowId
from moiety.kernel import positions, words_for
from moiety.matching.answers import SeenFace
from moiety.vault.shelf import positions_of
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from moiety.matching.desk import Desk
    from moiety.storage import Gallery
    from moiety.wire.links import Answer

WORD_BITS = 64


@dataclass(frozen=True, slots=True, repr=False)
class SealedProbe:
    """One face as the eye gives it: what people may see of it, and four sealed or signed buffers."""

    face: SeenFace
    statement: bytes
    signature: bytes
    to_a: bytes
    to_b: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Bits:
    """Which positions are at or above the threshold: one array i64[hits] per line, in the order asked."""

    request: str
    rows: int
    order: bytes
    lines: list[NDArray[np.int64]]


class Order:
    """The row ids of a gallery in the vaults' order, joined: of millions only those that are asked for are cut out."""

    def __init__(self, joined: bytes) -> None:
        """Take ids of 16 bytes each."""
        self.digest = hashlib.sha256(joined).digest()
        self._joined = joined

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._joined) // ROW_ID_BYTES

    def __getitem__(self, position: int) -> RowId:
        """Cut out the id at a position.

        Raises:
            IndexError: there is none.

        """
        if not 0 <= position < len(self):
            raise IndexError(position)
        return RowId(self._joined[position * ROW_ID_BYTES : (position + 1) * ROW_ID_BYTES])

    def positions(self, rows: Collection[RowId]) -> list[int]:
        """Find the positions of those of the rows that are there, ascending."""
        ids = np.frombuffer(self._joined, np.uint8).reshape(-1, ROW_ID_BYTES)
        return [int(position) for position in positions_of(ids, rows)]


def told(meta: dict[str, Any]) -> SeenFace:
    """Read what the eye tells of a face."""
    x, y, w, h = meta["box"]
    return SeenFace((x, y, w, h), meta["quality"], meta["liveness"])


class Asking:
    """The exchange with eye and vaults for one gallery at a time."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._orders: dict[str, Order] = {}

    def setting(self, gallery: Gallery) -> dict[str, Any]:
        """Tell the eye for which gallery it works."""
        return {
            "tenant": self._desk.tenant,
            "gallery": gallery.id,
            "rotation": gallery.rotation_id,
            "model": gallery.model_sha256,
            "epoch": self._desk.standing(gallery).epoch,
        }

    async def probes(self, gallery: Gallery, image: bytes, nonce: bytes = b"") -> list[SealedProbe]:
        """Let the eye make a sealed probe of every face, biggest first; statements' nonces are made of `nonce`.

        Raises:
            BadInput: the picture cannot be read.
            ModelMismatch: the gallery belongs to another model.

        """
        answer = await self._desk.links.eye.call(Kind.PROBE, self.setting(gallery), [nonce or os.urandom(32), image])
        raw = [bytes(buffer) for buffer in answer.buffers]
        return [SealedProbe(told(meta), *raw[4 * i : 4 * i + 4]) for i, meta in enumerate(answer.meta["faces"])]

    async def search(
        self,
        gallery: Gallery,
        probes: Sequence[SealedProbe],
        warrants: Sequence[bytes],
        *,
        blocks: Sequence[int] | None = None,
    ) -> Bits:
        """Ask both vaults about all rows, or about blocks of 64 positions, with a signed warrant for each probe.

        Raises:
            WarrantRefused: a vault does not accept the warrant or its budget is spent.
            PartDown, ExchangeAborted: no answer can be given now.

        """
        meta: dict[str, Any] = {"request": os.urandom(16).hex(), "gallery": gallery.id}
        if blocks is not None:
            meta["blocks"] = list(blocks)
        to_a: list[bytes] = []
        to_b: list[bytes] = []
        for probe, warrant in zip(probes, warrants, strict=True):
            to_a += [warrant, probe.statement, probe.signature, probe.to_a]
            to_b += [warrant, probe.statement, probe.signature, probe.to_b]
        answers = await self._desk.links.both(Kind.SEARCH, meta, to_a, to_b)
        rows = int(answers[0].meta["rows"])
        lines = len(probes)
        width = rows
        if blocks is not None:
            lines *= len(gallery.thresholds)
            width = sum(min(WORD_BITS, rows - block * WORD_BITS) for block in blocks)
        return Bits(meta["request"], rows, bytes.fromhex(answers[0].meta["order"]), _open(answers, lines, width))

    async def bands(self, gallery: Gallery, bits: Bits, picks: Sequence[tuple[int, list[int]]]) -> list[list[set[int]]]:
        """Ask about the higher thresholds at picked positions; gives per pick and threshold the positions that pass."""
        higher = len(gallery.thresholds) - 1
        meta = {"request": os.urandom(16).hex(), "parent": bits.request, "picks": list(picks)}
        answers = await self._desk.links.both(Kind.BANDS, meta, [], [])
        lines = _open(answers, len(picks) * higher, WORD_BITS)
        return [
            [{asked[i] for i in lines[pick * higher + step] if i < len(asked)} for step in range(higher)]
            for pick, (_, asked) in enumerate(picks)
        ]

    async def row_ids(self, gallery: Gallery, order: bytes | None = None) -> Order:
        """Give the row ids in the order whose digest is `order`, or in the order last seen.

        Raises:
            OutOfStep: the rows have changed since that order.

        """
        known = self._orders.get(gallery.id)
        if known and order in {None, known.digest}:
            return known
        answer = await self._desk.links.a.call(Kind.ROWS, {"gallery": gallery.id})
        found = self._orders[gallery.id] = Order(bytes(answer.buffers[0]))
        if order not in {None, found.digest}:
            raise OutOfStep
        return found

    def forget_order(self, gallery: Gallery) -> None:
        """Drop the order last seen, because the vaults have another."""
        self._orders.pop(gallery.id, None)


def _open(answers: tuple[Answer, Answer], lines: int, width: int) -> list[NDArray[np.int64]]:
    """Join both shares and read the hits of each line.

    Raises:
        ExchangeAborted: the answers do not fit each other.
        Unverified: a share has the wrong size.

    """
    if answers[0].meta != answers[1].meta:
        raise ExchangeAborted("The vaults answered about different rows.")
    shares = [np.frombuffer(answer.buffers[0], np.uint64) for answer in answers]
    words = words_for(width)
    if any(len(share) != lines * words for share in shares):
        raise Unverified("A vault's answer has the wrong size.")
    joined = shares[0] ^ shares[1]
    return [positions(joined[line * words : (line + 1) * words], width) for line in range(lines)]
