"""The kernel compiled by Numba: the same functions as `moiety.kernel.reference`, equal to it bit for bit.

Every function releases the GIL, so threads that each take a slice of the rows run side by side. Importing this package
compiles on a machine's first use (half a minute) and loads from Numba's cache afterwards (see `fast.jit`).
"""

from __future__ import annotations

from moiety.kernel.fast.planes import (
    below_threshold,
    final_share,
    first_carry,
    first_send,
    next_carry,
    next_send,
    slice_bits,
)
from moiety.kernel.fast.ring import ring_dot, ring_planes
from moiety.kernel.fast.steps import advance
from moiety.kernel.fast.streams import expand, mint_gamma, mint_gammas, split, split_many, stream, triple_words
from moiety.kernel.fast.turns import gaussians, quantise, rotation

__all__ = [
    "advance",
    "below_threshold",
    "expand",
    "final_share",
    "first_carry",
    "first_send",
    "gaussians",
    "mint_gamma",
    "mint_gammas",
    "next_carry",
    "next_send",
    "quantise",
    "ring_dot",
    "ring_planes",
    "rotation",
    "slice_bits",
    "split",
    "split_many",
    "stream",
    "triple_words",
]
