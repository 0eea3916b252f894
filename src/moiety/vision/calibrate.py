"""From photos of different people to a table: false-match rate to cosine.

Every pair of photos of two different people is an impostor pair. Their cosines are counted in a histogram by blocks,
so memory does not grow with the number of pairs. Source for the "rule of 30": Doddington et al., Speech
Communication 31, 2000: for a rate to be within 30 % at 90 % confidence, 30 errors must have been seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from moiety.foundation.errors import BadInput
from moiety.vision.folders import embed_all, photos_by_person
from moiety.vision.manifest import FMRS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from moiety.vision.eyesight import Eyesight

    Floats = npt.NDArray[np.float32]
    Counts = npt.NDArray[np.int64]

_BINS: Final = 40_000  # over -1 to 1: a step of 0.00005
_BLOCK: Final = 2048
_RULE_OF_30: Final = 30


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `cosine` is None where the rate is below one pair; `reached` is the number of impostor pairs at or above it;
    `genuine_pass` the share of pairs of one person that pass, None where there are none; `note` says what to mind.
    """

    fmr: float
    cosine: float | None
    reached: int
    genuine_pass: float | None
    note: str


@dataclass(frozen=True)
class Calibration:
    """A table with what it stands on."""

    model: str
    model_sha256: str
    people: int
    photos: int
    faces_missed: int
    impostor_pairs: int
    genuine_pairs: int
    rows: tuple[Row, ...]

    def thresholds(self) -> dict[str, float | None]:
        """Give the table in the form of a manifest."""
        return {f"{row.fmr:.0e}".replace("e-0", "e-"): row.cosine for row in self.rows}


def calibrate(eyes: Eyesight, folder: Path, progress: Callable[[int, int], None] | None = None) -> Calibration:
    """Embed the central face of every photo (layout: `photos_by_person`) and make the table.

    `progress` gets (photos done, photos). Raises `BadInput` where fewer than two people have a face.
    """
    people = photos_by_person(folder)
    photos = [path for paths in people.values() for path in paths]
    labels = np.array([number for number, paths in enumerate(people.values()) for _ in paths])
    vectors = embed_all(eyes, photos, progress)
    seen = np.array([vector is not None for vector in vectors])
    stacked = [vector for vector in vectors if vector is not None]
    if len(np.unique(labels[seen])) < 2:  # noqa: PLR2004 - an impostor pair needs two people
        raise BadInput("Calibration needs photos of at least two people whose faces are found.")
    impostors, genuine = count_pairs(np.stack(stacked), labels[seen])
    return Calibration(
        model=eyes.model.name,
        model_sha256=eyes.model.sha256,
        people=len(people),
        photos=len(photos),
        faces_missed=int((~seen).sum()),
        impostor_pairs=int(impostors.sum()),
        genuine_pairs=int(genuine.sum()),
        rows=tuple(_row(fmr, impostors, genuine) for fmr in FMRS),
    )


def count_pairs(vectors: Floats, labels: npt.NDArray[np.int64]) -> tuple[Counts, Counts]:
    """Count the cosines of all pairs of rows of `vectors` f32[n, d], length 1, with `labels` i64[n].

    Gives two histograms i64[40000] over -1 to 1: pairs of different labels, pairs of one label.
    """
    impostors, genuine = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    for top in range(0, len(vectors), _BLOCK):
        rows = slice(top, top + _BLOCK)
        for left in range(top, len(vectors), _BLOCK):
            columns = slice(left, left + _BLOCK)
            cosine = vectors[rows] @ vectors[columns].T
            same = labels[rows][:, None] == labels[columns][None]
            if left == top:
                # On the diagonal block each pair stands twice and each photo beside itself: keep one triangle.
                upper = np.triu(np.ones(cosine.shape, bool), 1)
                impostors += _histogram(cosine[upper & ~same])
                genuine += _histogram(cosine[upper & same])
            else:
                impostors += _histogram(cosine[~same])
                genuine += _histogram(cosine[same])
    return impostors, genuine


def _histogram(cosine: Floats) -> Counts:
    place = np.clip(((cosine + 1) * (_BINS / 2)).astype(np.int64), 0, _BINS - 1)
    return np.bincount(place, minlength=_BINS)


def _row(fmr: float, impostors: Counts, genuine: Counts) -> Row:
    """Take the lowest edge of a bin that at most `fmr` of the impostor pairs reach."""
    pairs, allowed = int(impostors.sum()), int(fmr * int(impostors.sum()))
    if allowed < 1:
        return Row(fmr, None, 0, None, f"not measurable: {pairs} impostor pairs cannot show one in {1 / fmr:,.0f}")
    reached_from = np.concatenate([np.cumsum(impostors[::-1])[::-1], [0]])
    edge = int(np.nonzero(reached_from <= allowed)[0][0])
    reached = int(reached_from[edge])
    passing = float(genuine[edge:].sum() / genuine.sum()) if genuine.sum() else None
    few = f"only {reached} impostor pairs reach it; 30 are needed for a reliable rate" if reached < _RULE_OF_30 else ""
    # Four decimals, rounded up: never looser than measured.
    cosine = float(np.ceil((edge * 2 / _BINS - 1) * 1e4) / 1e4)
    return Row(fmr, cosine, reached, passing, few)
