"""Similarity alignment on five points, the form in which ArcFace-style networks were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    Points = npt.NDArray[np.floating[Any]]

# Left eye, right eye, nose tip, left and right mouth corner (as seen in the picture) in a 112 x 112 crop.
# Source: the ArcFace reference implementation, insightface `face_align.arcface_dst`.
ARCFACE_112: Final[npt.NDArray[np.float32]] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)

# The middles of 16 x 16 cells of the aligned square, f64[256, 2].
_GRID: Final = np.stack(np.meshgrid(*[np.linspace(3.5, 108.5, 16)] * 2), axis=-1).reshape(-1, 2)


def template(side: int) -> npt.NDArray[np.float32]:
    """Give the ArcFace points f32[5, 2] for a square crop of `side` pixels."""
    return ARCFACE_112 * np.float32(side / 112)


def similarity(source: Points, target: Points) -> npt.NDArray[np.float64]:
    """Least-squares similarity (rotation, one scale, shift) that carries `source` [n, 2] onto `target` [n, 2].

    The closed form of Umeyama, "Least-squares estimation of transformation parameters between two point patterns"
    (IEEE PAMI 13, 1991), without reflection. In the plane its singular value decomposition reduces to two sums.
    Gives f64[2, 3]. Points that all fall together give a pure shift.
    """
    from_mean, to_mean = source.mean(axis=0, dtype=np.float64), target.mean(axis=0, dtype=np.float64)
    a, b = source - from_mean, target - to_mean
    spread = float((a * a).sum())
    if spread == 0.0:
        along, across = 1.0, 0.0
    else:
        along = float((a * b).sum()) / spread
        across = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return np.hstack([turn, (to_mean - turn @ from_mean)[:, None]])


def inside(points: Points, width: int, height: int) -> float:
    """Share, 0 to 1, of the aligned square of a face with `points` [5, 2] that lies in a picture of that size."""
    back = similarity(ARCFACE_112, points)
    seen = _GRID @ back[:, :2].T + back[:, 2]
    kept = (seen >= 0).all(axis=1) & (seen <= [width, height]).all(axis=1)
    return float(kept.mean())


def crop(
    rgb: npt.NDArray[np.uint8],
    points: Points,
    target: Points,
    side: int,
) -> npt.NDArray[np.uint8]:
    """Warp so that `points` [5, 2] fall on `target` [5, 2]; gives RGB u8[side, side, 3], black outside the picture.

    A face that is much larger than the crop is first shrunk by area: a warp alone would skip pixels and alias.
    """
    warp = similarity(points, target)
    steps = int(1 / max(float(np.hypot(warp[0, 0], warp[1, 0])), 1e-6))
    if steps > 1:
        corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], np.float64)
        seen = (corners - warp[:, 2]) @ np.linalg.inv(warp[:, :2]).T
        left, top = np.maximum(np.floor(seen.min(axis=0)).astype(int), 0)
        right, bottom = np.ceil(seen.max(axis=0)).astype(int)
        part = rgb[top : max(bottom, top + steps), left : max(right, left + steps)]
        if part.size:
            width, height = max(part.shape[1] // steps, 1), max(part.shape[0] // steps, 1)
            ratio = np.array([width / part.shape[1], height / part.shape[0]])
            rgb = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            warp = similarity((points - [left, top] + 0.5) * ratio - 0.5, target)
    warped = cv2.warpAffine(rgb, warp, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.uint8)
