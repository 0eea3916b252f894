"""ChaCha20 streams, pads, splitting and the mint's bits; see `moiety.kernel.reference` for what each computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from moiety.kernel.arrays import BLOCK_WORDS, I8, SEED_BYTES, U8, U16, U32, U64, first_block, given, seed_bytes, target
from moiety.kernel.errors import NormRule
from moiety.kernel.fast.jit import LANES, compiled, filled, inlined, taken
from moiety.kernel.fast.simd import chacha_blocks
from moiety.kernel.labels import NONCE_BYTES, Tag, nonce_of, triple_label
from moiety.kernel.norms import SCORE_MAX

_SIGMA = np.frombuffer(b"expand 32-byte k", np.uint32)
_BLOCK_U16 = 32  # u16 values in one block
WORDS = LANES * BLOCK_WORDS  # u64 words in one register of blocks
_PADS = LANES * _BLOCK_U16  # u16 values in one register of blocks
_MINT_WORDS = 2048  # a chunk's streams, 16 KiB each, stay in the core's own cache
_SPLIT_ROWS = 64  # 64 KiB of rows at d = 512

_u32, _u64 = types.uint32, types.uint64
_KEYS, _NONCES = taken(_u32, 2), taken(_u32, 2)


# ---- inside compiled code ----


@inlined
def _load(start: U32, lane: int, key: U32, nonce: U32) -> None:
    """Put a key and a nonce into one lane of the initial states."""
    for i in range(4):
        start[i, lane] = _SIGMA[i]
    for i in range(8):
        start[4 + i, lane] = key[i]
    for i in range(3):
        start[13 + i, lane] = nonce[i]


@inlined
def all_lanes(start: U32, key: U32, nonce: U32) -> None:
    """Put one key and nonce into all lanes."""
    for i in range(4):
        start[i, :] = _SIGMA[i]
    for i in range(8):
        start[4 + i, :] = key[i]
    for i in range(3):
        start[13 + i, :] = nonce[i]


@inlined
def fill(start: U32, first: int, scratch: U64, out: U64) -> None:
    """Write the keystream of the states' key and nonce from block `first` on."""
    at = 0
    while at < len(out):
        for lane in range(LANES):
            start[12, lane] = np.uint32(first + lane)
        first += LANES
        if at + WORDS <= len(out):
            chacha_blocks(start, out, at)
        else:
            chacha_blocks(start, scratch, 0)
            out[at:] = scratch[: len(out) - at]
        at += WORDS


@inlined
def _expand_blocks(keys: U32, nonces: U32, start: U32, scratch: U16, flat: U16, blocks: int) -> None:
    """Fill `flat`, `blocks` whole blocks a record: lane after lane takes the next block, whatever record it is of."""
    total = len(keys) * blocks
    record, block = 0, 0
    for done in range(0, total, LANES):
        for lane in range(LANES):
            if record < len(keys):
                _load(start, lane, keys[record], nonces[record])
                start[12, lane] = np.uint32(block)
                block += 1
                if block == blocks:
                    record, block = record + 1, 0
        if done + LANES <= total:
            chacha_blocks(start, flat, done * _BLOCK_U16)
        else:
            chacha_blocks(start, scratch, 0)
            flat[done * _BLOCK_U16 :] = scratch[: (total - done) * _BLOCK_U16]


