"""From floats to a template: the gallery's rotation and the rounding to int8; see `moiety.kernel.reference`."""

from __future__ import annotations

import math

import numpy as np
from numba import types

from moiety.kernel.arrays import F32, F64, I8, U64, given
from moiety.kernel.errors import NormRule
from moiety.kernel.fast.jit import compiled, filled, inlined, taken
from moiety.kernel.fast.streams import stream
from moiety.kernel.labels import label
from moiety.kernel.norms import NORM_MAX, NORM_MIN

_UNIT = 2.0**-53


@compiled(taken(types.uint64, 1), filled(types.float64, 1))
def _box_muller(words: U64, out: F64) -> None:
    for k in range(0, len(out), 2):
        radius = math.sqrt(-2.0 * math.log((np.float64(words[k] >> np.uint64(11)) + 1.0) * _UNIT))
        angle = 2.0 * math.pi * (np.float64(words[k + 1] >> np.uint64(11)) * _UNIT)
        out[k] = radius * math.cos(angle)
        if k + 1 < len(out):
            out[k + 1] = radius * math.sin(angle)


@compiled(taken(types.float64, 1), filled(types.float64, 2))
def _turn(normals: F64, turned: F64) -> None:
    d = len(turned)
    u = np.empty(d)
    along = np.empty(d)
    start = 0
    for m in range(1, d + 1):
        square = 0.0
        for i in range(m):
            u[i] = normals[start + i]
            square += u[i] * u[i]
        start += m
        sign = 1.0 if u[0] >= 0 else -1.0
        square -= u[0] * u[0]
        u[0] += sign * math.sqrt(square + u[0] * u[0])
        square += u[0] * u[0]
        low = d - m
        along[low:] = 0.0
        for i in range(m):
            for k in range(low, d):
                along[k] += u[i] * turned[low + i, k]
        for i in range(m):
            part = 2.0 * u[i] / square
            for k in range(low, d):
                turned[low + i, k] = -sign * (turned[low + i, k] - part * along[k])


@inlined
def _rounded_sq(x: F64, scale: float) -> float:
    total = 0.0
    for k in range(len(x)):
        value = np.rint(x[k] * scale)
        total += value * value
    return total


@compiled(taken(types.float64, 1), types.float64, filled(types.int8, 1), filled(types.float64, 1))
def _quantise(x: F64, high: float, out: I8, square: F64) -> None:
    low = 0.0
    middle = high / 2.0
    while low < middle < high:
        if _rounded_sq(x, middle) <= NORM_MAX * NORM_MAX:
            low = middle
        else:
            high = middle
        middle = low + (high - low) / 2.0
    square[0] = _rounded_sq(x, low)
    for k in range(len(x)):
        out[k] = np.int8(np.rint(x[k] * low))


def gaussians(seed: bytes, name: bytes, count: int) -> F64:
    """Return f64[count] standard normals of PRG(seed, name); twin of `reference.gaussians` to the last few bits."""
    out = np.empty(count)
    _box_muller(stream(seed, name, 2 * -(-count // 2)), out)
    return out


def rotation(seed: bytes, d: int) -> F32:
    """Return a gallery's rotation f32[d, d]; twin of `reference.rotation`, to 1e-7 an entry."""
    turned = np.eye(d)
    _turn(gaussians(seed, label("moiety/rotation/1", d), d * (d + 1) // 2), turned)
    return turned.astype(np.float32)


def quantise(x: F32) -> I8:
    """Return the template i8[d] of f32[d]; twin of `reference.quantise`, raises `NormRule`."""
    wide = given("x", x, np.float32, (None,)).astype(np.float64)
    length = math.sqrt(float(np.dot(wide, wide)))
    if not (math.isfinite(length) and length > 0):
        raise NormRule("a vector without a direction cannot be quantised")
    out, square = np.empty(len(wide), np.int8), np.zeros(1)
    _quantise(wide, 2.0 * (NORM_MAX + math.sqrt(len(wide))) / length, out, square)
    if square[0] < NORM_MIN * NORM_MIN:
        raise NormRule("no scale gives this vector a length within 120 .. 127")
    return out
