"""Two pieces that no loop makes well: ChaCha20 on a register of blocks, and taking 64 values apart into bits.

Written as LLVM vectors of a fixed number of lanes, which LLVM turns into AVX-512, AVX2, SSE2 or NEON. One instruction
is named, where the processor has it: GF2P8AFFINEQB turns over eight 8 x 8 matrices of bits at once (Intel's Software
Developer's Manual, volume 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir  # type: ignore[import-untyped]  # comes without types
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from moiety.kernel.fast.jit import HAS_BIT_MATRICES, LANES

if TYPE_CHECKING:
    from collections.abc import Callable

_I32 = ir.IntType(32)
_ROW = ir.VectorType(_I32, LANES)
_COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
_VALUES = 64
_BYTES = ir.VectorType(ir.IntType(8), 64)
_SCORES = ir.VectorType(ir.IntType(16), 32)
_WORDS = ir.VectorType(ir.IntType(64), 8)
_helpers: Any = cgutils  # half of it comes without types


def vector_code(describe: Callable[..., Any]) -> Any:
    """Make a Numba intrinsic; Any, because callers do not pass the typing context that its signature shows."""
    return intrinsic(describe)


def _splat(width: int, bits: int, value: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(bits), width), [value] * width)


def _at(context: Any, builder: Any, array_type: Any, array: Any, index: Any, vector: ir.VectorType) -> Any:
    """Return a vector pointer to element `index` of a Numba array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _turn_left(builder: Any, word: Any, bits: int) -> Any:
    up = builder.shl(word, _splat(LANES, 32, bits))
    return builder.or_(up, builder.lshr(word, _splat(LANES, 32, 32 - bits)))


def _quarter(builder: Any, rows: list[Any], a: int, b: int, c: int, d: int) -> None:
    for into, other, turned, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        rows[into] = builder.add(rows[into], rows[other])
        rows[turned] = _turn_left(builder, builder.xor(rows[turned], rows[into]), bits)


