"""How good a face is for recognition, in numbers and in plain words.

Limits were measured on the LFW photos of the test data (docs/decisions/0003): practically all of
them pass, a face of 20 pixels does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

SIZE_MIN_PX: Final = 40
SHARPNESS_MIN: Final = 1.0
BRIGHTNESS_MIN: Final = 20.0
BRIGHTNESS_MAX: Final = 240.0
YAW_MAX_DEG: Final = 50.0
PITCH_MAX_DEG: Final = 45.0
ROLL_MAX_DEG: Final = 45.0
INSIDE_MIN: Final = 0.8

# Outer and inner eye corners, nasion, nose tip, nose base, mouth corners, chin (iBUG numbers). Millimetres from the
# middle of the eyes: x to the right of the picture, y down, z towards the camera. x and y are the mean of the LFW
# faces of the test data, made symmetric, at 90 mm between the outer eye corners; z was chosen so that yaw agrees in
# scale with a trained head-pose network on the same photos (docs/decisions/0003).
_PLACES: Final = (36, 39, 42, 45, 27, 30, 33, 48, 54, 8)
_HEAD: Final = np.array(
    [
        [-45.0, -1.5, -16.0],
        [-19.3, 1.5, 0.0],
        [19.3, 1.5, 0.0],
        [45.0, -1.5, -16.0],
        [0.0, -2.5, 18.0],
        [0.0, 38.8, 50.0],
        [0.0, 55.5, 28.0],
        [-29.4, 74.0, 4.0],
        [29.4, 74.0, 4.0],
        [0.0, 131.0, 10.0],
    ]
)
_HEAD_INVERSE: Final = np.linalg.pinv(_HEAD - _HEAD.mean(axis=0))


@dataclass(frozen=True)
class Quality:
    """Numbers about one face, and whether it may be enrolled.

    `embedding_length`: length of the vector before normalising, a learned quality; `sharpness`: edges of the
    aligned crop relative to its contrast; `brightness`: its mean, 0 to 255; `size_px`: the shorter side of the box in
    pixels of the file; angles in degrees: yaw above 0 is turned to the right of the picture, pitch above 0 looks up,
    roll above 0 leans clockwise.
    `reasons` are sentences for the user, empty when `enrollable`.
    """

    embedding_length: float
    sharpness: float
    brightness: float
    size_px: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    enrollable: bool
    reasons: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Give the numbers with as many digits as mean something."""
        return {
            "embedding_length": round(self.embedding_length, 2),
            "sharpness": round(self.sharpness, 1),
            "brightness": round(self.brightness),
            "size_px": round(self.size_px),
            "yaw_deg": round(self.yaw_deg),
            "pitch_deg": round(self.pitch_deg),
            "roll_deg": round(self.roll_deg),
            "enrollable": self.enrollable,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class Pose:
    """Angles of the head in degrees; signs as in `Quality`."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def pose_of(shape: Floats) -> Pose:
    """Estimate the pose from landmarks f32[68, 2]: a mean head under weak perspective, by least squares."""
    seen = shape[list(_PLACES)].astype(np.float64)
    rows = (_HEAD_INVERSE @ (seen - seen.mean(axis=0))).T
    left, _, right = np.linalg.svd(rows, full_matrices=False)
    across, down = left @ right
    away = np.cross(across, down)
    return Pose(
        yaw_deg=float(np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))),
        pitch_deg=float(-np.degrees(np.arctan2(down[2], away[2]))),
        roll_deg=float(np.degrees(np.arctan2(-across[1], across[0]))),
    )


@dataclass(frozen=True)
class Light:
    """`sharpness` and `brightness` of an aligned crop, as in `Quality`."""

    sharpness: float
    brightness: float


def light_of(aligned: npt.NDArray[np.uint8]) -> Light:
    """Measure the inner part of an aligned crop, RGB u8[s, s, 3].

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000) divided by the variance of the grey
    values, times 100: without the division a dark photo would count as blurred.
    """
    edge = aligned.shape[0] // 8
    grey = cv2.cvtColor(aligned[edge:-edge, edge:-edge], cv2.COLOR_RGB2GRAY)
    edges = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return Light(sharpness=100 * edges / max(float(grey.var()), 1.0), brightness=float(grey.mean()))


def judge(
    *,
    embedding_length: float,
    length_min: float | None,
    light: Light,
    size_px: float,
    pose: Pose,
    inside: float,
) -> Quality:
    """Compare with the limits and say in words what is wrong."""
    wrong = (
        (size_px < SIZE_MIN_PX, f"the face is too small: {size_px:.0f} px, {SIZE_MIN_PX} needed"),
        (light.sharpness < SHARPNESS_MIN, "the face is blurred"),
        (light.brightness < BRIGHTNESS_MIN, "the face is too dark"),
        (light.brightness > BRIGHTNESS_MAX, "the face is too bright"),
        (abs(pose.yaw_deg) > YAW_MAX_DEG, "the face is turned too far to the side"),
        (pose.pitch_deg > PITCH_MAX_DEG, "the face looks too far up"),
        (pose.pitch_deg < -PITCH_MAX_DEG, "the face looks too far down"),
        (abs(pose.roll_deg) > ROLL_MAX_DEG, "the head leans too far to one side"),
        (inside < INSIDE_MIN, "the face is cut off by the edge of the picture"),
        (
            length_min is not None and embedding_length < length_min,
            "the face is hard to recognise: covered, dark, far off or not a face",
        ),
    )
    reasons = tuple(words for bad, words in wrong if bad)
    return Quality(
        embedding_length=embedding_length,
        sharpness=light.sharpness,
        brightness=light.brightness,
        size_px=size_px,
        yaw_deg=pose.yaw_deg,
        pitch_deg=pose.pitch_deg,
        roll_deg=pose.roll_deg,
        enrollable=not reasons,
        reasons=reasons,
    )
