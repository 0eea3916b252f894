"""The ring product: rows times probes mod 2^16, exact; as numbers, or at once as bit-planes.

With several probes a block of rows stays in the first-level cache while all probes pass, tile by tile. With one probe
the rows stream through once and memory is the bound. Planes are made block by block, so that no score is ever written
to memory.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numba import types, uint16

from moiety.kernel.arrays import U16, U64, given, target, words_for
from moiety.kernel.fast.jit import HAS_DOTS, compiled, filled, inlined, taken
from moiety.kernel.fast.planes import cut_block
from moiety.kernel.fast.tiles import ALONE, TALL, WIDE, WIDTH, tile_of_many, tile_of_one

_ROWS = 32  # rows kept close while all probes pass
_BLOCK = 64  # rows whose scores make a word of bits
_FEW = 3  # probes up to which tiles are faster: half-empty groups cost as much as full ones
_dots: Any = importlib.import_module("moiety.kernel.fast.dots") if HAS_DOTS else None


@inlined
def _each(rows: U16, probes: U16, row: int, row_end: int, probe: int, probe_end: int, out: U16) -> None:
    """Fill a part of the product one number at a time: the edges of the tiles, and any d that no tile divides."""
    for p in range(probe, probe_end):
        for r in range(row, row_end):
            total = uint16(0)
            for k in range(rows.shape[1]):
                total = uint16(total + rows[r, k] * probes[p, k])
            out[p, r] = total


@inlined
def _single(rows: U16, probes: U16, low: int, high: int, probe: int, out: U16) -> None:
    """Fill out[probe, low:high]."""
    end = low + (high - low) // ALONE * ALONE
    for row in range(low, end, ALONE):
        tile_of_one(rows, row, probes, probe, out)
    _each(rows, probes, end, high, probe, probe + 1, out)


@inlined
def _tiled(rows: U16, probes: U16, out: U16) -> None:
    wide_end = len(probes) // WIDE * WIDE
    for low in range(0, len(rows), _ROWS):
        high = min(low + _ROWS, len(rows))
        tall_end = low + (high - low) // TALL * TALL
        for probe in range(0, wide_end, WIDE):
            for row in range(low, tall_end, TALL):
                tile_of_many(rows, row, probes, probe, out)
        _each(rows, probes, tall_end, high, 0, wide_end, out)
        for probe in range(wide_end, len(probes)):
            _single(rows, probes, low, high, probe, out)


@inlined
def _fill(rows: U16, probes: U16, out: U16) -> None:
    if rows.shape[1] % WIDTH == 0:
        _tiled(rows, probes, out)
    else:
        _each(rows, probes, 0, len(rows), 0, len(probes), out)


@compiled(taken(types.uint16, 2), taken(types.uint16, 2), filled(types.uint16, 2))
def _product(rows: U16, probes: U16, out: U16) -> None:
    _fill(rows, probes, out)


@compiled(taken(types.uint16, 2), taken(types.uint16, 2), taken(types.uint16, 1), filled(types.uint64, 2))
def _planes(rows: U16, probes: U16, thresholds: U16, out: U64) -> None:
    scores = np.empty((len(probes), _BLOCK), np.uint16)
    words = np.empty(16, np.uint64)
    for low in range(0, len(rows), _BLOCK):
        block = rows[low : low + _BLOCK]
        if len(block) < _BLOCK:
            last = np.zeros((_BLOCK, rows.shape[1]), np.uint16)
            last[: len(block)] = block
            _fill(last, probes, scores)
        else:
            _fill(block, probes, scores)
        cut_block(scores.reshape(-1), thresholds, words, out, low // _BLOCK * len(probes))


def _by(probes: U16) -> bool:
    """Say whether `dots` multiplies these probes."""
    return HAS_DOTS and len(probes) > _FEW and probes.shape[1] % 2 == 0


def ring_dot(rows: U16, probes: U16, out: U16 | None = None) -> U16:
    """Return u16[q, n] = <rows u16[n, d], probes u16[q, d]> mod 2^16; twin of `reference.ring_dot`.

    Fastest when d is a multiple of 32 (16 without AVX-512, 8 on the oldest machines); right for any d.
    """
    rows = given("rows", rows, np.uint16, (None, None))
    probes = given("probes", probes, np.uint16, (None, rows.shape[1]))
    out = target("out", out, np.uint16, (len(probes), len(rows)))
    (_dots.product if _by(probes) else _product)(rows, probes, out)
    return out


def ring_planes(rows: U16, probes: U16, thresholds: U16, out: U64 | None = None) -> U64:
    """Return bit-planes u64[16, blocks * q] of the product less thresholds; twin of `reference.ring_planes`."""
    rows = given("rows", rows, np.uint16, (None, None))
    probes = given("probes", probes, np.uint16, (None, rows.shape[1]))
    thresholds = given("thresholds", thresholds, np.uint16, (len(probes),))
    out = target("out", out, np.uint64, (16, words_for(len(rows)) * len(probes)))
    (_dots.planes if _by(probes) else _planes)(rows, probes, thresholds, out)
    return out
