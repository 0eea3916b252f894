"""Two enrolments of one face cannot be linked from one half: 20,000 pairs a side through the kernel, fixed seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moiety.kernel import expand, quantise, split_many
from thief import auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIRS = 20_000
DIM = 128
# Cosine of two photos of one person in the middle of what the default model measures.
MATED_COSINE = 0.65
MARGIN = 0.01


def _templates(random: np.random.Generator, like: NDArray[np.float32] | None = None) -> NDArray[np.int8]:
    """Draw templates i8[PAIRS, DIM], each at the mated cosine from one of `like`, if given."""
    drawn = random.standard_normal((PAIRS, DIM))
    if like is not None:
        units = like / np.linalg.norm(like, axis=1, keepdims=True)
        drawn -= (drawn * units).sum(axis=1, keepdims=True) * units
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        drawn = MATED_COSINE * units + np.sqrt(1 - MATED_COSINE**2) * drawn
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.stack([quantise(one) for one in drawn.astype(np.float32)])


def _halves(
    random: np.random.Generator, templates: NDArray[np.int8], seeds: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """Split as the eye does; gives A's rows, B's pads and B's seeds."""
    if seeds is None:
        seeds = random.integers(0, 256, (len(templates), 32), np.uint8)
    # Each seed is used once, so its nonce may be anything.
    nonces = np.zeros((len(templates), 12), np.uint8)
    return split_many(templates, seeds, nonces), expand(seeds, nonces, DIM), seeds


def _likeness(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score pairs of vectors by their normalised correlation."""
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    scores: NDArray[np.float64] = (first * second).sum(axis=1) / norms
    return scores


def _numbers(words: NDArray[np.uint16]) -> NDArray[np.float64]:
    return words.view(np.int16).astype(np.float64)


def test_one_half_links_nobody() -> None:
    random = np.random.default_rng(20_000)
    first = _templates(random)
    mated, other = _templates(random, first.astype(np.float32)), _templates(random)
    halves = [_halves(random, templates) for templates in (first, mated, other)]

    def separation(numbers: list[NDArray[np.float64]]) -> float:
        return auc(_likeness(numbers[0], numbers[1]), _likeness(numbers[0], numbers[2]))

    rows = [_numbers(rows) for rows, _, _ in halves]
    pads = [_numbers(pads) for _, pads, _ in halves]
    seeds = [seeds.astype(np.float64) for _, _, seeds in halves]
    for half in (rows, pads, seeds):
        assert abs(separation(half) - 0.5) <= MARGIN
    # The control: the templates themselves, and so both halves joined, link everybody.
    joined = [_numbers(a + b) for a, b, _ in halves]
    assert separation(joined) > 0.999


def test_a_seed_used_twice_would_link_everybody() -> None:
    random = np.random.default_rng(20_001)
    first = _templates(random)
    mated, other = _templates(random, first.astype(np.float32)), _templates(random)
    row, _, seeds = _halves(random, first)
    again, _, _ = _halves(random, mated, seeds)
    strange, _, _ = _halves(random, other)

    def small(one: NDArray[np.uint16], two: NDArray[np.uint16]) -> NDArray[np.float64]:
        distance: NDArray[np.float64] = np.abs(_numbers(one - two)).sum(axis=1)
        return -distance

    assert auc(small(row, again), small(row, strange)) > 0.999
