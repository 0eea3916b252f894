"""The arithmetic of moiety: pseudo-random streams, splitting, the ring product, bit-planes and the sign test.

Everything here is pure: arrays in, arrays out, no input or output, no clock, no global state. Arrays are little-endian
and C-contiguous; dtypes are never converted; `out=` arrays are written in place and returned. `ShapeRule` is raised for
a wrong dtype, shape or layout and `NormRule` for lengths that could wrap round the ring; both are `KernelError`s, hence
`ValueError`s. Names from `errors`, `labels`, `norms` and `arrays` need NumPy only; the others are those of
`moiety.kernel.fast`, loaded on first use (Numba), and equal `moiety.kernel.reference`, which is the specification.

Labels      label(domain, *parts: bytes | int) -> bytes          nonce_of(label) -> bytes of 12
            triple_label(sid, bit, tag) -> bytes                 tag: "alpha" | "beta" | "gamma"
Streams     stream(seed, label, words, first_word=0, out=None) -> u64[words]     first_word: a multiple of 8
            expand(seeds u8[n, 32], nonces u8[n, 12], d, out=None) -> u16[n, d]
Splitting   split(template i8[d], seed, label) -> u16[d]
            split_many(templates i8[n, d], seeds u8[n, 32], nonces u8[n, 12], out=None) -> u16[n, d]
Measures    quantise(x f32[d]) -> i8[d]           rotation(seed, d) -> f32[d, d]; `rotation @ x`
            norm_sq(v i8[..., d]) -> i64[...]     to_ring(v i8[...]) -> u16[...]
            check_template(x) check_probe(q) check_threshold(t) check_headroom(x_norm_sq, q_norm_sq, t)
Scores      ring_dot(rows u16[n, d], probes u16[q, d], out=None) -> u16[q, n]
            ring_planes(rows u16[n, d], probes u16[q, d], thresholds u16[q], out=None) -> u64[16, ceil(n / 64) * q]
Bit-planes  below_threshold(partial u16[...], t, out=None) -> u16[...]    A's a = u_A - t
            slice_bits(values u16[m], bits=16, out=None) -> u64[bits, ceil(m / 64)]
            positions(words u64[w], count) -> i64[hits]                   which bits of h are 1
Sign test   party: "A" | "B"; every array u64[w] but for messages of bits 1 .. k-2, u64[2, w] = (d, e)
            triple_words(key, sid, bit, tag, words, first_word=0, out=None) -> u64[words]
            mint_gamma(key_a, key_b, sid, bit, words, first_word=0, out=None) -> u64[words]   gamma of B
            mint_gammas(key_a, key_b, sid, bit, bits, words, first_word=0, out=None) -> u64[bits, words]
            first_send(plane_0, mask, out=None)                mask: A its alpha, B its beta
            first_carry(theirs, factor, gamma, out=None)       factor: A its alpha, B its plane_0
            next_send(party, plane, carry, alpha, beta, out=None) -> u64[2, w]
            next_carry(party, carry, mine, theirs, alpha, beta, gamma) -> None, `carry` in place
            final_share(party, plane_top, carry, out=None)     h = share of A ^ share of B
            advance(party, key, sid, bit, planes u64[k, w], work u64[5, w], theirs=None, gamma=None, first_word=0)
                -> u64[1 or 2, w], a view of `work`            a whole round: carry, triple and message in one pass

One party's side, for a ring of k bits (both `values` of m numbers; `swap` sends ours and returns theirs):

    planes = slice_bits(values, k)
    alpha | beta, gamma = triple_words(key, sid, 0, ...)       B's gamma comes from the mint, for every bit
    theirs = swap(first_send(planes[0], mask))
    carry = first_carry(theirs, factor, gamma)
    for bit in range(1, k - 1):
        alpha, beta, gamma = triple_words(key, sid, bit, ...)
        mine = next_send(party, planes[bit], carry, alpha, beta)
        next_carry(party, carry, mine, swap(mine), alpha, beta, gamma)
    share = final_share(party, planes[k - 1], carry)           the gate: positions(share_a ^ share_b, m)

The same by `advance`: `theirs = None`, then for bit in range(k): `mine = advance(..., bit, planes, work, theirs,
gamma of bit - 1)` and, but for the last, `theirs = swap(mine)`; the last `mine[0]` is the share.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from moiety.kernel.arrays import positions, words_for
from moiety.kernel.errors import KernelError, NormRule, ShapeRule
from moiety.kernel.labels import Party, Tag, label, nonce_of, triple_label
from moiety.kernel.norms import (
    NORM_MAX,
    NORM_MIN,
    RING_MAX,
    SCORE_MAX,
    check_headroom,
    check_probe,
    check_template,
    check_threshold,
    norm_sq,
    to_ring,
)

if TYPE_CHECKING:
    from moiety.kernel.fast import (
        advance,
        below_threshold,
        expand,
        final_share,
        first_carry,
        first_send,
        mint_gamma,
        mint_gammas,
        next_carry,
        next_send,
        quantise,
        ring_dot,
        ring_planes,
        rotation,
        slice_bits,
        split,
        split_many,
        stream,
        triple_words,
    )

__all__ = [
    "NORM_MAX",
    "NORM_MIN",
    "RING_MAX",
    "SCORE_MAX",
    "KernelError",
    "NormRule",
    "Party",
    "ShapeRule",
    "Tag",
    "advance",
    "below_threshold",
    "check_headroom",
    "check_probe",
    "check_template",
    "check_threshold",
    "expand",
    "final_share",
    "first_carry",
    "first_send",
    "label",
    "mint_gamma",
    "mint_gammas",
    "next_carry",
    "next_send",
    "nonce_of",
    "norm_sq",
    "positions",
    "quantise",
    "ring_dot",
    "ring_planes",
    "rotation",
    "slice_bits",
    "split",
    "split_many",
    "stream",
    "to_ring",
    "triple_label",
    "triple_words",
    "warm_up",
    "words_for",
]


def __getattr__(name: str) -> Any:
    """Load the compiled functions when the first of them is asked for: labels and checks need no Numba."""
    if name not in __all__:
        raise AttributeError(f"module 'moiety.kernel' has no attribute {name!r}")
    return getattr(importlib.import_module("moiety.kernel.fast"), name)


@functools.cache
def warm_up() -> None:
    """Compile or load everything and prove it on known answers, so that a server's first request is not slow.

    Once in a process: what is compiled there stays what it is.

    Raises `KernelError` when this machine's compiled code disagrees with `reference`: then nothing may start.
    """
    importlib.import_module("moiety.kernel.rehearsal").self_test()
