"""The ring product by VNNI: one instruction multiplies 32 pairs of u16 and adds them to 16 sums of u32.

The sums of a tile lie side by side, one lane a probe, so none is folded: a pair of numbers of a row is spread over all
lanes, and 16 probes lie in a register, pair by pair. Sums of u32 are right modulo 2^16, which is all that is kept.
Intel's Software Developer's Manual, volume 2, VPDPWSSD; where the processor lacks it, `tiles` does the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # comes without types
from numba import types
from numba.core import cgutils

from moiety.kernel.fast.jit import compiled, filled, inlined, taken
from moiety.kernel.fast.planes import cut_block
from moiety.kernel.fast.simd import vector_code

if TYPE_CHECKING:
    from moiety.kernel.arrays import U16, U64

GROUP = 16  # probes in one register
HIGH = 8  # rows of a tile: HIGH * 2 sums and their loads fit the 32 registers
BLOCK = 64  # rows whose scores make whole words of bits

_helpers: Any = cgutils  # half of it comes without types
_I16, _I32 = ir.IntType(16), ir.IntType(32)
_SUMS = ir.VectorType(_I32, GROUP)
_PAIRS = ir.VectorType(_I16, 2 * GROUP)
_SCORES = ir.VectorType(_I16, GROUP)
_ZERO = ir.Constant(_SUMS, [0] * GROUP)
_INTO_CACHE = [ir.Constant(_I32, n) for n in (0, 3, 1)]  # read, keep near, data


def _named(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    return _helpers.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _spread(builder: Any, pointer: Any) -> Any:
    """Load two u16 and repeat them in all lanes."""
    pair = builder.load(builder.bitcast(pointer, _I32.as_pointer()), align=2)
    nothing = ir.Constant(_SUMS, ir.Undefined)
    alone = builder.insert_element(nothing, pair, ir.Constant(_I32, 0))
    return builder.bitcast(builder.shuffle_vector(alone, nothing, _ZERO), _PAIRS)


def _tile(wide: int) -> Any:
    """Return code for HIGH rows by `wide` groups: (rows, row, packed, group, scores, at, ahead, share).

    Writes u16[wide, BLOCK, GROUP] of `scores`, HIGH rows of it from element `at` on; meanwhile `share`
    rows from row `ahead` on are called into the cache.
    """

    def describe(
        typing: Any,  # noqa: ARG001 - Numba passes its typing context
        rows: Any,
        row: Any,
        packed: Any,
        group: Any,
        scores: Any,
        at: Any,
        ahead: Any,
        share: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            arrays = [context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 2, 4)]
            d = _helpers.unpack_tuple(builder, arrays[0].shape, 2)[1]
            sums = _sums(builder, arrays, args, d, wide)
            for g in range(wide):
                for r in range(HIGH):
                    place = ir.Constant(d.type, (g * BLOCK + r) * GROUP)
                    where = builder.gep(arrays[2].data, [builder.add(args[5], place)])
                    score = builder.trunc(builder.load(sums[r * wide + g]), _SCORES)
                    builder.store(score, builder.bitcast(where, _SCORES.as_pointer()), align=2)
            return context.get_dummy_value()

        return types.void(rows, row, packed, group, scores, at, ahead, share), codegen

    return vector_code(describe)


def _sums(builder: Any, arrays: list[Any], args: Any, d: Any, wide: int) -> list[Any]:
    """Return the slots of HIGH * wide vectors of sums, row by row."""

    def number(value: int) -> Any:
        return ir.Constant(d.type, value)

    dot = _named(builder, "llvm.x86.avx512.vpdpwssd.512", _SUMS, _SUMS, _PAIRS, _PAIRS)
    call_in = _named(builder, "llvm.prefetch.p0", ir.VoidType(), ir.IntType(8).as_pointer(), _I32, _I32, _I32)
    lines = [builder.gep(arrays[0].data, [builder.mul(builder.add(args[1], number(r)), d)]) for r in range(HIGH)]
    size = builder.mul(d, number(GROUP))
    groups = [builder.gep(arrays[1].data, [builder.mul(builder.add(args[3], number(g)), size)]) for g in range(wide)]
    ahead = builder.gep(arrays[0].data, [builder.mul(args[6], d)])
    slots = [_helpers.alloca_once_value(builder, _ZERO) for _ in range(HIGH * wide)]
    for slot in slots:
        builder.store(_ZERO, slot)
    # d / 2 steps of 2 * share numbers cover `share` rows.
    with _helpers.for_range_slice(builder, number(0), d, number(2)) as (k, _):
        there = builder.gep(ahead, [builder.mul(k, args[7])])
        builder.call(call_in, [builder.bitcast(there, ir.IntType(8).as_pointer()), *_INTO_CACHE])
        offset = builder.mul(k, number(GROUP))
        probes = [
            builder.load(builder.bitcast(builder.gep(group, [offset]), _PAIRS.as_pointer()), align=2)
            for group in groups
        ]
        for r, line in enumerate(lines):
            pair = _spread(builder, builder.gep(line, [k]))
            for g, probe in enumerate(probes):
                slot = slots[r * wide + g]
                builder.store(builder.call(dot, [builder.load(slot), probe, pair]), slot)
    return slots


_tile_of_two = _tile(2)
_tile_of_one = _tile(1)


@vector_code
def _turned(typing: Any, scores: Any, at: Any, out: Any, to: Any) -> Any:  # noqa: ARG001 - as above
    """Write u16[BLOCK, GROUP] of `scores` from element `at` on as u16[GROUP, BLOCK] to `out` from element `to` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = []
        for i in (0, 2):
            data = context.make_array(signature.args[i])(context, builder, args[i]).data
            pointers.append(builder.bitcast(builder.gep(data, [args[i + 1]]), _PAIRS.as_pointer()))
        index = [ir.Constant(_I32, i) for i in range(BLOCK * GROUP // (2 * GROUP))]
        parts = [builder.load(builder.gep(pointers[0], [i]), align=2) for i in index]
        masks = [
            ir.Constant(ir.VectorType(_I32, 2 * GROUP), [2 * lane + odd for lane in range(2 * GROUP)]) for odd in (0, 1)
        ]
        for _ in range(GROUP.bit_length() - 1):  # each pass moves one bit of the element's number from low to high
            parts = [
                builder.shuffle_vector(parts[i], parts[i + 1], mask) for mask in masks for i in range(0, len(parts), 2)
            ]
        for i, part in zip(index, parts, strict=True):
            builder.store(part, builder.gep(pointers[1], [i]), align=2)
        return context.get_dummy_value()

    return types.void(scores, at, out, to), codegen


@inlined
def _packed(probes: U16) -> U16:
    """Return u16[groups, d * GROUP]: of each group of 16 probes the numbers 0 and 1 of each, then 2 and 3, and on."""
    packed = np.zeros(((len(probes) + GROUP - 1) // GROUP, probes.shape[1] * GROUP), np.uint16)
    for p in range(len(probes)):
        group, lane = p // GROUP, p % GROUP
        for k in range(probes.shape[1]):
            packed[group, (k // 2) * 2 * GROUP + lane * 2 + k % 2] = probes[p, k]
    return packed


@inlined
def _block(rows: U16, low: int, packed: U16, half: U16, scores: U16) -> None:
    """Fill `scores` u16[groups * GROUP * BLOCK], probe by probe, for rows `low` to `low + BLOCK`.

    `half` u16[2 * BLOCK * GROUP] is scratch.
    """
    groups = len(packed)
    last = max(len(rows) - BLOCK, 0)
    ahead = low + BLOCK
    share = max(1, BLOCK // ((groups + 1) // 2 * (BLOCK // HIGH)))
    for group in range(0, groups - 1, 2):
        for row in range(0, BLOCK, HIGH):
            _tile_of_two(rows, low + row, packed, group, half, row * GROUP, min(ahead, last), share)
            ahead += share
        _turned(half, 0, scores, group * BLOCK * GROUP)
        _turned(half, BLOCK * GROUP, scores, (group + 1) * BLOCK * GROUP)
    if groups % 2:
        for row in range(0, BLOCK, HIGH):
            _tile_of_one(rows, low + row, packed, groups - 1, half, row * GROUP, min(ahead, last), share)
            ahead += share
        _turned(half, 0, scores, (groups - 1) * BLOCK * GROUP)


@inlined
def _last_block(rows: U16, packed: U16, half: U16, scores: U16) -> None:
    """Do the same for the rows behind the last whole block, as if zeros followed them."""
    low = len(rows) // BLOCK * BLOCK
    padded = np.zeros((BLOCK, rows.shape[1]), np.uint16)
    padded[: len(rows) - low] = rows[low:]
    _block(padded, 0, packed, half, scores)


@compiled(taken(types.uint16, 2), taken(types.uint16, 2), filled(types.uint16, 2))
def product(rows: U16, probes: U16, out: U16) -> None:
    """Fill out[q, n]; the length of a row is even."""
    packed = _packed(probes)
    half = np.empty(2 * BLOCK * GROUP, np.uint16)
    scores = np.empty(len(packed) * GROUP * BLOCK, np.uint16)
    for low in range(0, len(rows), BLOCK):
        count = min(BLOCK, len(rows) - low)
        if count == BLOCK:
            _block(rows, low, packed, half, scores)
        else:
            _last_block(rows, packed, half, scores)
        for p in range(len(probes)):
            out[p, low : low + count] = scores[p * BLOCK : p * BLOCK + count]


@compiled(taken(types.uint16, 2), taken(types.uint16, 2), taken(types.uint16, 1), filled(types.uint64, 2))
def planes(rows: U16, probes: U16, thresholds: U16, out: U64) -> None:
    """Fill out[16, blocks * q] with the bit-planes of scores less thresholds, block by block."""
    packed = _packed(probes)
    half = np.empty(2 * BLOCK * GROUP, np.uint16)
    scores = np.empty(len(packed) * GROUP * BLOCK, np.uint16)
    words = np.empty(16, np.uint64)
    for low in range(0, len(rows), BLOCK):
        if low + BLOCK <= len(rows):
            _block(rows, low, packed, half, scores)
        else:
            _last_block(rows, packed, half, scores)
        cut_block(scores, thresholds, words, out, low // BLOCK * len(probes))
