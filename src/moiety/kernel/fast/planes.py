"""Bit-planes and the steps of the sign test; see `moiety.kernel.reference` for what each computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from moiety.kernel.arrays import U16, U64, given, same_words, target, words_for
from moiety.kernel.errors import ShapeRule
from moiety.kernel.fast.jit import HAS_BIT_MATRICES, compiled, filled, inlined, taken
from moiety.kernel.fast.simd import bits_of_64, cut_eight

if TYPE_CHECKING:
    from moiety.kernel.labels import Party

_IN, _OUT = taken(types.uint64, 1), filled(types.uint64, 1)
_PAIR_IN, _PAIR_OUT = taken(types.uint64, 2), filled(types.uint64, 2)
_ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_NONE = np.uint64(0)
_WORD = 64


@compiled(taken(types.uint16, 1), filled(types.uint64, 2))
def _slice(values: U16, out: U64) -> None:
    words = np.empty(16, np.uint64)
    whole = len(values) // 64
    for word in range(whole):
        bits_of_64(values, word * 64, words)
        for i in range(len(out)):
            out[i, word] = words[i]
    if whole < out.shape[1]:
        last = np.zeros(64, np.uint16)
        last[: len(values) - whole * 64] = values[whole * 64 :]
        bits_of_64(last, 0, words)
        for i in range(len(out)):
            out[i, whole] = words[i]


@compiled(taken(types.uint16, 1), types.uint16, filled(types.uint16, 1))
def _minus(values: U16, threshold: np.uint16, out: U16) -> None:
    for k in range(len(values)):
        out[k] = values[k] - threshold


@compiled(_IN, _IN, types.uint64, _OUT)
def _xor(left: U64, right: U64, flip: np.uint64, out: U64) -> None:
    for k in range(len(out)):
        out[k] = left[k] ^ right[k] ^ flip


@compiled(_IN, _IN, _IN, _OUT)
def _first_carry(theirs: U64, factor: U64, gamma: U64, out: U64) -> None:
    for k in range(len(out)):
        out[k] = gamma[k] ^ (theirs[k] & factor[k])


@inlined
def _masked_sum(plane: U64, carry: U64, mask: U64, out: U64) -> None:
    for k in range(len(out)):
        out[k] = plane[k] ^ carry[k] ^ mask[k]


@inlined
def _masked(carry: U64, mask: U64, out: U64) -> None:
    for k in range(len(out)):
        out[k] = carry[k] ^ mask[k]


@compiled(_IN, _IN, _IN, _IN, types.boolean, _PAIR_OUT)
def _next_send(plane: U64, carry: U64, alpha: U64, beta: U64, is_a: bool, out: U64) -> None:  # noqa: FBT001 - compiled
    if is_a:
        _masked_sum(plane, carry, alpha, out[0])
        _masked(carry, beta, out[1])
    else:
        _masked(carry, alpha, out[0])
        _masked_sum(plane, carry, beta, out[1])


@compiled(_PAIR_IN, _PAIR_IN, _IN, _IN, _IN, types.uint64, _OUT)
def _next_carry(mine: U64, theirs: U64, alpha: U64, beta: U64, gamma: U64, both: np.uint64, carry: U64) -> None:
    for k in range(len(carry)):
        d = mine[0, k] ^ theirs[0, k]
        e = mine[1, k] ^ theirs[1, k]
        carry[k] ^= gamma[k] ^ (d & beta[k]) ^ (e & alpha[k]) ^ (d & e & both)


@inlined
def _cut_some(scores: U16, thresholds: U16, low: int, high: int, words: U64, out: U64, first: int) -> None:
    for p in range(low, high):
        threshold = thresholds[p]
        start = p * _WORD
        for k in range(start, start + _WORD):
            scores[k] = scores[k] - threshold
        bits_of_64(scores, start, words)
        for i in range(16):
            out[i, first + p] = words[i]


if HAS_BIT_MATRICES:

    @inlined
    def cut_block(scores: U16, thresholds: U16, words: U64, out: U64, first: int) -> None:
        """Cut 64 scores of each probe, less its threshold, into words: out[:, first + p]; `words` is scratch."""
        eights = len(thresholds) // 8 * 8
        for p in range(0, eights, 8):
            cut_eight(scores, thresholds, p, out, first + p)
        _cut_some(scores, thresholds, eights, len(thresholds), words, out, first)

else:

    @inlined
    def cut_block(scores: U16, thresholds: U16, words: U64, out: U64, first: int) -> None:
        """Do the same where the processor turns no matrices of bits."""
        _cut_some(scores, thresholds, 0, len(thresholds), words, out, first)


def slice_bits(values: U16, bits: int = 16, out: U64 | None = None) -> U64:
    """Return the bit-planes u64[bits, ceil(m / 64)] of u16[m]; twin of `reference.slice_bits`."""
    values = given("values", values, np.uint16, (None,))
    if not 1 <= bits <= 16:  # noqa: PLR2004 - a u16 has 16 bits
        raise ShapeRule("a value has 1 .. 16 bits")
    out = target("out", out, np.uint64, (bits, words_for(len(values))))
    _slice(values, out)
    return out


def below_threshold(partial: U16, threshold: int, out: U16 | None = None) -> U16:
    """Return partial - threshold mod 2^16, A's input to the sign test; twin of `reference.below_threshold`."""
    partial = given("partial", partial, np.uint16, (None,) * partial.ndim)
    out = target("out", out, np.uint16, partial.shape)
    _minus(partial.reshape(-1), np.uint16(threshold & 0xFFFF), out.reshape(-1))
    return out


def first_send(plane: U64, mask: U64, out: U64 | None = None) -> U64:
    """Return a party's message of bit 0, u64[words]; twin of `reference.first_send`."""
    plane, mask, out = same_words(plane, mask, out=out)
    _xor(plane, mask, _NONE, out)
    return out


def first_carry(theirs: U64, factor: U64, gamma: U64, out: U64 | None = None) -> U64:
    """Return a share of the carry out of bit 0, u64[words]; twin of `reference.first_carry`."""
    theirs, factor, gamma, out = same_words(theirs, factor, gamma, out=out)
    _first_carry(theirs, factor, gamma, out)
    return out


def next_send(party: Party, plane: U64, carry: U64, alpha: U64, beta: U64, out: U64 | None = None) -> U64:
    """Return a party's message (d, e) u64[2, words] of a bit 1 .. k-2; twin of `reference.next_send`."""
    plane, carry, alpha, beta, _ = same_words(plane, carry, alpha, beta, out=None)
    out = target("out", out, np.uint64, (2, len(plane)))
    _next_send(plane, carry, alpha, beta, party == "A", out)
    return out


def next_carry(party: Party, carry: U64, mine: U64, theirs: U64, alpha: U64, beta: U64, gamma: U64) -> None:
    """Turn the carry share u64[words] into the next bit's, in place; twin of `reference.next_carry`."""
    carry = target("carry", carry, np.uint64, (carry.size,))
    alpha, beta, gamma, _ = same_words(alpha, beta, gamma, out=carry)
    mine = given("mine", mine, np.uint64, (2, len(carry)))
    theirs = given("theirs", theirs, np.uint64, (2, len(carry)))
    _next_carry(mine, theirs, alpha, beta, gamma, _ONES if party == "A" else _NONE, carry)


def final_share(party: Party, plane: U64, carry: U64, out: U64 | None = None) -> U64:
    """Return the share of h = [s >= t], u64[words]; twin of `reference.final_share`."""
    plane, carry, out = same_words(plane, carry, out=out)
    _xor(plane, carry, _ONES if party == "A" else _NONE, out)
    return out
