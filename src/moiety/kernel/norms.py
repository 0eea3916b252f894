"""The norm rule of the ring: no score may wrap round 2^16, whoever sends the vectors.

Templates and probes are int8. With lengths of at most 127 and a threshold of at most 127^2 every `score - threshold`
stays inside -32,768 .. 32,767. Longer vectors would let an opposite face wrap round and be accepted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moiety.kernel.arrays import I8, given
from moiety.kernel.errors import NormRule

NORM_MIN = 120
NORM_MAX = 127
SCORE_MAX = NORM_MAX * NORM_MAX
RING_MAX = 32_767


def norm_sq(vectors: I8) -> npt.NDArray[np.int64]:
    """Return the exact squared length of i8[d] (a 0-d array) or of each row of i8[n, d], as int64."""
    wide = given("vectors", vectors, np.int8, (None,) * vectors.ndim).astype(np.int64)
    return np.asarray(np.einsum("...i,...i->...", wide, wide))


def check_template(template: I8) -> None:
    """Raise `NormRule` unless i8[d], or every row of i8[n, d], has length <= 127."""
    if (norm_sq(template) > SCORE_MAX).any():
        raise NormRule("a template is longer than 127")


def check_probe(probe: I8) -> None:
    """Raise `NormRule` unless i8[d], or every row of i8[q, d], has 120 <= length <= 127."""
    squares = norm_sq(probe)
    if (squares > SCORE_MAX).any() or (squares < NORM_MIN * NORM_MIN).any():
        raise NormRule("a probe's length is outside 120 .. 127")


def check_threshold(threshold: int) -> None:
    """Raise `NormRule` unless 0 <= threshold <= 16,129 (= 127^2)."""
    if not 0 <= threshold <= SCORE_MAX:
        raise NormRule("a threshold is outside 0 .. 16,129")


def check_headroom(template_norm_sq: int, probe_norm_sq: int, threshold: int) -> None:
    """Raise `NormRule` unless |template| * |probe| + threshold <= 32,767; exact, from squared lengths."""
    room = RING_MAX - threshold
    if threshold < 0 or room < 0 or template_norm_sq * probe_norm_sq > room * room:
        raise NormRule("lengths and threshold together would wrap round the ring")


def to_ring(vectors: I8) -> npt.NDArray[np.uint16]:
    """Return int8 values as members of the ring: u16 of the same shape, -1 becoming 65,535."""
    signed: I8 = given("vectors", vectors, np.int8, (None,) * vectors.ndim)
    return signed.astype(np.int16).view(np.uint16)