@inlined
def _expand_rows(keys: U32, nonces: U32, start: U32, scratch: U16, out: U16) -> None:
    """Fill rows a whole register of blocks at a time, each record by itself."""
    for record in range(len(keys)):
        all_lanes(start, keys[record], nonces[record])
        for at in range(0, out.shape[1], _PADS):
            for lane in range(LANES):
                start[12, lane] = np.uint32(at // _BLOCK_U16 + lane)
            if at + _PADS <= out.shape[1]:
                chacha_blocks(start, out, record * out.shape[1] + at)
            else:
                chacha_blocks(start, scratch, 0)
                out[record, at:] = scratch[: out.shape[1] - at]


@inlined
def _expand_into(keys: U32, nonces: U32, out: U16) -> None:
    start = np.empty((16, LANES), np.uint32)
    scratch = np.empty(_PADS, np.uint16)
    if out.shape[1] % _BLOCK_U16 == 0 and out.shape[1] % _PADS != 0:
        _expand_blocks(keys, nonces, start, scratch, out.reshape(-1), out.shape[1] // _BLOCK_U16)
    else:
        _expand_rows(keys, nonces, start, scratch, out)


# ---- compiled ----


@compiled(_KEYS, _NONCES, types.int64, filled(_u64, 1))
def _stream(keys: U32, nonces: U32, first: int, out: U64) -> None:
    start = np.empty((16, LANES), np.uint32)
    all_lanes(start, keys[0], nonces[0])
    fill(start, first, np.empty(WORDS, np.uint64), out)


@compiled(_KEYS, _NONCES, filled(types.uint16, 2))
def _expand(keys: U32, nonces: U32, out: U16) -> None:
    _expand_into(keys, nonces, out)


@compiled(taken(types.int8, 2), _KEYS, _NONCES, filled(types.uint16, 2))
def _split(templates: I8, keys: U32, nonces: U32, out: U16) -> None:
    for low in range(0, len(templates), _SPLIT_ROWS):
        high = min(low + _SPLIT_ROWS, len(templates))
        _expand_into(keys[low:high], nonces[low:high], out[low:high])
        for row in range(low, high):
            for k in range(out.shape[1]):
                out[row, k] = np.uint16(templates[row, k]) - out[row, k]


@compiled(taken(types.int8, 2), filled(types.int64, 1))
def _longest_sq(templates: I8, longest: Any) -> None:
    for row in range(len(templates)):
        total = np.int64(0)
        for k in range(templates.shape[1]):
            total += np.int64(templates[row, k]) * np.int64(templates[row, k])
        longest[0] = max(longest[0], total)


@inlined
def _mint_bit(keys: U32, nonces: U32, first: int, parts: U64, scratch: U64, out: U64) -> None:
    """XOR (row 1 ^ row 2) & (row 3 ^ row 4) into row 0, by rows of keys; three rows: row 1 & row 2."""
    streams = len(keys)
    start = np.empty((streams, 16, LANES), np.uint32)
    for i in range(streams):
        all_lanes(start[i], keys[i], nonces[i])
    for low in range(0, len(out), _MINT_WORDS):
        count = min(_MINT_WORDS, len(out) - low)
        for i in range(streams):
            fill(start[i], first + low // BLOCK_WORDS, scratch, parts[i, :count])
        if streams == 3:  # noqa: PLR2004 - gamma and the two factors of bit 0
            for k in range(count):
                out[low + k] = parts[0, k] ^ (parts[1, k] & parts[2, k])
        else:
            for k in range(count):
                out[low + k] = parts[0, k] ^ ((parts[1, k] ^ parts[2, k]) & (parts[3, k] ^ parts[4, k]))


@compiled(_KEYS, taken(_u32, 3), types.int64, types.int64, filled(_u64, 2))
def _mint(keys: U32, nonces: U32, bit: int, first: int, out: U64) -> None:
    """Fill a row for each bit from `bit` on; the last three keys are those of bit 0."""
    scratch = np.empty(WORDS, np.uint64)
    parts = np.empty((5, _MINT_WORDS), np.uint64)
    for row in range(len(out)):
        chosen = keys[5:] if bit + row == 0 else keys[:5]
        _mint_bit(chosen, nonces[row, : len(chosen)], first, parts, scratch, out[row])


# ---- called from Python ----


def quads(raw: U8) -> U32:
    """Return u8[n, 4m] as u32[n, m], copied only when it does not lie on a 4-byte boundary."""
    return np.require(raw.view(np.uint32), requirements=["C", "A"])


def _nonce(name: bytes) -> U8:
    return np.frombuffer(nonce_of(name), np.uint8)


def nonce_quads(name: bytes) -> U32:
    """Return the nonce of a label as u32[1, 3]."""
    return quads(_nonce(name)[None])


def stream(seed: bytes, name: bytes, words: int, first_word: int = 0, out: U64 | None = None) -> U64:
    """Return u64[words] of PRG(seed, name); twin of `reference.stream`."""
    first = first_block(first_word, words)
    out = target("out", out, np.uint64, (words,))
    _stream(quads(seed_bytes(seed)[None]), quads(_nonce(name)[None]), first, out)
    return out


def expand(seeds: U8, nonces: U8, d: int, out: U16 | None = None) -> U16:
    """Return the pads u16[n, d] of u8[n, 32] seeds and u8[n, 12] nonces; twin of `reference.expand`."""
    seeds = given("seeds", seeds, np.uint8, (None, SEED_BYTES))
    nonces = given("nonces", nonces, np.uint8, (len(seeds), NONCE_BYTES))
    out = target("out", out, np.uint16, (len(seeds), d))
    _expand(quads(seeds), quads(nonces), out)
    return out


def split(template: I8, seed: bytes, name: bytes) -> U16:
    """Return A's row u16[d] of a template i8[d]; twin of `reference.split`, raises `NormRule`."""
    template = given("template", template, np.int8, (None,))
    return np.asarray(split_many(template[None], seed_bytes(seed)[None], _nonce(name)[None])[0])


def split_many(templates: I8, seeds: U8, nonces: U8, out: U16 | None = None) -> U16:
    """Return A's rows u16[n, d] of templates i8[n, d]; twin of `reference.split_many`, raises `NormRule`."""
    templates = given("templates", templates, np.int8, (None, None))
    longest = np.zeros(1, np.int64)
    _longest_sq(templates, longest)
    if longest[0] > SCORE_MAX:
        raise NormRule("a template is longer than 127")
    seeds = given("seeds", seeds, np.uint8, (len(templates), SEED_BYTES))
    nonces = given("nonces", nonces, np.uint8, (len(templates), NONCE_BYTES))
    out = target("out", out, np.uint16, templates.shape)
    _split(templates, quads(seeds), quads(nonces), out)
    return out


def triple_words(
    key: bytes, sid: bytes, bit: int, tag: Tag, words: int, first_word: int = 0, out: U64 | None = None
) -> U64:
    """Return u64[words] of one letter of a party's triples; twin of `reference.triple_words`."""
    return stream(key, triple_label(sid, bit, tag), words, first_word, out)


def mint_gamma(
    key_a: bytes, key_b: bytes, sid: bytes, bit: int, words: int, first_word: int = 0, out: U64 | None = None
) -> U64:
    """Return gamma_B u64[words]; twin of `reference.mint_gamma`. All streams of a chunk stay in the core's cache."""
    out = target("out", out, np.uint64, (words,))
    mint_gammas(key_a, key_b, sid, bit, 1, words, first_word, out.reshape(1, words))
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
    """Return gamma_B u64[bits, words] of the bits from `bit` on; twin of `reference.mint_gammas`."""
    first = first_block(first_word, words)
    out = target("out", out, np.uint64, (bits, words))
    letters: list[Tag] = ["gamma", "alpha", "alpha", "beta", "beta"]
    nonces = np.empty((bits, 5, 3), np.uint32)
    for row in range(bits):
        drawn = {tag: nonce_quads(triple_label(sid, bit + row, tag))[0] for tag in letters[::2]}
        named: list[Tag] = ["gamma", "alpha", "beta", "beta", "beta"] if bit + row == 0 else letters
        nonces[row] = [drawn[tag] for tag in named]
    later = [key_a, key_a, key_b, key_a, key_b]
    of_bit_0 = [key_a, key_a, key_b]
    keys = np.stack([seed_bytes(key) for key in (*later, *of_bit_0)])
    _mint(quads(keys), nonces, bit, first, out)
    return out
