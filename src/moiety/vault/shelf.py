"""A gallery of one epoch in memory: row ids in their agreed order and the lanes that probes are multiplied with."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.vault.memory import reserve
from moiety.vault.register import NO_ROWS, Rows, cut

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

MOVED_AT_ONCE = 4096


class Shelf:
    """Anonymous memory; both vaults keep the same order, by `seq`, so positions mean the same rows.

    `lanes` u16[n, d] never move but in `remove` and in a `place` before the end: whoever reads them in a thread keeps
    those two away (the service's turns).
    """

    def __init__(self, epoch: int, rows: Rows, lanes: NDArray[np.uint16]) -> None:
        """Take rows in ascending order of `seq`, and their lanes u16[at least n, d] with room for more."""
        self.epoch = epoch
        self._count = len(rows)
        self._ids = rows.ids
        self._slots = rows.slots
        self._seqs = rows.seqs
        self._lanes = lanes
        self._digest: bytes | None = None

    @classmethod
    def empty(cls, epoch: int, dim: int) -> Shelf:
        """Make a shelf without rows."""
        return cls(epoch, NO_ROWS, np.empty((0, dim), np.uint16))

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
    def rows(self) -> Rows:
        """The ids, slots and places in order; views."""
        return Rows(self._ids[: self._count], self._slots[: self._count], self._seqs[: self._count])

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

    def place(self, rows: Rows, lanes: NDArray[np.uint16]) -> None:
        """Put rows with ascending places, none of which is taken, where they belong: mostly behind the last."""
        where = np.searchsorted(self.seqs, rows.seqs)
        count, wanted = self._count, self._count + len(rows)
        if wanted > len(self._lanes):
            grown = reserve(wanted, lanes.shape[1], spare=1.0)
            grown[:count] = self.lanes
            self._lanes = grown
        self._ids = _room(self._ids, count, wanted)
        self._slots = _room(self._slots, count, wanted)
        self._seqs = _room(self._seqs, count, wanted)
        first = int(where[0]) if len(where) else count
        new = where + np.arange(len(rows))
        old = np.arange(first, count)
        old += np.searchsorted(where, old, side="right")
        columns = (self._ids, rows.ids), (self._slots, rows.slots), (self._seqs, rows.seqs), (self._lanes, lanes)
        for array, fresh in columns:
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
                for array in (self._ids, self._slots, self._seqs, self._lanes):
                    array[into : into + length] = array[piece]
                into += length
        self._lanes[into : self._count] = 0
        self._count = into
        self._digest = None

    def positions(self, row_ids: Collection[bytes]) -> NDArray[np.int64]:
        """Find the positions of those of the rows that are here, ascending."""
        return positions_of(self.ids, row_ids)


def arranged(epoch: int, rows: Rows, lanes: NDArray[np.uint16], as_now: Rows) -> Shelf:
    """Make a shelf of the rows `as_now` from lanes u16[at least n, d] of `rows`, which has them all, in any order."""
    count = len(as_now)
    if count <= len(rows) and np.array_equal(rows.ids[:count], as_now.ids):
        return Shelf(epoch, as_now.copy(), lanes)
    # Some rows were committed meanwhile: mostly behind the others, in another order than they were prepared in.
    names, wanted = _names(rows.ids), _names(as_now.ids)
    order = np.argsort(names)
    index = order[np.searchsorted(names, wanted, sorter=order)]
    same = int(np.argmax(np.append(index != np.arange(count), True)))
    lanes[same:count] = lanes[index[same:]]
    return Shelf(epoch, as_now.copy(), lanes)


def _names(ids: NDArray[np.uint8]) -> NDArray[Any]:
    """View ids u8[n, 16] as n strings of 16 bytes, which can be sorted."""
    return np.ascontiguousarray(ids).view("S16").reshape(-1)


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
