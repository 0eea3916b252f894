"""Verification accuracy on labelled pairs in the format of Labeled Faces in the Wild.

Source: Huang et al., "Labeled Faces in the Wild", UMass Amherst TR 07-49, 2007: k folds, the threshold of each fold
from the others. A pair with a missed face counts as answered wrongly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from moiety.foundation.errors import BadInput
from moiety.vision.folders import SUFFIXES, embed_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moiety.vision.eyesight import Eyesight

Floats = npt.NDArray[np.float32]
Bits = npt.NDArray[np.bool_]

# Two stacks of embeddings f32[n, d], row against row, and a cosine: is each pair the same person?
Decide = Callable[[Floats, Floats, float], Bits]

# One fold alone cannot take its threshold from others: it is dealt out to this many.
_FOLDS_OF_ONE: Final = 10
_FAR: Final = 1e-3
# Scores of the protected path are whole numbers up to 127 * 127; rounding moves a cosine by 0.015 at the most.
_GRID: Final = 127 * 127
_SEARCH: Final = 0.05
_SAME_FIELDS, _DIFFERENT_FIELDS = 3, 4


@dataclass(frozen=True)
class Pair:
    """Two photos, whether they show one person, and the fold they belong to."""

    first: Path
    second: Path
    same: bool
    fold: int


@dataclass(frozen=True)
class Measured:
    """The embeddings of all pairs: `first` and `second` f32[n, d], zeros where `missed` bool[n]."""

    first: Floats
    second: Floats
    same: Bits
    fold: npt.NDArray[np.int64]
    missed: Bits
    faces_missed: int

    @property
    def cosine(self) -> Floats:
        """Cosine of each pair, f32[n]; 0 where a face was missed."""
        return np.asarray(np.einsum("nd,nd->n", self.first, self.second), np.float32)


@dataclass(frozen=True)
class Report:
    """What came out: `accuracy` over all pairs, `tar` the genuine pairs that pass where `far` of the others do.

    `tar_threshold` is the cosine that belongs to it; `far` is what was really reached, at most 1e-3.
    """

    pairs: int
    folds: int
    accuracy: float
    tar: float
    tar_threshold: float
    far: float
    faces_missed: int


def read_pairs(file: Path, images: Path) -> list[Pair]:
    """Read a `pairs.txt` of any number of folds.

    The first line is `folds matched-per-fold`, or `matched-per-fold` alone; then come, for each fold, as many
    matched (`name n1 n2`) and as many mismatched (`name1 n1 name2 n2`) pairs.
    Raises `BadInput` for a file of another form and for a photo that is not there.
    """
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        header = [int(word) for word in lines[0]]
    except (OSError, ValueError, IndexError):
        raise BadInput(f"The file {file.name} is not a list of pairs in the form of LFW.") from None
    body, per_fold = lines[1:], 2 * header[-1]
    if len(header) not in {1, 2} or per_fold <= 0 or not body or len(body) % per_fold:
        raise BadInput(f"The first line of {file.name} does not fit its number of pairs.")
    folds = len(body) // per_fold
    if len(header) == 2 and header[0] != folds:  # noqa: PLR2004 - folds and pairs, as the docstring says
        raise BadInput(f"The first line of {file.name} says {header[0]} folds, there are {folds}.")
    pairs = []
    for number, words in enumerate(body):
        fold = number // per_fold if folds > 1 else number % _FOLDS_OF_ONE
        pairs.append(_pair(words, images, fold))
    return pairs


def measure(eyes: Eyesight, pairs: Sequence[Pair], progress: Callable[[int, int], None] | None = None) -> Measured:
    """Embed the central face of every photo once; `progress` gets (photos done, photos)."""
    photos = sorted({photo for pair in pairs for photo in (pair.first, pair.second)})
    vectors = dict(zip(photos, embed_all(eyes, photos, progress), strict=True))
    nothing = np.zeros(eyes.model.dim, np.float32)

    def stack(side: Sequence[Path]) -> Floats:
        found = [vectors[photo] for photo in side]
        return np.stack([nothing if vector is None else vector for vector in found])

    return Measured(
        first=stack([pair.first for pair in pairs]),
        second=stack([pair.second for pair in pairs]),
        same=np.array([pair.same for pair in pairs]),
        fold=np.array([pair.fold for pair in pairs]),
        missed=np.array([vectors[pair.first] is None or vectors[pair.second] is None for pair in pairs]),
        faces_missed=sum(vector is None for vector in vectors.values()),
    )


def plain(first: Floats, second: Floats, threshold: float) -> Bits:
    """Decide in the open: the cosine against the threshold. The protected path is another `Decide`."""
    return np.asarray(np.einsum("nd,nd->n", first, second) >= threshold)


def report(measured: Measured, decide: Decide = plain) -> Report:
    """Score all pairs: every answer comes from `decide`.

    The thresholds of the folds come from plain cosines of the other folds; the one for the false-accept rate is the
    lowest at which `decide` itself keeps to that rate.
    """
    cosine, same, seen = measured.cosine, measured.same, ~measured.missed
    right = np.zeros(len(same), bool)
    for fold in np.unique(measured.fold):
        here = measured.fold == fold
        others = ~here & seen
        asked = np.nonzero(here & seen)[0]
        threshold = best_threshold(cosine[others], same[others])
        right[asked] = decide(measured.first[asked], measured.second[asked], threshold) == same[asked]
    others = seen & ~same
    strict = far_threshold(cosine[others], _FAR)
    if decide is not plain:
        strict = _own_threshold(decide, measured.first[others], measured.second[others], strict)
    accepted = np.zeros(len(same), bool)
    accepted[seen] = decide(measured.first[seen], measured.second[seen], strict)
    return Report(
        pairs=len(same),
        folds=len(np.unique(measured.fold)),
        accuracy=float(right.mean()),
        tar=float(accepted[same].mean()) if same.any() else 0.0,
        tar_threshold=strict,
        far=float(accepted[~same].mean()) if (~same).any() else 0.0,
        faces_missed=measured.faces_missed,
    )


def best_threshold(cosine: Floats, same: Bits) -> float:
    """Give the cosine that answers most pairs rightly, midway between the two cosines it parts."""
    if not len(cosine):
        raise BadInput("There is no other fold to take a threshold from.")
    order = np.argsort(cosine, kind="stable")
    ranked, genuine = cosine[order].astype(np.float64), same[order]
    # With the threshold before rank i, the impostors below it and the genuine ones from it on are right.
    right = np.concatenate([[0], np.cumsum(~genuine)]) + genuine.sum() - np.concatenate([[0], np.cumsum(genuine)])
    edges = np.concatenate([[ranked[0] - 1e-3], (ranked[1:] + ranked[:-1]) / 2, [ranked[-1] + 1e-3]])
    best = np.nonzero(right == right.max())[0]
    return float(edges[best[len(best) // 2]])


def far_threshold(impostors: Floats, far: float) -> float:
    """Give the lowest cosine that at most the share `far` of `impostors` f32[n] reaches."""
    if not len(impostors):
        raise BadInput("There are no pairs of different people.")
    ranked = np.sort(impostors)[::-1]
    first_refused = float(ranked[int(far * len(ranked))])
    return float(np.nextafter(np.float32(first_refused), np.float32(2)))


def _own_threshold(decide: Decide, first: Floats, second: Floats, near: float) -> float:
    """Find by halving the lowest cosine, on a grid of 1/16,129, at which `decide` accepts at most the share _FAR."""
    low, high = round((near - _SEARCH) * _GRID), round((near + _SEARCH) * _GRID)
    while low < high:
        middle = (low + high) // 2
        if float(decide(first, second, middle / _GRID).mean()) <= _FAR:
            high = middle
        else:
            low = middle + 1
    return low / _GRID


def _pair(words: list[str], images: Path, fold: int) -> Pair:
    if len(words) == _SAME_FIELDS:
        name, first, second = words
        return Pair(_photo(images, name, first), _photo(images, name, second), same=True, fold=fold)
    if len(words) == _DIFFERENT_FIELDS:
        name, first, other, second = words
        return Pair(_photo(images, name, first), _photo(images, other, second), same=False, fold=fold)
    raise BadInput("A line of the pairs has neither three nor four words.")


def _photo(images: Path, name: str, number: str) -> Path:
    """Find `NAME/NAME_0001.jpg`, or the same beside the others without a folder."""
    if not number.isdecimal() or "/" in name or name.startswith("."):
        raise BadInput("A line of the pairs does not name a photo.")
    stem = f"{name}_{int(number):04d}"
    for folder in (images / name, images):
        for suffix in SUFFIXES:
            if (path := folder / f"{stem}{suffix}").is_file():
                return path
    raise BadInput(f"There is no photo {stem} in {images.name}.")
