"""What a thief can do with bytes: look for words, for faces, and for order where there should be noise."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

# How numbers may lie in a file: NumPy types, little-endian, and at which of their bytes a file may begin.
FORMS: tuple[tuple[str, int], ...] = (("i1", 1), ("<i2", 2), ("<f4", 4))
PIECE = 1 << 20
BYTES = 256
VALUE_MAX = 1e3
# Random bytes reach 0.25 in a few megabytes: 1 / sqrt(512) is one standard deviation.
CHANCE = 0.3
# Below this probability bytes are not noise; above this distance of the AUC from a half, one half links people.
P_LEAST = 1e-6
AUC_MARGIN = 0.01


def spellings(word: str) -> dict[str, bytes]:
    """Give the ways in which a word may stand in a file."""
    raw = word.encode()
    found = {"utf-8": raw, "utf-16le": word.encode("utf-16-le"), "utf-16be": word.encode("utf-16-be")}
    found |= {"hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(), "folded": word.casefold().encode()}
    for shift in range(3):
        # Base64 of a longer text holds one of three forms of the word; its first and last letters depend on neighbours.
        inner = base64.b64encode(bytes(shift) + raw)[4 if shift else 0 : -4]
        found[f"base64+{shift}"] = inner
        found[f"base64url+{shift}"] = base64.urlsafe_b64encode(bytes(shift) + raw)[4 if shift else 0 : -4]
    return found


def _windows(raw: bytes) -> Iterator[Numbers]:
    """Read bytes in every form, from every byte that a number could begin at."""
    for form, size in FORMS:
        for start in range(size):
            whole = (len(raw) - start) // size
            read = np.frombuffer(raw, form, whole, start)
            if form == "<f4":
                # Bytes that are no numbers of ours: an embedding and a template have none above a thousand.
                read = np.where(np.isfinite(read) & (np.abs(read) < VALUE_MAX), read, 0.0)
            yield read.astype(np.float64)


def correlation(raw: bytes, faces: Numbers) -> Numbers:
    """Slide vectors f64[n, d] over bytes read in every form; gives each one's largest |normalised correlation|."""
    best = np.zeros(len(faces))
    width = faces.shape[1]
    units = faces / np.linalg.norm(faces, axis=1, keepdims=True)
    for numbers in _windows(raw):
        for first in range(0, max(len(numbers) - width + 1, 0), PIECE):
            piece = numbers[first : first + PIECE + width - 1]
            sums = np.concatenate([[0.0], np.cumsum(piece * piece)])
            norms = np.sqrt(np.maximum(sums[width:] - sums[:-width], 0.0))
            # Windows with next to nothing in them say nothing, and rounding would make much of them.
            usable = norms > 1e-3 * max(float(norms.max()), 1e-12)
            size = _fast_length(len(piece))
            # Correlation by the convolution theorem; offsets that would wrap round are cut off.
            spectrum = np.fft.rfft(piece, size)
            for index, unit in enumerate(units):
                products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(unit, size)), size)[: len(norms)]
                scores = np.abs(products[usable]) / norms[usable]
                best[index] = max(best[index], float(scores.max(initial=0.0)))
    return best


def _fast_length(least: int) -> int:
    """Give a length at which a Fourier transform is fast: the next 2^k, 3 * 2^k or 5 * 2^k."""
    return min(odd << max(math.ceil(math.log2(least / odd)), 0) for odd in (1, 3, 5))


def uniformity(raw: bytes) -> float:
    """Give the p-value of Pearson's chi-square test that all byte values are equally likely.

    The chi-square distribution is approximated by Wilson and Hilferty (1931), good to 1 % of log p at 255 degrees.
    """
    counts = np.bincount(np.frombuffer(raw, np.uint8), minlength=BYTES)
    expected = len(raw) / BYTES
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    freedom = BYTES - 1
    z = (math.cbrt(chi_square / freedom) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return math.erfc(z / math.sqrt(2)) / 2


def auc(mated: NDArray[Any], others: NDArray[Any]) -> float:
    """Give the probability that a mated pair scores above another one (Mann and Whitney, 1947)."""
    scores = np.concatenate([mated, others])
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    inside = ranks[: len(mated)].sum() - len(mated) * (len(mated) + 1) / 2
    return float(inside / (len(mated) * len(others)))


def likeness(first: Numbers, second: Numbers) -> Numbers:
    """Correlate each of vectors f64[n, d] with each of f64[m, d], means taken off: f64[n, m]."""

    def units(vectors: Numbers) -> Numbers:
        centred = vectors - vectors.mean(axis=1, keepdims=True)
        made: Numbers = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
        return made

    scores: Numbers = units(first) @ units(second).T
    return scores


def linkage(vectors: Numbers, of_one: int) -> float:
    """Say how well vectors f64[n, d] tell whose they are: the first `of_one` are one face's, each other another's.

    All pairs of the one face are mated, all pairs of the others are not: 400 and 400 vectors give 79,800 pairs a
    side. The likenesses of independent pairs are uncorrelated, so the AUC of noise is 0.5 with a deviation of 0.0015.
    """
    one, others = vectors[:of_one], vectors[of_one:]
    mated = likeness(one, one)[np.triu_indices(len(one), 1)]
    strange = likeness(others, others)[np.triu_indices(len(others), 1)]
    return auc(mated, strange)
