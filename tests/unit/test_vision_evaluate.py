"""Evaluation and calibration on made-up vectors whose right answer is known by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.foundation.errors import BadInput
from moiety.vision.calibrate import _BINS, _row, count_pairs
from moiety.vision.evaluate import Measured, best_threshold, far_threshold, read_pairs, report
from moiety.vision.folders import photos_by_person

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "lfw"
    for name in ("Ann_Lee", "Bo"):
        (folder / name).mkdir(parents=True)
        for number in (1, 2):
            (folder / name / f"{name}_{number:04d}.jpg").touch()
    (folder / "Cy_0001.png").touch()
    return folder


def pairs_file(images: Path, header: str, lines: int) -> Path:
    body = ["Ann_Lee 1 2" if number % 2 == 0 else "Ann_Lee 1 Bo 2" for number in range(lines)]
    path = images.parent / "pairs.txt"
    path.write_text("\n".join([header, *body]) + "\n")
    return path


@pytest.mark.parametrize(("header", "lines", "folds"), [("2\t3", 12, 2), ("3", 12, 2), ("10 1", 20, 10), ("1", 20, 10)])
def test_both_kinds_of_header_are_read(images: Path, header: str, lines: int, folds: int) -> None:
    pairs = read_pairs(pairs_file(images, header, lines), images)
    assert len(pairs) == lines
    assert [pair.fold for pair in pairs] == [number // (lines // folds) for number in range(lines)]
    assert pairs[0].same
    assert not pairs[1].same
    assert pairs[1].second.name == "Bo_0002.jpg"


def test_one_fold_is_dealt_out_to_ten(images: Path) -> None:
    pairs = read_pairs(pairs_file(images, "1 10", 20), images)
    assert {pair.fold for pair in pairs} == set(range(10))


def test_photos_may_lie_without_folders(images: Path) -> None:
    path = images.parent / "pairs.txt"
    path.write_text("1 1\nCy 1 1\nCy 1 Bo 1\n")
    assert read_pairs(path, images)[0].first.name == "Cy_0001.png"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "form of LFW"),
        ("Ann 1 2\n", "form of LFW"),
        ("3 300\nAnn_Lee 1 2\n", "first line"),
        ("2 1\nAnn_Lee 1 2\nAnn_Lee 1 2\n", "says 2 folds, there are 1"),
        ("0\nAnn_Lee 1 2\n", "first line"),
        ("1 1\nAnn_Lee 1 9\nBo 1 2\n", "no photo Ann_Lee_0009"),
        ("1 1\nAnn_Lee 1\nBo 1 2\n", "three nor four"),
        ("1 1\n../Bo 1 2\nBo 1 2\n", "does not name"),
        ("1 1\nBo x 2\nBo 1 2\n", "does not name"),
    ],
)
def test_wrong_lists_are_refused(images: Path, text: str, words: str) -> None:
    path = images.parent / "pairs.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        read_pairs(path, images)


def test_the_best_threshold_lies_midway() -> None:
    cosine = np.array([0.1, 0.2, 0.6, 0.8], np.float32)
    assert best_threshold(cosine, np.array([False, False, True, True])) == pytest.approx(0.4)
    assert best_threshold(cosine, np.array([False, True, False, True])) == pytest.approx(0.4, abs=0.31)


def test_all_of_one_kind_has_a_threshold_beyond_them() -> None:
    cosine = np.array([0.1, 0.2], np.float32)
    assert best_threshold(cosine, np.array([True, True])) < 0.1
    assert best_threshold(cosine, np.array([False, False])) > 0.2
    with pytest.raises(BadInput):
        best_threshold(cosine[:0], np.zeros(0, bool))


def test_the_far_threshold_lets_exactly_its_share_pass() -> None:
    impostors = np.linspace(-1, 0.999, 2000, dtype=np.float32)
    threshold = far_threshold(impostors, 1e-3)
    assert (impostors >= threshold).sum() == 2
    assert (impostors[:500] >= far_threshold(impostors[:500], 1e-3)).sum() == 0
    with pytest.raises(BadInput):
        far_threshold(impostors[:0], 1e-3)


def vectors_with(cosines: list[float]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    first = np.tile(np.array([1, 0], np.float32), (len(cosines), 1))
    second = np.array([[c, np.sqrt(1 - c * c)] for c in cosines], np.float32)
    return first, second


def test_a_missed_face_counts_as_wrong_whatever_the_truth() -> None:
    cosines = [0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1]
    first, second = vectors_with(cosines)
    missed = np.array([True, True, False, False, False, False, False, False])
    measured = Measured(
        first * ~missed[:, None], second * ~missed[:, None], np.array([True, False] * 4), np.arange(8) // 4, missed, 2
    )
    found = report(measured)
    assert found.accuracy == pytest.approx(6 / 8)
    assert found.tar == pytest.approx(3 / 4)
    assert found.far == 0.0
    assert (found.pairs, found.folds, found.faces_missed) == (8, 2, 2)


def test_thresholds_come_from_the_other_folds() -> None:
    # In fold 0 genuine pairs are at 0.5, in fold 1 at 0.9 with impostors at 0.6: each fold's own threshold would be
    # perfect; with the other's, fold 0 loses its genuine pairs and fold 1 accepts its impostors.
    first, second = vectors_with([0.5, 0.1, 0.9, 0.6])
    measured = Measured(first, second, np.array([True, False] * 2), np.array([0, 0, 1, 1]), np.zeros(4, bool), 0)
    assert report(measured).accuracy == pytest.approx(0.5)


def test_every_answer_comes_from_the_given_decision() -> None:
    first, second = vectors_with([0.9, 0.1, 0.9, 0.1])
    measured = Measured(first, second, np.array([True, False] * 2), np.array([0, 0, 1, 1]), np.zeros(4, bool), 0)
    asked: list[float] = []

    def refuse_all(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], threshold: float) -> npt.NDArray[np.bool_]:
        assert a.shape == b.shape
        asked.append(threshold)
        return np.zeros(len(a), bool)

    found = report(measured, refuse_all)
    assert found.accuracy == 0.5
    assert found.tar == 0.0
    assert asked[:2] == pytest.approx([0.5, 0.5])


def test_pairs_are_counted_as_one_by_one() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(4200, 8)).astype(np.float32)  # more than two blocks
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = rng.integers(0, 60, len(vectors))
    impostors, genuine = count_pairs(vectors, labels)
    rows, columns = np.triu_indices(len(vectors), 1)
    same = labels[rows] == labels[columns]
    cosine = np.concatenate([np.einsum("nd,nd->n", vectors[r], vectors[c]) for r, c in ((rows, columns),)])
    assert impostors.sum() == (~same).sum()
    assert genuine.sum() == same.sum()
    place = int((0.5 + 1) * _BINS / 2)
    assert abs(int(impostors[place:].sum()) - int((cosine[~same] >= 0.5).sum())) <= 3
    assert abs(int(genuine[place:].sum()) - int((cosine[same] >= 0.5).sum())) <= 3


def test_a_rate_below_one_pair_has_no_cosine() -> None:
    impostors, genuine = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    impostors[20_000:20_100] = 10  # 1,000 pairs at cosine 0 to 0.005
    hundredth = _row(1e-2, impostors, genuine)
    assert hundredth.cosine == pytest.approx(0.005, abs=1e-4)
    assert hundredth.reached == 10
    assert hundredth.genuine_pass is None
    assert "30 are needed" in hundredth.note
    assert _row(1e-3, impostors, genuine).cosine is not None
    below = _row(1e-4, impostors, genuine)
    assert below.cosine is None
    assert "1000 impostor pairs" in below.note


def test_genuine_pairs_that_pass_are_counted() -> None:
    impostors, genuine = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    impostors[20_000] = 100_000
    impostors[30_000] = 100
    genuine[10_000], genuine[25_000], genuine[35_000] = 1, 2, 7
    row = _row(1e-3, impostors, genuine)
    assert row.cosine == pytest.approx(0.0001, abs=1e-4)
    assert row.reached == 100
    assert row.genuine_pass == pytest.approx(0.9)
    assert row.note == ""


def test_people_are_folders_or_the_name_before_the_number(tmp_path: Path) -> None:
    (tmp_path / "Ann").mkdir()
    for path in ("Ann/x.JPG", "Ann/y.png", "Bo_Li_0001.jpg", "Bo_Li_0002.webp", "cy.jpeg", "notes.txt", ".hidden.jpg"):
        (tmp_path / path).touch()
    found = photos_by_person(tmp_path)
    assert {name: len(photos) for name, photos in found.items()} == {"Ann": 2, "Bo_Li": 2, "cy": 1}
    with pytest.raises(BadInput, match="no folder"):
        photos_by_person(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="picture"):
        photos_by_person(tmp_path / "empty")
