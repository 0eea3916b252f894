"""The kernel in plain NumPy: the specification that `moiety.kernel.fast` must equal bit for bit.

Every function has a twin of the same name and signature there (`join` and `unslice` are only here: they undo, for
tests). Sources: ChaCha20 is RFC 8439, section 2.4; the rotation is G. W. Stewart, "The Efficient Generation of Random
Orthogonal Matrices", SIAM J. Numer. Anal. 17 (1980), with the signs of F. Mezzadri, "How to Generate Random Matrices
from the Classical Compact Groups", Notices of the AMS 54 (2007); triples are D. Beaver's (CRYPTO '91).
"""

from __future__ import annotations

import numpy as np

from moiety.kernel.arrays import (
    BLOCK_WORDS,
    F32,
    F64,
    I8,
    SEED_BYTES,
    U8,
    U16,
    U32,
    U64,
    WORD_BITS,
    first_block,
    given,
    rounds_given,
    same_words,
    seed_bytes,
    target,
    words_for,
)
from moiety.kernel.errors import NormRule, ShapeRule
from moiety.kernel.labels import NONCE_BYTES, Party, Tag, label, nonce_of, triple_label
from moiety.kernel.norms import NORM_MAX, NORM_MIN, norm_sq, to_ring

_SIGMA = np.frombuffer(b"expand 32-byte k", "<u4")
_STEPS = ((0, 1, 3, 16), (2, 3, 1, 12), (0, 1, 3, 8), (2, 3, 1, 7))  # a += b; d = rotl(d ^ a, n)
# The four quarters of a half round stand side by side: rows turned by one, two, three places make diagonals columns.
_TURNS = (0, 1, 2, 3)
_ORDERS = {turn: np.roll(np.arange(4), -turn) for turn in range(-3, 4)}


# ---- pseudo-random streams ----


def _chacha_blocks(keys: U8, nonces: U8, first: int, blocks: int) -> U32:
    """Return u32[n, blocks, 16]: for each of n (key, nonce) pairs the ChaCha20 blocks from counter `first`."""
    state = np.empty((16, len(keys), blocks), np.uint32)
    state[0:4] = _SIGMA[:, None, None]
    state[4:12] = keys.view("<u4").T[:, :, None]
    state[12] = np.arange(first, first + blocks, dtype=np.uint64).astype(np.uint32)
    state[13:16] = nonces.view("<u4").T[:, :, None]
    rows = list(state.copy().reshape(4, 4, len(keys), blocks))
    for half in range(20):
        for add_to, add, turned, bits in _STEPS:
            rows[add_to] += rows[add]
            word = rows[turned] ^ rows[add_to]
            rows[turned] = (word << np.uint32(bits)) | (word >> np.uint32(32 - bits))
        back = -1 if half % 2 else 1
        rows = [row[_ORDERS[back * turn]] for row, turn in zip(rows, _TURNS, strict=True)]
    mixed = np.concatenate(rows) + state
    return np.ascontiguousarray(np.moveaxis(mixed, 0, -1))


