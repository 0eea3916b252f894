"""Both halves and the mint in one process, for measurements only: the same kernel and sign test, without wire or disk.

It sees both halves, which no part of a running installation ever does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import ExchangeAborted
from moiety.kernel import (
    below_threshold,
    expand,
    mint_gammas,
    positions,
    quantise,
    ring_dot,
    rotation,
    slice_bits,
    split_many,
    to_ring,
)
from moiety.matching.thresholds import SCORE_OF_ONE
from moiety.vault.comparison import ROUNDS, Half, Room, spans
from moiety.vault.transcript import Transcript

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Rehearsal:
    """One rotation and one pair of mint keys, drawn afresh."""

    def __init__(self, dim: int) -> None:
        """Draw the secrets for vectors of `dim` numbers."""
        self._dim = dim
        self._rotation = rotation(os.urandom(32), dim)
        self._keys = (os.urandom(32), os.urandom(32))

    def measure(self, embeddings: NDArray[np.float32]) -> NDArray[np.int8]:
        """Rotate and round f32[n, d] to i8[n, d]."""
        turned = embeddings @ self._rotation.T
        return np.stack([quantise(np.ascontiguousarray(one)) for one in turned])

    def split(self, templates: NDArray[np.int8]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Split i8[n, d] into A's rows and B's pads, u16[n, d] each."""
        seeds = np.frombuffer(os.urandom(32 * len(templates)), np.uint8).reshape(-1, 32)
        nonces = np.zeros((len(templates), 12), np.uint8)
        return split_many(templates, seeds, nonces), expand(seeds, nonces, self._dim)

    def decide(self, first: NDArray[np.float32], second: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
        """Say of each pair of rows of f32[n, d] whether it reaches the cosine, by split, ring product and sign test."""
        rows, pads = self.split(self.measure(first))
        probes = to_ring(self.measure(second))
        from_a, from_b = (
            np.array([ring_dot(lanes[i : i + 1], probes[i : i + 1])[0, 0] for i in range(len(lanes))], np.uint16)
            for lanes in (rows, pads)
        )
        decided = np.zeros(len(first), bool)
        decided[self.sign_test(from_a, from_b, round(threshold * SCORE_OF_ONE))] = True
        return decided

    def sign_test(self, from_a: NDArray[np.uint16], from_b: NDArray[np.uint16], threshold: int) -> NDArray[np.int64]:
        """Run the sign test on partial scores u16[n]; gives the positions that reach the threshold."""
        sid, key = os.urandom(32), os.urandom(32)
        planes = slice_bits(below_threshold(from_a, threshold)), slice_bits(from_b)
        shares = [np.empty(0, np.uint64)]
        for index, span in enumerate(spans(1, planes[0].shape[1])):
            a = Half("A", self._keys[0], sid, span, Room(span.words, dealt=False), Transcript(key, index))
            b = Half("B", self._keys[1], sid, span, Room(span.words, dealt=True), Transcript(key, index))
            for half, whole in ((a, planes[0]), (b, planes[1])):
                half.planes[:] = whole[:, span.low : span.high]
            mint_gammas(*self._keys, sid, 0, ROUNDS, span.words, span.first, b.gammas)
            for number in range(ROUNDS):
                to_b, to_a = a.send(number), b.send(number)
                a.receive(to_a)
                b.receive(to_b)
            if a.digest() != b.digest():
                raise ExchangeAborted
            shares.append((a.share() ^ b.share()).reshape(-1))
        return positions(np.concatenate(shares), len(from_a))
