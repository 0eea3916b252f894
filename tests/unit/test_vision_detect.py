"""Boxes: overlap, suppression, and the rule that chooses between the two detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.vision.detect import AccurateDetector, FastDetector, Found, choose, overlap, suppress

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

PICTURE = np.zeros((480, 640, 3), np.uint8)


def found(*faces: tuple[float, float, float, float, float]) -> Found:
    rows = np.array(faces, np.float32).reshape(-1, 5)
    return Found(rows[:, :4], rows[:, 4])


class Saw:
    """A detector that has already looked."""

    def __init__(self, answer: Found) -> None:
        self.answer = answer
        self.asked: list[int | None] = []

    def find(self, rgb: npt.NDArray[np.uint8], side_max: int | None = None) -> Found:
        assert rgb is PICTURE
        self.asked.append(side_max)
        return self.answer


class Answers:
    """A network that gives fixed outputs and remembers what it was fed."""

    def __init__(self, *outputs: npt.NDArray[np.float32]) -> None:
        self.outputs = outputs
        self.fed: list[npt.NDArray[np.float32]] = []

    def run(self, blob: npt.NDArray[np.float32]) -> Sequence[npt.NDArray[np.float32]]:
        self.fed.append(blob)
        return self.outputs


def test_overlap_is_intersection_over_union() -> None:
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert overlap(box, others) == pytest.approx([1.0, 1 / 3, 0.0])


def test_suppression_keeps_the_best_of_each_heap() -> None:
    kept = suppress(
        np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32), np.array([0.7, 0.9, 0.8], np.float32)
    )
    assert kept.scores == pytest.approx([0.9, 0.8])
    assert kept.boxes[:, 0] == pytest.approx([1, 50])


def test_suppression_of_nothing_is_nothing() -> None:
    assert len(suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))) == 0


@pytest.mark.parametrize(
    ("fast", "asks_again"),
    [
        (found((100, 100, 200, 240, 0.99)), False),
        (found((100, 100, 200, 240, 0.99), (300, 100, 400, 240, 0.95)), False),
        (found(), True),
        (found((100, 100, 200, 240, 0.70)), True),
        (found((100, 100, 200, 240, 0.35)), True),
        (found((100, 100, 200, 240, 0.99), (300, 100, 400, 240, 0.6)), True),
        (found((100, 100, 130, 140, 0.99)), True),
        (found((100, 100, 200, 240, 0.99), (300, 100, 330, 140, 0.99)), True),
    ],
    ids=["one clear", "two clear", "none", "unsure", "hardly one", "a doubtful second", "small", "a small second"],
)
def test_only_clear_faces_are_left_to_the_fast_detector(fast: Found, asks_again: bool) -> None:  # noqa: FBT001 - a table
    accurate = Saw(found((1, 2, 3, 4, 0.9)))
    answer = choose(PICTURE, Saw(fast), accurate)
    assert len(accurate.asked) == int(asks_again)
    assert np.array_equal(answer.boxes, (accurate.answer if asks_again else fast).boxes)


def test_the_fast_detector_undoes_its_scaling() -> None:
    scores = np.zeros((1, 2, 2), np.float32)
    scores[0, :, 1] = [0.9, 0.1]
    boxes = np.array([[[0.25, 0.5, 0.5, 1.0], [0, 0, 1, 1]]], np.float32)
    network = Answers(scores, boxes)
    # 960 x 960 shrinks to 240 x 240 in a 320 x 240 frame: one pixel of the frame is four of the picture.
    seen = FastDetector(network).find(np.full((960, 960, 3), 255, np.uint8))
    assert seen.boxes.tolist() == [[320, 480, 640, 960]]
    assert network.fed[0].shape == (1, 3, 240, 320)
    assert network.fed[0][0, :, 100, 100] == pytest.approx([1.0] * 3)
    assert network.fed[0][0, :, 100, 300] == pytest.approx([-127 / 128] * 3)


def test_the_accurate_detector_decodes_its_heat_map() -> None:
    heat = np.zeros((1, 1, 80, 80), np.float32)
    heat[0, 0, 20, 40] = 0.9
    size = np.full((1, 2, 80, 80), np.log(10), np.float32)  # e^size * 4 = 40 pixels
    offset = np.full((1, 2, 80, 80), 0.25, np.float32)
    network = Answers(heat, size, offset, np.zeros((1, 10, 80, 80), np.float32))
    # 640 x 640 within a limit of 320: the frame is half as large.
    seen = AccurateDetector(network, side_max=320).find(np.zeros((640, 640, 3), np.uint8))
    centre_x, centre_y = (40.75 * 4) * 2, (20.75 * 4) * 2
    assert seen.boxes[0] == pytest.approx([centre_x - 40, centre_y - 40, centre_x + 40, centre_y + 40], abs=1e-3)
    assert network.fed[0].shape == (1, 3, 320, 320)


def test_the_accurate_detector_pads_to_multiples_of_32() -> None:
    empty = np.zeros((1, 1, 88, 120), np.float32)
    network = Answers(empty, empty.repeat(2, 1), empty.repeat(2, 1), empty.repeat(10, 1))
    assert len(AccurateDetector(network).find(PICTURE[:330, :450])) == 0
    assert network.fed[0].shape == (1, 3, 352, 480)


def test_a_hardly_likely_candidate_does_not_spoil_a_clear_face() -> None:
    accurate = Saw(found())
    seen = choose(PICTURE, Saw(found((100, 100, 200, 240, 0.99), (300, 100, 400, 240, 0.4))), accurate)
    assert seen.scores.tolist() == pytest.approx([0.99])
    assert accurate.asked == []


@pytest.mark.parametrize(
    ("high", "side"), [(10, 1920), (30, 640), (200, 480)], ids=["small: more pixels", "in between", "large: fewer"]
)
def test_the_smallest_candidate_sets_the_pixels_of_the_accurate_look(high: int, side: int) -> None:
    accurate = Saw(found())
    choose(PICTURE, Saw(found((0, 0, 300, 300, 0.9), (400, 0, 450, high, 0.6))), accurate)
    assert accurate.asked == [side]


def test_the_accurate_detector_obeys_a_lower_limit() -> None:
    empty = np.zeros((1, 1, 40, 40), np.float32)
    network = Answers(empty, empty.repeat(2, 1), empty.repeat(2, 1), empty.repeat(10, 1))
    AccurateDetector(network).find(np.zeros((640, 640, 3), np.uint8), 160)
    assert network.fed[0].shape == (1, 3, 160, 160)
    AccurateDetector(network, side_max=320).find(np.zeros((640, 640, 3), np.uint8), 2000)
    assert network.fed[1].shape == (1, 3, 320, 320)
