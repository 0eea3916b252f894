"""Anonymous memory for rows and pads: reserved once, given pages as it is first written, never a mapping of a file."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Room to grow without a copy: address space costs nothing until it is written.
SPARE = 0.5
ROWS_LEAST = 256


def reserve(rows: int, dim: int, *, spare: float = SPARE) -> NDArray[np.uint16]:
    """Reserve u16[at least rows, d] of zeros on a page boundary; pages that are never written take no memory.

    Raises:
        MemoryError: the machine does not have so much address space to promise.

    """
    wanted = max(ROWS_LEAST, rows + int(rows * spare))
    try:
        raw = mmap.mmap(-1, wanted * dim * 2)
    except OSError:
        raise MemoryError from None
    return np.frombuffer(raw, np.uint16).reshape(wanted, dim)