def _transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """Turn a square of n vectors of n lanes over by zipping halves, log2(n) times."""
    size = len(rows)
    half = size // 2
    low = [i // 2 + (i % 2) * size for i in range(size)]
    masks = [ir.Constant(ir.VectorType(_I32, size), [i + shift for i in low]) for shift in (0, half)]
    for _ in range(size.bit_length() - 1):
        rows = [builder.shuffle_vector(rows[i // 2], rows[i // 2 + half], masks[i % 2]) for i in range(size)]
    return rows


@vector_code
def chacha_blocks(typing: Any, start: Any, out: Any, at: Any) -> Any:  # noqa: ARG001 - Numba passes its typing context
    """Write LANES ChaCha20 blocks to `out` from element `at` on; `start` u32[16, LANES] holds one state a lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start_type, out_type, _ = signature.args
        zero = ir.Constant(args[2].type, 0)
        base = _at(context, builder, start_type, args[0], zero, _ROW)
        index = [ir.Constant(_I32, i) for i in range(16)]
        rows = [builder.load(builder.gep(base, [i]), align=4) for i in index]
        for _ in range(10):
            for quarter in _COLUMNS + _DIAGONALS:
                _quarter(builder, rows, *quarter)
        rows = [
            builder.add(row, builder.load(builder.gep(base, [i]), align=4)) for row, i in zip(rows, index, strict=True)
        ]
        into = _at(context, builder, out_type, args[1], args[2], _ROW)
        for group in range(16 // LANES):
            for lane, part in enumerate(_transpose(builder, rows[group * LANES : (group + 1) * LANES])):
                where = ir.Constant(_I32, lane * (16 // LANES) + group)
                builder.store(part, builder.gep(into, [where]), align=1)
        return context.get_dummy_value()

    return types.void(start, out, at), codegen


def _planes_by_tests(builder: Any, source: Any, into: Any) -> None:
    """Store 16 words: bit i of each of the 64 values, by one test and move of a mask for each i."""
    group = builder.load(builder.bitcast(source, ir.VectorType(ir.IntType(16), _VALUES).as_pointer()), align=2)
    for i in range(16):
        bits = builder.and_(group, _splat(_VALUES, 16, 1 << i))
        word = builder.bitcast(builder.icmp_unsigned("!=", bits, _splat(_VALUES, 16, 0)), ir.IntType(64))
        builder.store(word, builder.gep(into, [ir.Constant(_I32, i)]))


def _turned_matrices(builder: Any, halves: list[Any]) -> list[Any]:
    """Return two vectors of 8 words from 64 u16 in two vectors of bytes: their bits 0 to 7, and 8 to 15.

    Matrices are of 8 bytes by 8 bits: eight of the values' low bytes, or eight of their high ones.
    """
    turn = _helpers.get_or_insert_function(
        builder.module, ir.FunctionType(_BYTES, [_BYTES, _BYTES, ir.IntType(8)]), "llvm.x86.vgf2p8affineqb.512"
    )
    single = ir.Constant(_BYTES, [1 << bit for bit in range(8)] * 8)
    gather = ir.Constant(ir.VectorType(_I32, 64), [8 * group + bit for bit in range(8) for group in range(8)])
    words = []
    for part in (0, 1):
        # The instruction counts the bytes of a matrix from its last one.
        order = [2 * (8 * group + 7 - row) + part for group in range(8) for row in range(8)]
        matrices = builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(_I32, 64), order))
        turned = builder.call(turn, [single, matrices, ir.Constant(ir.IntType(8), 0)])
        words.append(builder.bitcast(builder.shuffle_vector(turned, turned, gather), _WORDS))
    return words


def _planes_by_matrices(builder: Any, source: Any, into: Any) -> None:
    """Do the same by matrices of bits."""
    low = builder.bitcast(source, _BYTES.as_pointer())
    halves = [builder.load(builder.gep(low, [ir.Constant(_I32, i)]), align=2) for i in (0, 1)]
    for part, words in enumerate(_turned_matrices(builder, halves)):
        where = builder.gep(into, [ir.Constant(_I32, 8 * part)])
        builder.store(words, builder.bitcast(where, _WORDS.as_pointer()), align=8)


@vector_code
def cut_eight(typing: Any, scores: Any, thresholds: Any, probe: Any, out: Any, at: Any) -> Any:  # noqa: ARG001 - as above
    """Write the 16 bit-planes of 64 scores of each of 8 probes, less its threshold, to out[:, at : at + 8].

    Scores lie probe by probe; needs HAS_BIT_MATRICES.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        arrays = [context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 1, 3)]
        number = args[2].type
        pairs = []
        for i in range(8):
            probe_i = builder.add(args[2], ir.Constant(number, i))
            less = builder.load(builder.gep(arrays[1].data, [probe_i]), align=2)
            first = builder.insert_element(ir.Constant(_SCORES, ir.Undefined), less, ir.Constant(_I32, 0))
            all_less = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_I32, 32), [0] * 32))
            start = builder.gep(arrays[0].data, [builder.mul(probe_i, ir.Constant(number, _VALUES))])
            source = builder.bitcast(start, _SCORES.as_pointer())
            halves = [builder.load(builder.gep(source, [ir.Constant(_I32, k)]), align=2) for k in (0, 1)]
            cut = [builder.bitcast(builder.sub(half, all_less), _BYTES) for half in halves]
            pairs.append(_turned_matrices(builder, cut))
        words = _helpers.unpack_tuple(builder, arrays[2].shape, 2)[1]
        for part in (0, 1):
            for bit, plane in enumerate(_transpose(builder, [pair[part] for pair in pairs])):
                offset = builder.add(args[4], builder.mul(words, ir.Constant(number, 8 * part + bit)))
                where = builder.bitcast(builder.gep(arrays[2].data, [offset]), _WORDS.as_pointer())
                builder.store(plane, where, align=8)
        return context.get_dummy_value()

    return types.void(scores, thresholds, probe, out, at), codegen


@vector_code
def bits_of_64(typing: Any, values: Any, at: Any, words: Any) -> Any:  # noqa: ARG001 - as above
    """Write to `words` u64[16] the 16 bit-planes of the 64 values u16 from element `at` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values_type, _, words_type = signature.args
        data = context.make_array(values_type)(context, builder, args[0]).data
        into = context.make_array(words_type)(context, builder, args[2]).data
        planes = _planes_by_matrices if HAS_BIT_MATRICES else _planes_by_tests
        planes(builder, builder.gep(data, [args[1]]), into)
        return context.get_dummy_value()

    return types.void(values, at, words), codegen
