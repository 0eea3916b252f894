"""What a thief can do with bytes: look for words, for faces, and for order where there should be noise."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.fft import next_fast_len
from scipy.stats import chi2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

# How numbers may lie in a file: NumPy types, little-endian, and at which of their bytes a file may begin.
FORMS: tuple[tuple[str, int], ...] = (("i1", 1), ("<i2", 2), ("<f4", 4))
PIECE = 1 << 20


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
                read = np.where(np.isfinite(read) & (np.abs(read) < 1e3), read, 0.0)
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
            size = next_fast_len(len(piece), real=True)
            # Correlation by the convolution theorem; offsets that would wrap round are cut off.
            spectrum = np.fft.rfft(piece, size)
            for index, unit in enumerate(units):
                products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(unit, size)), size)[: len(norms)]
                scores = np.abs(products[usable]) / norms[usable]
                best[index] = max(best[index], float(scores.max(initial=0.0)))
    return best


def uniformity(raw: bytes) -> float:
    """Give the p-value of Pearson's chi-square test that all byte values are equally likely."""
    counts = np.bincount(np.frombuffer(raw, np.uint8), minlength=256)
    expected = len(raw) / 256
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), 255))


def auc(mated: NDArray[Any], others: NDArray[Any]) -> float:
    """Give the probability that a mated pair scores above another one (Mann and Whitney, 1947)."""
    scores = np.concatenate([mated, others])
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    inside = ranks[: len(mated)].sum() - len(mated) * (len(mated) + 1) / 2
    return float(inside / (len(mated) * len(others)))
