"""What a protected search must agree with: plain integers, bit for bit; floats, but for the rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moiety import kernel
from moiety.matching.thresholds import SCORE_OF_ONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BLOCK = 16_384
NEAR = 0.02
MOVED = 0.015
PAIRS = 20_000


def different(
    words: NDArray[np.uint64],
    probes: NDArray[np.int8],
    rows: int,
    threshold: int,
    templates: Callable[[int, int], NDArray[np.int8]],
) -> tuple[int, int]:
    """Count the bits of an answer u64[q, blocks] that differ from plain integers', and the plain hits.

    `templates(start, count)` gives rows i8[count, d]. Their scores are whole numbers below 2^24, which f32 holds
    exactly, so a float product gives them.
    """
    wrong = hits = 0
    answered = words.view(np.uint8)
    wanted = probes.astype(np.float32)
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        plain = wanted @ templates(start, count).astype(np.float32).T >= threshold
        said = np.unpackbits(answered[:, start // 8 : (start + count + 7) // 8], axis=1, bitorder="little", count=count)
        wrong += int(np.count_nonzero(said != plain))
        hits += int(np.count_nonzero(plain))
    return wrong, hits


def floats(dim: int, cosine: float) -> dict[str, Any]:
    """Say how often rounded vectors decide as floats do, for pairs whose cosine is within NEAR of the threshold.

    Elsewhere they always do: rounding moves a cosine by 0.003 as a rule and seldom by MOVED. Of all comparisons of a
    search nearly none is so close.
    """
    rng = np.random.default_rng(8)
    wanted = rng.uniform(cosine - NEAR, cosine + NEAR, PAIRS)
    first, across = (rng.standard_normal((PAIRS, dim)) for _ in "xy")
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    across -= np.einsum("ij,ij->i", across, first)[:, None] * first
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    second = wanted[:, None] * first + np.sqrt(1 - wanted**2)[:, None] * across
    rounded = [np.stack([kernel.quantise(one) for one in side.astype(np.float32)]) for side in (first, second)]
    scores = np.einsum("ij,ij->i", rounded[0].astype(np.int64), rounded[1].astype(np.int64))
    same = (scores >= round(cosine * SCORE_OF_ONE)) == (wanted >= cosine)
    moved = scores / SCORE_OF_ONE - wanted
    return {
        "measure": "float_agreement",
        "dim": dim,
        "pairs": PAIRS,
        "threshold": round(cosine, 4),
        "within": NEAR,
        "same_percent": round(100 * float(same.mean()), 3),
        f"same_percent_beyond_{MOVED}": round(100 * float(same[np.abs(wanted - cosine) > MOVED].mean()), 3),
        "rounding_moves_sd": round(float(moved.std()), 5),
        "rounding_moves_max": round(float(np.abs(moved).max()), 5),
    }


def searched(dim: int, cosine: float, among: int, probes: int = 64, rows: int = 20_000) -> dict[str, Any]:
    """Say how often a whole search decides as floats do; each probe is in the middle of `among` rows."""
    rng = np.random.default_rng(9)
    gallery = rng.standard_normal((rows, dim)).astype(np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    asked = np.stack([gallery[rng.choice(rows, among, replace=False)].sum(axis=0) for _ in range(probes)])
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    plain = asked @ gallery.T >= cosine
    # Whole numbers below 2^24, which f32 holds exactly.
    whole = [np.stack([kernel.quantise(one) for one in side]).astype(np.float32) for side in (asked, gallery)]
    rounded = whole[0] @ whole[1].T >= round(cosine * SCORE_OF_ONE)
    return {
        "measure": "search_agreement",
        "dim": dim,
        "comparisons": plain.size,
        "threshold": round(cosine, 4),
        "hits_of_floats": int(plain.sum()),
        "same_percent": round(100 * float((plain == rounded).mean()), 4),
    }
