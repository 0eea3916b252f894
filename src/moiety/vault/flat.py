"""Files of slots of one size: where a half's rows, salts, commitments and sealed seeds lie, by generation."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.disk import DIRECT, direct_fits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.foundation.disk import Disk

BLANKED_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Flat:
    """One file of slots of `size` bytes."""

    disk: Disk
    path: Path
    size: int

    @property
    def slots(self) -> int:
        """How many whole slots the file has; 0 where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.stat().st_size // self.size
        return 0

    def write(self, slots: NDArray[np.int64], records: NDArray[Any]) -> None:
        """Write records [n, …] of `size` bytes each into their slots, neighbours together; lasts from `sync` on."""
        with self.disk.open(self.path) as file:
            for start, end in runs(slots):
                piece = np.ascontiguousarray(records[start:end]).reshape(-1).view(np.uint8)
                file.write(int(slots[start]) * self.size, piece.data)

    def read(self, slots: NDArray[np.int64], records: NDArray[Any]) -> NDArray[np.bool_]:
        """Fill contiguous records [n, …] of `size` bytes from their slots; says bool[n] where the file is too short.

        Raises:
            FileNotFoundError: there is no such file.

        """
        missing = np.zeros(len(slots), np.bool_)
        for start, end in runs(slots):
            piece = records[start:end].reshape(-1).view(np.uint8)
            got = _read(self.path, int(slots[start]) * self.size, piece.data)
            missing[start + got // self.size : end] = True
        return missing

    def blank(self, slots: NDArray[np.int64]) -> None:
        """Write zeros over slots of the file, durably; what is zeros already, or behind its end, is left as it is."""
        there = np.sort(slots[slots < self.slots])
        for start in range(0, len(there), BLANKED_AT_ONCE):
            part = there[start : start + BLANKED_AT_ONCE]
            content = np.zeros((len(part), self.size), np.uint8)
            self.read(part, content)
            part = part[content.any(axis=1)]
            if len(part):
                self.write(part, np.zeros((len(part), self.size), np.uint8))
                self.sync()

    def sync(self) -> None:
        """Make all that was written last."""
        with self.disk.open(self.path) as file:
            file.sync()

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self.disk.remove(self.path)


def runs(slots: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut a list of slots where neighbours in it are not neighbours in the file."""
    if len(slots):
        breaks = [0, *(np.flatnonzero(np.diff(slots) != 1) + 1).tolist(), len(slots)]
        yield from itertools.pairwise(breaks)


def _read(path: Path, at: int, into: memoryview) -> int:
    """Fill `into` from byte `at` on; returns how many bytes there were."""
    descriptor = os.open(path, os.O_RDONLY)
    if direct_fits(at, into):
        # Past the system's cache: fresh pages for it cost more than the disk does. Some file systems cannot.
        with contextlib.suppress(OSError):
            direct = os.open(path, os.O_RDONLY | DIRECT)
            os.close(descriptor)
            descriptor = direct
    try:
        done = 0
        while done < len(into) and (got := os.preadv(descriptor, [into[done:]], at + done)):
            done += got
        return done
    finally:
        os.close(descriptor)
