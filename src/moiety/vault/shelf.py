"""A gallery of one epoch in memory: row ids in their agreed order and the lanes that probes are multiplied with."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.ids import ROW_ID_BYTES
from moiety.vault.memory import reserve
from moiety.vault.register import cut

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

MOVED_AT_ONCE = 4096


class Shelf:
    """Anonymous memory; both vaults keep the same order, by `seq`, so positions mean the same rows.

    `lanes` u16[n, d] never move but in `remove` and in a `place` before the end: whoever reads them in a thread keeps
    those two away (the service's turns).
    """

    def __init__(self, epoch: int, ids: NDArray[np.uint8], seqs: NDArray[np.int64], lanes: NDArray[np.uint16]) -> None:
        """Take ids u8[n, 16] and seqs i64[n], ascending, and lanes u16[at least n, d] with room for more."""
        self.epoch = epoch
        self._count = len(seqs)
        self._ids = ids
        self._seqs = seqs
        self._lanes = lanes
        self._digest: bytes | None = None

    @classmethod
    def empty(cls, epoch: int, dim: int) -> Shelf:
        """Make a shelf without rows."""
        return cls(epoch, np.empty((0, ROW_ID_BYTES), np.uint8), np.empty(0, np.int64), np.empty((0, dim), np.uint16))

    def __len__(self) -> int:
        """Count the rows."""
        return self._count

    @property
    def ids(self) -> NDArray[np.uint8]:
        """The ids u8[n, 16] in order; a view."""
        return self._ids[: self._count]

    @property
    def row_ids(self) -> list[bytes]:
        """The ids in order, one by one: for few."""
        return cut(self.ids.tobytes())

    @property
    def seqs(self) -> NDArray[np.int64]:
        """The places i64[n], ascending; a view."""
        return self._seqs[: self._count]

    @property
    def lanes(self) -> NDArray[np.uint16]:
        """The lanes u16[n, d] in the same order; a view."""
        return self._lanes[: self._count]

    def order_digest(self) -> bytes:
        """SHA-256 over the ordered row ids."""
        if self._digest is None:
            self._digest = hashlib.sha256(self.ids.data).digest()
        return self._digest

    def place(self, ids: NDArray[np.uint8], seqs: NDArray[np.int64], lanes: NDArray[np.uint16]) -> None:
        """Put rows u8[k, 16] with ascending `seqs`, none of which is taken, at their places: mostly behind the last."""
        where = np.searchsorted(self.seqs, seqs)
        count, wanted = self._count, self._count + len(seqs)
        if wanted > len(self._lanes):
            grown = reserve(wanted, lanes.shape[1], spare=1.0)
            grown[:count] = self.lanes
            self._lanes = grown
        self._ids = _room(self._ids, count, wanted)
        self._seqs = _room(self._seqs, count, wanted)
        first = int(where[0]) if len(where) else count
        new = where + np.arange(len(seqs))
        old = np.arange(first, count)
        old += np.searchsorted(where, old, side="right")
        for array, fresh in ((self._ids, ids), (self._seqs, seqs), (self._lanes, lanes)):
            if len(old):
                array[old] = array[first:count].copy()
            array[new] = fresh
        self._count = wanted
        self._digest = None

    def remove(self, row_ids: Collection[bytes]) -> None:
        """Take rows out and close the gaps; what stood behind the last is blanked. Unknown ids change nothing."""
        gone = self.positions(row_ids)
        if not len(gone):
            return
        edges = [*gone.tolist(), self._count]
        into = edges[0]
        for gap, end in itertools.pairwise(edges):
            for start in range(gap + 1, end, MOVED_AT_ONCE):
                piece = slice(start, min(start + MOVED_AT_ONCE, end))
                length = piece.stop - piece.start
                for array in (self._ids, self._seqs, self._lanes):
                    array[into : into + length] = array[piece]
                into += length
        self._lanes[into : self._count] = 0
        self._count = into
        self._digest = None

    def positions(self, row_ids: Collection[bytes]) -> NDArray[np.int64]:
        """Find the positions of those of the rows that are here, ascending."""
        return positions_of(self.ids, row_ids)


def _room(array: NDArray[Any], count: int, wanted: int) -> NDArray[Any]:
    """Give an array with room for `wanted` items that keeps the first `count`."""
    if wanted <= len(array):
        return array
    grown = np.empty((max(wanted, 2 * count), *array.shape[1:]), array.dtype)
    grown[:count] = array[:count]
    return grown


def positions_of(ids: NDArray[np.uint8], row_ids: Collection[bytes]) -> NDArray[np.int64]:
    """Find where in ids u8[n, 16] those of the rows are that are there, ascending."""
    if not row_ids or not len(ids):
        return np.empty(0, np.int64)
    # Eight random bytes nearly always decide; the few that agree in them are compared whole.
    heads = np.ascontiguousarray(ids[:, :8]).view(np.uint64).reshape(-1)
    wanted = set(row_ids)
    firsts = np.unique(np.frombuffer(b"".join(row_id[:8] for row_id in wanted), np.uint64))
    at = np.searchsorted(firsts, heads)
    found = np.flatnonzero(firsts[np.minimum(at, len(firsts) - 1)] == heads)
    return np.array([i for i in found.tolist() if ids[i].tobytes() in wanted], np.int64)
