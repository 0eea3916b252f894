"""The pieces of a protected search one by one, on one thread: what a profile of the whole is read against.

Each line has its sizes and its best and median seconds of REPEATS runs after one that is not counted.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moiety import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 7
BITS = 16
STREAM_WORDS = 1 << 22
CHUNK_WORDS = 1 << 15
PAD_ROWS_MAX = 200_000
PIECE_BYTES = 1 << 20
Line = dict[str, Any]


def timed(work: Callable[[], object]) -> Line:
    """Return the best and median seconds of REPEATS runs after one that is not counted."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return {"best_s": min(taken), "median_s": statistics.median(taken)}


def rated(line: Line, unit: str, amount: float) -> Line:
    """Return the line with `amount` a second, by the median."""
    return line | {unit: round(amount / line["median_s"], 2), "threads": 1}


def products(rows: int, dim: int, batch: int) -> list[Line]:
    """Measure one vault's share of the comparing: partial scores u16[q, n], and at once as bit-planes."""
    rng = np.random.default_rng(1)
    lanes = rng.integers(0, 1 << 16, (rows, dim), np.uint16)
    lines = []
    for size in sorted({1, batch}):
        probes = kernel.to_ring(rng.integers(-20, 21, (size, dim), np.int8))
        out, planes = np.empty((size, rows), np.uint16), np.empty((BITS, -(-rows // 64) * size), np.uint64)
        less = np.zeros(size, np.uint16)
        for name, work in (
            ("ring_dot", lambda probes=probes, out=out: kernel.ring_dot(lanes, probes, out)),
            (
                "ring_planes",
                lambda probes=probes, planes=planes, less=less: kernel.ring_planes(lanes, probes, less, planes),
            ),
        ):
            sizes = {"measure": name, "rows": rows, "dim": dim, "batch": size}
            lines.append(rated(sizes | timed(work), "million_comparisons_per_s", rows * size / 1e6))
    return lines


def streams(rows: int, dim: int) -> list[Line]:
    """Measure one long keystream, the pads of many records, the mint's words, and a message's tag beside a hash."""
    count = min(rows, PAD_ROWS_MAX)
    rng = np.random.default_rng(2)
    seeds, nonces = rng.integers(0, 256, (count, 32), np.uint8), rng.integers(0, 256, (count, 12), np.uint8)
    words, pads = np.empty(STREAM_WORDS, np.uint64), np.empty((count, dim), np.uint16)
    key, other = bytes(range(32)), bytes(32)
    piece, tags = bytes(PIECE_BYTES), AESGCM(key)
    cases: list[tuple[Line, Callable[[], object], int]] = [
        (
            {"measure": "stream", "bytes": words.nbytes},
            lambda: kernel.stream(key, b"bench", STREAM_WORDS, 0, words),
            words.nbytes,
        ),
        (
            {"measure": "expand", "rows": count, "dim": dim},
            lambda: kernel.expand(seeds, nonces, dim, pads),
            pads.nbytes,
        ),
        (
            {"measure": "mint_gamma", "bytes": words.nbytes},
            lambda: kernel.mint_gamma(key, other, b"bench", 1, STREAM_WORDS, 0, words),
            words.nbytes,
        ),
        ({"measure": "gmac_tag", "bytes": PIECE_BYTES}, lambda: tags.encrypt(bytes(12), b"", piece), PIECE_BYTES),
        ({"measure": "sha256", "bytes": PIECE_BYTES}, lambda: hashlib.sha256(piece).digest(), PIECE_BYTES),
    ]
    return [rated(line | timed(work), "gb_per_s", size / 1e9) for line, work, size in cases]


def sign_test() -> list[Line]:
    """Measure each party's local work of the sign test on one chunk, its own triples included."""
    rng = np.random.default_rng(3)
    planes = rng.integers(0, 1 << 63, (BITS, CHUNK_WORDS), np.uint64)
    theirs, gamma = rng.integers(0, 1 << 63, (2, CHUNK_WORDS), np.uint64), planes[0]
    work = np.zeros((5, CHUNK_WORDS), np.uint64)

    def party(name: kernel.Party) -> Callable[[], None]:
        def whole() -> None:
            kernel.advance(name, bytes(32), b"bench", 0, planes, work)
            for bit in range(1, BITS):
                message = theirs[: 1 if bit == 1 else 2]
                kernel.advance(name, bytes(32), b"bench", bit, planes, work, message, None if name == "A" else gamma)

        return whole

    comparisons = 64 * CHUNK_WORDS
    parties: tuple[kernel.Party, ...] = ("A", "B")
    return [
        rated(
            {"measure": f"sign_test_{name.lower()}", "comparisons": comparisons} | timed(party(name)),
            "million_comparisons_per_s",
            comparisons / 1e6,
        )
        for name in parties
    ]
