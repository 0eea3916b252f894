"""The inner tile of the ring product: a few rows by a few probes, all sums in registers.

Written as LLVM vectors of u16; the sums of a tile are folded together at its end, not one by one, which is what plain
loops lose a third of their time to. Nothing here names an instruction: LLVM picks AVX-512, AVX2, SSE2 or NEON.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # comes without types
from numba import types
from numba.core import cgutils

from moiety.kernel.fast.jit import LANES, ROOMY
from moiety.kernel.fast.simd import vector_code

WIDTH = 2 * LANES  # u16 in one register
TALL = 4 if ROOMY else 2  # rows of a tile that shares its loads with WIDE probes: TALL * WIDE sums and the loads fit
WIDE = 4
ALONE = 8  # rows of a tile for one probe

_helpers: Any = cgutils  # half of it comes without types
_I16 = ir.IntType(16)


def _shuffled(builder: Any, left: Any, right: Any, mask: list[int]) -> Any:
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(ir.IntType(32), len(mask)), mask))


def _fold_pair(builder: Any, left: Any, right: Any, segment: int) -> Any:
    """Add the two halves of every segment of two vectors; the result holds left's segments, then right's, at half."""
    width = left.type.count
    starts = range(0, 2 * width, segment)
    low = [start + k for start in starts for k in range(segment // 2)]
    halves = [_shuffled(builder, left, right, [i + shift for i in low]) for shift in (0, segment // 2)]
    return builder.add(*halves)


def _fold_self(builder: Any, vector: Any, segment: int) -> Any:
    low = [start + k for start in range(0, vector.type.count, segment) for k in range(segment // 2)]
    halves = [_shuffled(builder, vector, vector, [i + shift for i in low]) for shift in (0, segment // 2)]
    return builder.add(*halves)


def _fold(builder: Any, sums: list[Any]) -> Any:
    """Return one vector of u16: entry i is the sum of all lanes of `sums[i]`; their number is a power of two."""
    segment = WIDTH
    while segment > 1 and len(sums) > 1:
        sums = [_fold_pair(builder, sums[i], sums[i + 1], segment) for i in range(0, len(sums), 2)]
        segment //= 2
    while segment > 1:
        sums = [_fold_self(builder, sums[0], segment)]
        segment //= 2
    while len(sums) > 1:
        both = list(range(2 * sums[0].type.count))
        sums = [_shuffled(builder, sums[i], sums[i + 1], both) for i in range(0, len(sums), 2)]
    return sums[0]


def _tile(tall: int, wide: int) -> Any:
    """Return code for `tall` rows by `wide` probes: (rows, row, probes, probe, out), out[q, n]; WIDTH divides d."""

    def describe(typing: Any, rows: Any, row: Any, probes: Any, probe: Any, out: Any) -> Any:  # noqa: ARG001 - Numba's
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            arrays = [context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 2, 4)]
            d = _helpers.unpack_tuple(builder, arrays[0].shape, 2)[1]
            n = _helpers.unpack_tuple(builder, arrays[2].shape, 2)[1]
            lines = _lines(builder, arrays[0].data, args[1], d, tall) + _lines(
                builder, arrays[1].data, args[3], d, wide
            )
            folded = _fold(builder, _sums(builder, lines, d, tall))
            for p, line in enumerate(_lines(builder, arrays[2].data, args[3], n, wide)):
                part = _shuffled(builder, folded, folded, list(range(p * tall, (p + 1) * tall)))
                where = builder.bitcast(builder.gep(line, [args[1]]), part.type.as_pointer())
                builder.store(part, where, align=2)
            return context.get_dummy_value()

        return types.void(rows, row, probes, probe, out), codegen

    return vector_code(describe)


def _lines(builder: Any, data: Any, first: Any, length: Any, count: int) -> list[Any]:
    """Return pointers to `count` lines of a C-contiguous array from line `first` on."""
    steps = [ir.Constant(first.type, i) for i in range(count)]
    return [builder.gep(data, [builder.mul(builder.add(first, step), length)]) for step in steps]


def _sums(builder: Any, lines: list[Any], d: Any, tall: int) -> list[Any]:
    """Return tall * wide vectors of partial sums, probe by probe; the first `tall` lines are rows, the rest probes.

    For one probe the rows are read one after the other: memory streams twice as fast as with all of them open.
    """
    rows, probes = lines[:tall], lines[tall:]
    if len(probes) == 1:
        return [_loop(builder, [row], probes, d)[0] for row in rows]
    return _loop(builder, rows, probes, d)


def _loop(builder: Any, rows: list[Any], probes: list[Any], d: Any) -> list[Any]:
    vector = ir.VectorType(_I16, WIDTH)
    zero = ir.Constant(vector, [0] * WIDTH)
    slots = [_helpers.alloca_once_value(builder, zero) for _ in range(len(rows) * len(probes))]
    for slot in slots:
        builder.store(zero, slot)
    with _helpers.for_range_slice(builder, ir.Constant(d.type, 0), d, ir.Constant(d.type, WIDTH)) as (k, _):
        x, y = ([_load(builder, line, k, vector) for line in lines] for lines in (rows, probes))
        for i, slot in enumerate(slots):
            product = builder.mul(x[i % len(rows)], y[i // len(rows)])
            builder.store(builder.add(builder.load(slot), product), slot)
    return [builder.load(slot) for slot in slots]


def _load(builder: Any, line: Any, k: Any, vector: ir.VectorType) -> Any:
    return builder.load(builder.bitcast(builder.gep(line, [k]), vector.as_pointer()), align=2)


tile_of_many = _tile(TALL, WIDE)
tile_of_one = _tile(ALONE, 1)
