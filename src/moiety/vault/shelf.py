"""A gallery in memory: row ids in their agreed order and the lanes that probes are multiplied with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray


class Shelf:
    """Anonymous memory that grows by doubling; both vaults keep the same order, so positions mean the same rows."""

    def __init__(self, row_ids: Sequence[bytes], lanes: NDArray[np.uint16]) -> None:
        """Take `row_ids` and their lanes u16[n, d], in order."""
        self._ids = list(row_ids)
        self._lanes = lanes
        self._digest: bytes | None = None

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._ids)

    @property
    def row_ids(self) -> list[bytes]:
        """The ids in order; a copy."""
        return list(self._ids)

    @property
    def lanes(self) -> NDArray[np.uint16]:
        """The lanes u16[n, d] in the same order; a view."""
        return self._lanes[: len(self._ids)]

    def order_digest(self) -> bytes:
        """SHA-256 over the ordered row ids."""
        if self._digest is None:
            self._digest = hashlib.sha256(b"".join(self._ids)).digest()
        return self._digest

    def append(self, row_ids: Sequence[bytes], lanes: NDArray[np.uint16]) -> None:
        """Put rows behind the last."""
        count = len(self._ids)
        wanted = count + len(row_ids)
        if wanted > len(self._lanes):
            grown = np.zeros((max(wanted, 2 * count, 256), lanes.shape[1]), np.uint16)
            grown[:count] = self._lanes[:count]
            self._lanes = grown
        self._lanes[count:wanted] = lanes
        self._ids.extend(row_ids)
        self._digest = None

    def remove(self, row_ids: Collection[bytes]) -> None:
        """Take rows out and close the gaps; what stood behind the last is blanked."""
        gone = set(row_ids)
        keep = [i for i, row_id in enumerate(self._ids) if row_id not in gone]
        if len(keep) == len(self._ids):
            return
        first = next((i for i, k in enumerate(keep) if i != k), len(keep))
        # Only rows behind the first gap move; the copy is made before anything is overwritten.
        self._lanes[first : len(keep)] = self._lanes[keep[first:]]
        self._lanes[len(keep) :] = 0
        self._ids = [self._ids[i] for i in keep]
        self._digest = None
