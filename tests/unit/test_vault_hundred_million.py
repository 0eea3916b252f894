"""A hundred million comparisons, both halves and the mint in full, equal the plain integer results bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from moiety.kernel import expand, mint_gamma, ring_planes, split_many, to_ring
from moiety.vault.comparison import ROUNDS, Half, Rooms, spans
from moiety.vault.transcript import Transcript

DIM = 128
PROBES = 64
ROWS = {"a few": 20_000, "a hundred million": 1_600_000}
KEYS, SID = (b"a" * 32, b"b" * 32), b"s" * 32


@pytest.mark.parametrize(
    "rows", [ROWS["a few"], pytest.param(ROWS["a hundred million"], marks=pytest.mark.slow)], ids=ROWS
)
def test_protected_results_are_those_of_plain_integers(rows: int) -> None:
    rng = np.random.default_rng(9)
    templates = rng.integers(-9, 10, (rows, DIM), np.int8)
    probes = rng.integers(-14, 15, (PROBES, DIM), np.int8)
    # Every threshold has its share of hits, and scores on both sides of it next to it.
    thresholds = rng.integers(0, 1200, PROBES).astype(np.uint16)
    seeds, nonces = rng.integers(0, 256, (rows, 32), np.uint8), rng.integers(0, 256, (rows, 12), np.uint8)
    lanes = split_many(templates, seeds, nonces), expand(seeds, nonces, DIM)
    rooms = Rooms(dealt=False), Rooms(dealt=True)
    blocks = -(-rows // 64)
    ring, none = to_ring(probes), np.zeros(PROBES, np.uint16)
    compared = hits = 0
    for index, span in enumerate(spans(PROBES, blocks)):
        with rooms[0].lent(span.words) as room_a, rooms[1].lent(span.words) as room_b:
            a = Half("A", KEYS[0], SID, span, room_a, Transcript(KEYS[0], index))
            b = Half("B", KEYS[1], SID, span, room_b, Transcript(KEYS[0], index))
            part = slice(span.low * 64, span.high * 64)
            ring_planes(lanes[0][part], ring, thresholds, a.planes)
            ring_planes(lanes[1][part], ring, none, b.planes)
            for bit in range(ROUNDS):
                mint_gamma(*KEYS, SID, bit, span.words, span.first, b.gammas[bit])
            for number in range(ROUNDS):
                to_b, to_a = a.send(number), b.send(number)
                a.receive(to_a)
                b.receive(to_b)
            assert a.digest() == b.digest()
            words = np.ascontiguousarray((a.share() ^ b.share()).T)
            said = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, : len(templates[part])]
            # Whole numbers below 2^24 are exact in f32.
            plain = probes.astype(np.float32) @ templates[part].astype(np.float32).T >= thresholds[:, None]
            assert np.array_equal(said, plain)
            compared += said.size
            hits += int(plain.sum())
    assert compared == rows * PROBES
    assert 0.05 < hits / compared < 0.5
