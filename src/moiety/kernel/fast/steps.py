"""One party's rounds of the sign test, each in one pass: carry, fresh triple and message, a piece of 2 KiB at a time.

What a pass touches stays in the core's first-level cache, so that words are read from memory once a round.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from moiety.kernel.arrays import BLOCK_WORDS, U32, U64, first_block, laid, rounds_given, seed_bytes, target
from moiety.kernel.fast.jit import LANES, compiled, filled, inlined, taken
from moiety.kernel.fast.streams import WORDS, all_lanes, fill, nonce_quads, quads
from moiety.kernel.labels import triple_label

if TYPE_CHECKING:
    from moiety.kernel.labels import Party, Tag

_PIECE = 256
_D, _E, _ALPHA, _BETA, _CARRY = range(5)
_KEY, _NONCES = taken(types.uint32, 2), taken(types.uint32, 2)
_WORDS, _MORE = taken(types.uint64, 1), taken(types.uint64, 2)
_NOTHING = np.empty(0, np.uint64)


@inlined
def _carried(first: bool, is_a: bool, plane: U64, theirs: U64, gamma: U64, work: U64, low: int, high: int) -> None:  # noqa: FBT001 - compiled
    """Finish a bit: turn the carry share into the next bit's."""
    carry, alpha, beta = work[_CARRY, low:high], work[_ALPHA, low:high], work[_BETA, low:high]
    if first:
        factor = alpha if is_a else plane[low:high]
        other = theirs[0, low:high]
        for k in range(len(carry)):
            carry[k] = gamma[k] ^ (other[k] & factor[k])
        return
    d, e = work[_D, low:high], work[_E, low:high]
    other_d, other_e = theirs[0, low:high], theirs[1, low:high]
    both = np.uint64(0xFFFF_FFFF_FFFF_FFFF) if is_a else np.uint64(0)
    for k in range(len(carry)):
        x = d[k] ^ other_d[k]
        y = e[k] ^ other_e[k]
        carry[k] ^= gamma[k] ^ (x & beta[k]) ^ (y & alpha[k]) ^ (x & y & both)


@inlined
def _asked(is_a: bool, plane: U64, work: U64, low: int, high: int) -> None:  # noqa: FBT001 - compiled
    """Write the message of a bit 1 .. k-2 from the carry and the triple."""
    carry, alpha, beta = work[_CARRY, low:high], work[_ALPHA, low:high], work[_BETA, low:high]
    d, e, own = work[_D, low:high], work[_E, low:high], plane[low:high]
    if is_a:
        for k in range(len(own)):
            d[k] = own[k] ^ carry[k] ^ alpha[k]
            e[k] = carry[k] ^ beta[k]
    else:
        for k in range(len(own)):
            d[k] = carry[k] ^ alpha[k]
            e[k] = own[k] ^ carry[k] ^ beta[k]


@inlined
def _states(key: U32, nonces: U32) -> U32:
    start = np.empty((len(nonces), 16, LANES), np.uint32)
    for i in range(len(nonces)):
        all_lanes(start[i], key[0], nonces[i])
    return start


@compiled(_KEY, _NONCES, types.int64, types.boolean, _WORDS, filled(types.uint64, 2))
def _open(key: U32, nonces: U32, first: int, is_a: bool, plane: U64, work: U64) -> None:  # noqa: FBT001 - compiled
    start = _states(key, nonces)
    scratch = np.empty(WORDS, np.uint64)
    for low in range(0, work.shape[1], _PIECE):
        high = min(low + _PIECE, work.shape[1])
        mask = work[_ALPHA if is_a else _BETA, low:high]
        fill(start[0], first + low // BLOCK_WORDS, scratch, mask)
        d, own = work[_D, low:high], plane[low:high]
        for k in range(len(own)):
            d[k] = own[k] ^ mask[k]


@compiled(_KEY, _NONCES, types.int64, types.int64, types.boolean, _MORE, _MORE, _WORDS, filled(types.uint64, 2))
def _step(
    key: U32,
    nonces: U32,
    first: int,
    bit: int,
    is_a: bool,  # noqa: FBT001 - compiled
    planes: U64,
    theirs: U64,
    dealt: U64,
    work: U64,
) -> None:
    """Finish bit `bit - 1` and write the message of `bit`, or behind the last one the share."""
    start = _states(key, nonces)
    scratch, drawn = np.empty(WORDS, np.uint64), np.empty(_PIECE, np.uint64)
    ones = np.uint64(0xFFFF_FFFF_FFFF_FFFF) if is_a else np.uint64(0)
    for low in range(0, work.shape[1], _PIECE):
        high = min(low + _PIECE, work.shape[1])
        block = first + low // BLOCK_WORDS
        if len(dealt) > 0:
            gamma = dealt[low:high]
        else:
            fill(start[0], block, scratch, drawn[: high - low])
            gamma = drawn[: high - low]
        _carried(bit == 1, is_a, planes[bit - 1], theirs, gamma, work, low, high)
        if bit < len(planes) - 1:
            fill(start[1], block, scratch, work[_ALPHA, low:high])
            fill(start[2], block, scratch, work[_BETA, low:high])
            _asked(is_a, planes[bit], work, low, high)
        else:
            top, carry, share = planes[bit, low:high], work[_CARRY, low:high], work[_D, low:high]
            for k in range(len(share)):
                share[k] = top[k] ^ carry[k] ^ ones


@lru_cache(maxsize=256)
def _nonces(sid: bytes, bit: int, *, is_a: bool) -> U32:
    """Return the nonces u32[3, 3] of a step's streams: gamma of the bit before, alpha and beta; chunks share them."""
    named: list[tuple[int, Tag]] = [(max(bit - 1, 0), "gamma"), (bit, "alpha"), (bit, "beta")]
    if bit == 0:
        named = [(0, "alpha" if is_a else "beta")]
    return np.concatenate([nonce_quads(triple_label(sid, at, tag)) for at, tag in named])


def advance(
    party: Party,
    key: bytes,
    sid: bytes,
    bit: int,
    planes: U64,
    work: U64,
    theirs: U64 | None = None,
    gamma: U64 | None = None,
    first_word: int = 0,
) -> U64:
    """Take one round's step and return its message, or behind the last round the share; twin of `reference.advance`."""
    rounds_given(bit, planes, work, theirs, gamma)
    bits, words = planes.shape
    planes, work = laid(planes), target("work", work, np.uint64, (5, words))
    first = first_block(first_word, words)
    keys, nonces, is_a = quads(seed_bytes(key)[None]), _nonces(sid, bit, is_a=party == "A"), party == "A"
    if theirs is None:
        _open(keys, nonces, first, is_a, planes[0], work)
        return work[:1]
    dealt = _NOTHING if gamma is None else laid(gamma)
    _step(keys, nonces, first, bit, is_a, planes, laid(theirs), dealt, work)
    return work[: 2 if bit < bits - 1 else 1]
