"""Quality: each fault by its own words, the limits themselves, the angles of a head that is turned on purpose."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from moiety.vision import quality
from moiety.vision.quality import Light, Pose, judge, light_of, pose_of

GOOD: dict[str, Any] = {
    "embedding_length": 4.0,
    "length_min": 2.2,
    "light": Light(8.0, 130.0),
    "size_px": 90.0,
    "pose": Pose(0.0, 0.0, 0.0),
    "inside": 1.0,
}


def test_a_good_face_is_enrollable_without_a_word() -> None:
    found = judge(**GOOD)
    assert found.enrollable
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size_px": 20.0}, "the face is too small: 20 px, 40 needed"),
        ({"light": Light(0.3, 130.0)}, "the face is blurred"),
        ({"light": Light(8.0, 10.0)}, "the face is too dark"),
        ({"light": Light(8.0, 250.0)}, "the face is too bright"),
        ({"pose": Pose(70.0, 0.0, 0.0)}, "the face is turned too far to the side"),
        ({"pose": Pose(-70.0, 0.0, 0.0)}, "the face is turned too far to the side"),
        ({"pose": Pose(0.0, 60.0, 0.0)}, "the face looks too far up"),
        ({"pose": Pose(0.0, -60.0, 0.0)}, "the face looks too far down"),
        ({"pose": Pose(0.0, 0.0, 80.0)}, "the head leans too far to one side"),
        ({"inside": 0.5}, "the face is cut off by the edge of the picture"),
        ({"embedding_length": 1.0}, "the face is hard to recognise: covered, dark, far off or not a face"),
    ],
)
def test_each_fault_has_its_own_words(change: dict[str, object], words: str) -> None:
    found = judge(**{**GOOD, **change})
    assert not found.enrollable
    assert found.reasons == (words,)


def test_all_faults_are_named_together() -> None:
    found = judge(
        embedding_length=0.5,
        length_min=2.2,
        light=Light(0.1, 5.0),
        size_px=8,
        pose=Pose(80, 60, 80),
        inside=0.2,
    )
    assert len(found.reasons) == 8


def test_a_model_whose_length_says_nothing_is_not_judged_by_it() -> None:
    assert judge(**{**GOOD, "length_min": None, "embedding_length": 0.1}).enrollable


def test_the_dictionary_rounds_to_sensible_digits() -> None:
    found = judge(**{**GOOD, "embedding_length": 4.12345, "size_px": 90.4}).as_dict()
    assert found["embedding_length"] == 4.12
    assert found["size_px"] == 90
    assert found["enrollable"] is True
    assert found["reasons"] == []


def head_seen_from(yaw: float, pitch: float, roll: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Turn and project the mean head of the module; only the ten landmarks that are used."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_p = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn_r = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    seen = (quality._HEAD @ (turn_r @ turn_p @ turn_y).T)[:, :2] * 1.7 + [300, 200]
    shape = np.zeros((68, 2), np.float32)
    shape[list(quality._PLACES)] = seen
    return shape


@pytest.mark.parametrize("degrees", [-40.0, -15.0, 0.0, 15.0, 40.0])
def test_each_angle_is_found_alone(degrees: float) -> None:
    assert pose_of(head_seen_from(degrees, 0, 0)).yaw_deg == pytest.approx(degrees, abs=0.5)
    assert abs(pose_of(head_seen_from(0, degrees, 0)).pitch_deg) == pytest.approx(abs(degrees), abs=0.5)
    assert pose_of(head_seen_from(0, 0, degrees)).roll_deg == pytest.approx(degrees, abs=0.5)


def test_signs_are_as_documented() -> None:
    # Turned right in the picture: the nose tip moves right of the eyes' middle. Looking up: it moves up.
    right = head_seen_from(30, 0, 0)
    assert right[30, 0] > right[[36, 45], 0].mean()
    assert pose_of(right).yaw_deg > 0
    straight, up = head_seen_from(0, 0, 0), head_seen_from(0, 30, 0)
    assert up[30, 1] - up[[36, 45], 1].mean() < straight[30, 1] - straight[[36, 45], 1].mean()
    assert pose_of(up).pitch_deg > 0
    lean = head_seen_from(0, 0, 20)
    assert lean[45, 1] > lean[36, 1]
    assert pose_of(lean).roll_deg > 0


def test_blur_lowers_sharpness_and_darkness_does_not() -> None:
    rng = np.random.default_rng(3)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (112, 112, 3), dtype=np.uint8), (0, 0), 1.0)
    sharp = light_of(np.asarray(texture, np.uint8))
    blurred = light_of(np.asarray(cv2.GaussianBlur(texture, (0, 0), 4.0), np.uint8))
    dark = light_of((texture // 3).astype(np.uint8))
    assert blurred.sharpness < sharp.sharpness / 4
    assert dark.sharpness == pytest.approx(sharp.sharpness, rel=0.15)
    assert dark.brightness < sharp.brightness / 2


def test_a_plain_crop_is_not_sharp() -> None:
    assert light_of(np.full((112, 112, 3), 90, np.uint8)) == Light(0.0, 90.0)
