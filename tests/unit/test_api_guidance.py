"""Hints at a camera: each sentence of the eye about a face becomes a hint, and each hint has a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from moiety.api.guidance import HINTS, hints
from moiety.vision.quality import Light, Pose, judge

GOOD: dict[str, Any] = {
    "embedding_length": 20.0,
    "length_min": 10.0,
    "light": Light(20.0, 120.0),
    "size_px": 200.0,
    "pose": Pose(0.0, 0.0, 0.0),
    "inside": 1.0,
}
WRONG: dict[str, dict[str, Any]] = {
    "closer": {"size_px": 20.0},
    "still": {"light": Light(0.1, 120.0)},
    "light": {"light": Light(20.0, 5.0)},
    "shade": {"light": Light(20.0, 250.0)},
    "straight": {"pose": Pose(-70.0, 0.0, 0.0)},
    "lower": {"pose": Pose(0.0, 60.0, 0.0)},
    "higher": {"pose": Pose(0.0, -60.0, 0.0)},
    "upright": {"pose": Pose(0.0, 0.0, 60.0)},
    "middle": {"inside": 0.5},
    "uncovered": {"embedding_length": 1.0},
}


@pytest.mark.parametrize("hint", WRONG)
def test_what_the_eye_says_becomes_a_hint(hint: str) -> None:
    reasons = list(judge(**(GOOD | WRONG[hint])).reasons)
    assert hints("poor-quality", reasons) == [hint]


def test_every_hint_has_a_cause_and_a_good_face_has_none() -> None:
    assert judge(**GOOD).reasons == ()
    assert hints("", []) == []
    assert hints("no-face", []) == ["nobody"]
    assert hints("many-faces", ["the face is blurred"]) == ["alone", "still"]
    assert set(HINTS) == set(WRONG) | {"alone", "nobody"}
