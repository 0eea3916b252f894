"""The ring product: rows times probes mod 2^16, exact.

A tile of four rows by four probes holds its sixteen sums in registers; LLVM makes each a vector of u16. Sixteen rows at
a time stay in the first-level cache while all probes pass. One probe alone is bound by memory, not by arithmetic.
"""

from __future__ import annotations

import numpy as np
from numba import types, uint16

from moiety.kernel.arrays import U16, given, target
from moiety.kernel.fast.jit import compiled, filled, inlined, taken

_TILE = 4
_ROWS = 16  # rows kept close while all probes pass


@inlined
def _one(row: U16, probe: U16) -> np.uint16:
    total = uint16(0)
    for k in range(len(row)):
        total = uint16(total + row[k] * probe[k])
    return total


@inlined
def _four(rows: U16, probe: U16, out: U16) -> None:
    a0 = a1 = a2 = a3 = uint16(0)
    for k in range(len(probe)):
        y = probe[k]
        a0 = uint16(a0 + rows[0, k] * y)
        a1 = uint16(a1 + rows[1, k] * y)
        a2 = uint16(a2 + rows[2, k] * y)
        a3 = uint16(a3 + rows[3, k] * y)
    out[0], out[1], out[2], out[3] = a0, a1, a2, a3


@inlined
def _sixteen(rows: U16, probes: U16, out: U16) -> None:
    """Fill out[4, 4] (probe by row)."""
    a00 = a01 = a02 = a03 = a10 = a11 = a12 = a13 = uint16(0)
    a20 = a21 = a22 = a23 = a30 = a31 = a32 = a33 = uint16(0)
    for k in range(probes.shape[1]):
        x0, x1, x2, x3 = rows[0, k], rows[1, k], rows[2, k], rows[3, k]
        y0, y1, y2, y3 = probes[0, k], probes[1, k], probes[2, k], probes[3, k]
        a00, a01, a02, a03 = uint16(a00 + x0 * y0), uint16(a01 + x0 * y1), uint16(a02 + x0 * y2), uint16(a03 + x0 * y3)
        a10, a11, a12, a13 = uint16(a10 + x1 * y0), uint16(a11 + x1 * y1), uint16(a12 + x1 * y2), uint16(a13 + x1 * y3)
        a20, a21, a22, a23 = uint16(a20 + x2 * y0), uint16(a21 + x2 * y1), uint16(a22 + x2 * y2), uint16(a23 + x2 * y3)
        a30, a31, a32, a33 = uint16(a30 + x3 * y0), uint16(a31 + x3 * y1), uint16(a32 + x3 * y2), uint16(a33 + x3 * y3)
    out[0, 0], out[0, 1], out[0, 2], out[0, 3] = a00, a10, a20, a30
    out[1, 0], out[1, 1], out[1, 2], out[1, 3] = a01, a11, a21, a31
    out[2, 0], out[2, 1], out[2, 2], out[2, 3] = a02, a12, a22, a32
    out[3, 0], out[3, 1], out[3, 2], out[3, 3] = a03, a13, a23, a33


@compiled(taken(types.uint16, 2), taken(types.uint16, 2), filled(types.uint16, 2))
def _ring_dot(rows: U16, probes: U16, out: U16) -> None:
    tiled_probes = len(probes) // _TILE * _TILE
    for low in range(0, len(rows), _ROWS):
        high = min(low + _ROWS, len(rows))
        tiled_rows = low + (high - low) // _TILE * _TILE
        for row in range(low, tiled_rows, _TILE):
            for probe in range(0, tiled_probes, _TILE):
                tile = out[probe : probe + _TILE, row : row + _TILE]
                _sixteen(rows[row : row + _TILE], probes[probe : probe + _TILE], tile)
            for probe in range(tiled_probes, len(probes)):
                _four(rows[row : row + _TILE], probes[probe], out[probe, row : row + _TILE])
        for row in range(tiled_rows, high):
            for probe in range(len(probes)):
                out[probe, row] = _one(rows[row], probes[probe])


def ring_dot(rows: U16, probes: U16, out: U16 | None = None) -> U16:
    """Return u16[q, n] = <rows u16[n, d], probes u16[q, d]> mod 2^16; twin of `reference.ring_dot`."""
    rows = given("rows", rows, np.uint16, (None, None))
    probes = given("probes", probes, np.uint16, (None, rows.shape[1]))
    out = target("out", out, np.uint16, (len(probes), len(rows)))
    _ring_dot(rows, probes, out)
    return out