def stream(seed: bytes, name: bytes, words: int, first_word: int = 0, out: U64 | None = None) -> U64:
    """Return u64[words] of PRG(seed, name): the ChaCha20 keystream under `seed` and nonce SHA-256(name)[:12].

    `first_word` (a multiple of 8) enters the stream later. Raises `ShapeRule` for a seed that is not 32 bytes.
    """
    first = first_block(first_word, words)
    out = target("out", out, np.uint64, (words,))
    nonce = np.frombuffer(nonce_of(name), np.uint8)
    blocks = _chacha_blocks(seed_bytes(seed)[None], nonce[None], first, -(-words // BLOCK_WORDS))
    out[:] = blocks.reshape(-1).view("<u8")[:words]
    return out


def expand(seeds: U8, nonces: U8, d: int, out: U16 | None = None) -> U16:
    """Return the pads u16[n, d]: row i is the first 2d bytes of ChaCha20 under u8[n, 32] and u8[n, 12] of row i."""
    seeds = given("seeds", seeds, np.uint8, (None, SEED_BYTES))
    nonces = given("nonces", nonces, np.uint8, (len(seeds), NONCE_BYTES))
    out = target("out", out, np.uint16, (len(seeds), d))
    per_record = -(-2 * d // 64)
    blocks = _chacha_blocks(seeds, nonces, 0, per_record)
    out[:] = blocks.reshape(len(seeds), per_record * 16).view("<u2")[:, :d]
    return out


def split(template: I8, seed: bytes, name: bytes) -> U16:
    """Return A's row u16[d] = template - PRG(seed, name) mod 2^16; raises `NormRule` for a template over 127."""
    template = given("template", template, np.int8, (None,))
    nonce = np.frombuffer(nonce_of(name), np.uint8)
    return np.asarray(split_many(template[None], seed_bytes(seed)[None], nonce[None])[0])


def split_many(templates: I8, seeds: U8, nonces: U8, out: U16 | None = None) -> U16:
    """Return A's rows u16[n, d] for i8[n, d], seeds u8[n, 32] and nonces u8[n, 12]; raises `NormRule` as `split`."""
    templates = given("templates", templates, np.int8, (None, None))
    if (norm_sq(templates) > NORM_MAX * NORM_MAX).any():
        raise NormRule("a template is longer than 127")
    seeds = given("seeds", seeds, np.uint8, (len(templates), SEED_BYTES))
    out = expand(seeds, nonces, templates.shape[1], out)
    np.subtract(to_ring(templates), out, out=out)
    return out


def join(row: U16, seed: bytes, name: bytes) -> I8:
    """Undo `split`: return the template i8[d]. No process of the product may call it; tests do."""
    nonce = np.frombuffer(nonce_of(name), np.uint8)
    pads = expand(seed_bytes(seed)[None], nonce[None], len(row))
    return np.asarray((row + pads[0]).view(np.int16).astype(np.int8))


# ---- measurements ----


def quantise(x: F32) -> I8:
    """Return f32[d] scaled and rounded (half to even) to i8[d], with the greatest length <= 127 that a scale gives.

    The scale is found by bisection in float64 down to neighbouring numbers, so the answer depends on nothing else.
    Raises `NormRule` for a vector that is zero or not finite, or when no scale gives a length within 120 .. 127.
    """
    wide = given("x", x, np.float32, (None,)).astype(np.float64)
    length = float(np.sqrt((wide * wide).sum()))
    if not (np.isfinite(length) and length > 0):
        raise NormRule("a vector without a direction cannot be quantised")
    low, high = 0.0, 2.0 * (NORM_MAX + float(np.sqrt(len(wide)))) / length
    while low < (middle := low + (high - low) / 2.0) < high:
        rounded = np.rint(wide * middle)
        low, high = (middle, high) if (rounded * rounded).sum() <= NORM_MAX * NORM_MAX else (low, middle)
    rounded = np.rint(wide * low)
    if (rounded * rounded).sum() < NORM_MIN * NORM_MIN:
        raise NormRule("no scale gives this vector a length within 120 .. 127")
    return np.asarray(rounded.astype(np.int8))


def gaussians(seed: bytes, name: bytes, count: int) -> F64:
    """Return f64[count] standard normals by Box-Muller, two for each two words of PRG(seed, name)."""
    words = stream(seed, name, 2 * -(-count // 2)).reshape(-1, 2) >> np.uint64(11)
    radius = np.sqrt(-2.0 * np.log((words[:, 0] + 1.0) * 2.0**-53))
    angle = 2.0 * np.pi * (words[:, 1] * 2.0**-53)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count]


def rotation(seed: bytes, d: int) -> F32:
    """Return a gallery's rotation f32[d, d], Haar over O(d), from 32 bytes; `rotation @ x` turns a vector.

    Step m = 1 .. d draws v, m normals of PRG(seed, label("moiety/rotation/1", d)), and multiplies the last m rows from
    the left by -sign(v_1) (I - 2uu'), which takes e_1 to v/|v|; u = v + sign(v_1)|v|e_1, made unit. float64 inside.
    """
    normals = gaussians(seed, label("moiety/rotation/1", d), d * (d + 1) // 2)
    turned = np.eye(d)
    start = 0
    for m in range(1, d + 1):
        u = normals[start : start + m].copy()
        start += m
        sign = 1.0 if u[0] >= 0 else -1.0
        u[0] += sign * np.sqrt(u @ u)
        corner = turned[d - m :, d - m :]
        corner -= np.outer(u, u @ corner) * (2.0 / (u @ u))
        corner *= -sign
    return turned.astype(np.float32)


# ---- scores and bit-planes ----


def ring_dot(rows: U16, probes: U16, out: U16 | None = None) -> U16:
    """Return u16[q, n]: <rows u16[n, d], probes u16[q, d]> mod 2^16, exact."""
    rows = given("rows", rows, np.uint16, (None, None))
    probes = given("probes", probes, np.uint16, (None, rows.shape[1]))
    out = target("out", out, np.uint16, (len(probes), len(rows)))
    out[:] = probes @ rows.T  # NumPy's integer product wraps at 16 bits
    return out


def below_threshold(partial: U16, threshold: int, out: U16 | None = None) -> U16:
    """Return A's input to the sign test, partial - threshold mod 2^16, in the shape of `partial` (may be `out`)."""
    partial = given("partial", partial, np.uint16, (None,) * partial.ndim)
    out = target("out", out, np.uint16, partial.shape)
    return np.subtract(partial, np.uint16(threshold & 0xFFFF), out=out)


def slice_bits(values: U16, bits: int = 16, out: U64 | None = None) -> U64:
    """Return u64[bits, ceil(m / 64)]: bit i of value j is bit j % 64 of word j // 64 of plane i; padding is 0."""
    values = given("values", values, np.uint16, (None,))
    if not 1 <= bits <= 16:  # noqa: PLR2004 - a u16 has 16 bits
        raise ShapeRule("a value has 1 .. 16 bits")
    out = target("out", out, np.uint64, (bits, words_for(len(values))))
    padded = np.zeros(out.shape[1] * WORD_BITS, np.uint16)
    padded[: len(values)] = values
    for i in range(bits):
        out[i] = np.packbits((padded >> np.uint16(i)) & np.uint16(1), bitorder="little").view("<u8")
    return out


def ring_planes(rows: U16, probes: U16, thresholds: U16, out: U64 | None = None) -> U64:
    """Return u64[16, blocks * q]: the bit-planes of the ring product less a threshold u16[q] for each probe.

    A block is 64 rows (the last is filled up with zeros); word `block * q + p` has those of probe p, row by row.
    """
    thresholds = given("thresholds", thresholds, np.uint16, (len(probes),))
    out = target("out", out, np.uint64, (16, words_for(len(rows)) * len(probes)))
    blocks = words_for(len(rows))
    scores = np.zeros((len(probes), blocks * WORD_BITS), np.uint16)
    scores[:, : len(rows)] = ring_dot(rows, probes)
    scores -= thresholds[:, None]
    by_probe = slice_bits(scores.reshape(-1)).reshape(16, len(probes), blocks)
    out[:] = by_probe.transpose(0, 2, 1).reshape(16, -1)
    return out


def unslice(planes: U64, count: int) -> U16:
    """Undo `slice_bits`: return u16[count] from u64[bits, words]."""
    values = np.zeros(planes.shape[1] * WORD_BITS, np.uint16)
    for i, plane in enumerate(planes):
        values |= np.unpackbits(plane.view(np.uint8), bitorder="little").astype(np.uint16) << np.uint16(i)
    return values[:count]


# ---- the sign test, one step a function; words are u64, 64 comparisons each ----


def triple_words(
    key: bytes, sid: bytes, bit: int, tag: Tag, words: int, first_word: int = 0, out: U64 | None = None
) -> U64:
    """Return u64[words] of one letter of one party's triples for one bit of the ring, from the key it has of the mint.

    A chunk of a longer exchange passes the `first_word` (a multiple of 8) at which it begins.
    """
    return stream(key, triple_label(sid, bit, tag), words, first_word, out)


def mint_gamma(
    key_a: bytes, key_b: bytes, sid: bytes, bit: int, words: int, first_word: int = 0, out: U64 | None = None
) -> U64:
    """Return gamma_B u64[words], all that the mint sends: it makes each triple of `bit` true.

    Bit 0: gamma_A ^ gamma_B = alpha_A & beta_B. Later bits: (alpha_A ^ alpha_B) & (beta_A ^ beta_B).
    """
    alpha = triple_words(key_a, sid, bit, "alpha", words, first_word)
    beta = triple_words(key_b, sid, bit, "beta", words, first_word)
    if bit > 0:
        alpha ^= triple_words(key_b, sid, bit, "alpha", words, first_word)
        beta ^= triple_words(key_a, sid, bit, "beta", words, first_word)
    out = triple_words(key_a, sid, bit, "gamma", words, first_word, out)
    out ^= alpha & beta
    return out


def mint_gammas(
    key_a: bytes,
    key_b: bytes,
    sid: bytes,
    bit: int,
    bits: int,
    words: int,
    first_word: int = 0,
    out: U64 | None = None,
) -> U64:
    """Return u64[bits, words]: `mint_gamma` of each bit from `bit` on."""
    out = target("out", out, np.uint64, (bits, words))
    for row in range(bits):
        mint_gamma(key_a, key_b, sid, bit + row, words, first_word, out[row])
    return out


def first_send(plane: U64, mask: U64, out: U64 | None = None) -> U64:
    """Return the message of bit 0: A sends d = a_0 ^ alpha_A, B sends e = b_0 ^ beta_B; each u64[words]."""
    plane, mask, out = same_words(plane, mask, out=out)
    np.bitwise_xor(plane, mask, out=out)
    return out


def first_carry(theirs: U64, factor: U64, gamma: U64, out: U64 | None = None) -> U64:
    """Return a share of the carry out of bit 0, gamma ^ (theirs & factor): A's factor is alpha_A, B's is plane b_0."""
    theirs, factor, gamma, out = same_words(theirs, factor, gamma, out=out)
    np.bitwise_xor(gamma, theirs & factor, out=out)
    return out


def next_send(party: Party, plane: U64, carry: U64, alpha: U64, beta: U64, out: U64 | None = None) -> U64:
    """Return the message u64[2, words] = (d, e) of a bit 1 .. k-2 from the bit's plane and the carry so far.

    A's shares of the product's factors are x = a_i ^ c_A and y = c_A, B's are x = c_B and y = b_i ^ c_B;
    d = x ^ alpha, e = y ^ beta.
    """
    plane, carry, alpha, beta, _ = same_words(plane, carry, alpha, beta, out=None)
    out = target("out", out, np.uint64, (2, len(plane)))
    own_x, own_y = (plane ^ carry, carry) if party == "A" else (carry, plane ^ carry)
    np.bitwise_xor(own_x, alpha, out=out[0])
    np.bitwise_xor(own_y, beta, out=out[1])
    return out


def next_carry(party: Party, carry: U64, mine: U64, theirs: U64, alpha: U64, beta: U64, gamma: U64) -> None:
    """Turn the carry share into that of the next bit, in place, from both messages u64[2, words] and this bit's triple.

    With d and e opened: carry ^= gamma ^ (d & beta) ^ (e & alpha), and A alone also ^= d & e.
    """
    carry = target("carry", carry, np.uint64, (carry.size,))
    alpha, beta, gamma, _ = same_words(alpha, beta, gamma, out=carry)
    mine = given("mine", mine, np.uint64, (2, len(carry)))
    theirs = given("theirs", theirs, np.uint64, (2, len(carry)))
    d, e = mine[0] ^ theirs[0], mine[1] ^ theirs[1]
    carry ^= gamma ^ (d & beta) ^ (e & alpha)
    if party == "A":
        carry ^= d & e


def final_share(party: Party, plane: U64, carry: U64, out: U64 | None = None) -> U64:
    """Return the share of h = [s >= t] from the top plane: A's is ~(a ^ c_A), B's is b ^ c_B; h is their xor.

    Bits past the last comparison come out as 1 when joined: whoever reads h stops at the count (`positions` does).
    """
    plane, carry, out = same_words(plane, carry, out=out)
    np.bitwise_xor(plane, carry, out=out)
    if party == "A":
        np.invert(out, out=out)
    return out


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
    """Take one round's step: finish bit `bit - 1` with the other's message, then give the message of `bit`.

    `planes` u64[k, w]; step 0 needs no message, step k - 1 gives the share u64[1, w] instead of one. `work` u64[5, w]
    carries d, e, alpha, beta and the carry from step to step; what is returned, u64[1 or 2, w], is a view of its head.
    `gamma` u64[w] is the mint's word of bit `bit - 1` at B; None draws A's own.
    """
    rounds_given(bit, planes, work, theirs, gamma)
    work = target("work", work, np.uint64, work.shape)
    words, last = work.shape[1], len(planes) - 1
    mine, (_, _, alpha, beta, carry) = work[:2], work

    def draw(at: int, tag: Tag, out: U64 | None = None) -> U64:
        return triple_words(key, sid, at, tag, words, first_word, out)

    if theirs is None:
        mask = draw(0, "alpha", alpha) if party == "A" else draw(0, "beta", beta)
        first_send(planes[0], mask, mine[0])
        return work[:1]
    gamma = draw(bit - 1, "gamma") if gamma is None else gamma
    if bit == 1:
        first_carry(theirs[0], alpha if party == "A" else planes[0], gamma, carry)
    else:
        next_carry(party, carry, mine.copy(), theirs, alpha, beta, gamma)
    if bit == last:
        final_share(party, planes[last], carry, mine[0])
        return work[:1]
    next_send(party, planes[bit], carry, draw(bit, "alpha", alpha), draw(bit, "beta", beta), mine)
    return mine
