"""Both halves and the mint in one process, for measurements only: the same kernel and sign test, without wire or disk.

It sees both halves, which no part of a running installation ever does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from moiety.kernel import expand, mint_gamma, positions, quantise, ring_dot, rotation, split_many, to_ring
from moiety.matching.thresholds import SCORE_OF_ONE
from moiety.vault.comparison import ROUNDS, Half, planes_of, spans

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
        partials = [
            np.array([[ring_dot(lanes[i : i + 1], probes[i : i + 1])[0, 0] for i in range(len(lanes))]], np.uint16)
            for lanes in (rows, pads)
        ]
        hits = self.sign_test(partials[0], partials[1], round(threshold * SCORE_OF_ONE))[0]
        decided = np.zeros(len(first), bool)
        decided[hits] = True
        return decided

    def sign_test(
        self, from_a: NDArray[np.uint16], from_b: NDArray[np.uint16], threshold: int
    ) -> list[NDArray[np.int64]]:
        """Run the sign test on partial scores u16[k, n]; gives the positions of each line that reach the threshold."""
        sid = os.urandom(32)
        thresholds = np.full(len(from_a), threshold)
        planes_a, planes_b = planes_of("A", from_a, thresholds), planes_of("B", from_b, thresholds)
        shares = []
        for span in spans(planes_a.shape[1]):
            a = Half("A", planes_a, self._keys[0], sid, span)
            b = Half("B", planes_b, self._keys[1], sid, span)
            dealt = [mint_gamma(*self._keys, sid, bit, span.words, span.first) for bit in range(ROUNDS)]
            b.take_gammas(np.stack(dealt))
            for number in range(ROUNDS):
                to_b, to_a = a.send(number), b.send(number)
                a.receive(to_a.data)
                b.receive(to_b.data)
            shares.append(a.share() ^ b.share())
        joined = np.concatenate(shares).reshape(len(from_a), -1)
        return [positions(np.ascontiguousarray(line), from_a.shape[1]) for line in joined]
