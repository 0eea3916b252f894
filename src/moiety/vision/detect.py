"""Find faces: a fast network on a small picture, an accurate one on a large picture, and the rule that chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from moiety.vision.inference import Network

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]

DetectorName = Literal["auto", "fast", "accurate"]


@dataclass(frozen=True)
class Found:
    """Faces in one picture.

    `boxes` f32[n, 4]: left, top, right, bottom in pixels, may pass the edge; `scores` f32[n].
    """

    boxes: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def at_least(self, score: float) -> Found:
        """Keep those with this score or more."""
        keep = self.scores >= score
        return Found(self.boxes[keep], self.scores[keep])


class Detector(Protocol):
    """Finds faces in RGB u8[H, W, 3]."""

    def find(self, rgb: Pixels) -> Found:
        """Give the faces, best score first, after non-maximum suppression."""


class ScalingDetector(Protocol):
    """A detector that can be told to look at fewer pixels."""

    def find(self, rgb: Pixels, side_max: int | None = None) -> Found:
        """Give the faces as `Detector` does, at no more than `side_max` pixels on the long side."""


class FastDetector:
    """fr_detect: RGB (x - 127) / 128 at 320 x 240; boxes come decoded, 0 to 1."""

    WIDTH: Final = 320
    HEIGHT: Final = 240
    SURE: Final = 0.65

    def __init__(self, network: Network, *, score_min: float = 0.3) -> None:
        self._network = network
        self._score_min = score_min

    def find(self, rgb: Pixels) -> Found:
        """Shrink to fit 320 x 240 without distortion, the rest black, and look."""
        height, width = rgb.shape[:2]
        ratio = min(self.WIDTH / width, self.HEIGHT / height)
        inner_w, inner_h = max(1, round(width * ratio)), max(1, round(height * ratio))
        canvas = np.zeros((self.HEIGHT, self.WIDTH, 3), np.uint8)
        canvas[:inner_h, :inner_w] = shrink(rgb, inner_w, inner_h)
        blob = cv2.dnn.blobFromImage(canvas, 1 / 128, (self.WIDTH, self.HEIGHT), (127, 127, 127))
        scores, boxes = self._network.run(np.asarray(blob, dtype=np.float32))
        keep = scores[0, :, 1] >= self._score_min
        to_pixels = np.array([self.WIDTH, self.HEIGHT] * 2, np.float32) * np.float32(width / inner_w)
        return suppress(boxes[0][keep] * to_pixels, scores[0, :, 1][keep])


class AccurateDetector:
    """CenterFace: RGB 0 to 255, sides multiples of 32; a heat map, sizes and offsets at a quarter of the sides.

    Source: Xu et al., "CenterFace: joint face detection and alignment using face as point", 2019.
    """

    STRIDE: Final = 4

    def __init__(self, network: Network, *, score_min: float = 0.5, side_max: int = 960, side_min: int = 256) -> None:
        self._network = network
        self._score_min = score_min
        self._side_max = side_max
        self._side_min = side_min

    def find(self, rgb: Pixels, side_max: int | None = None) -> Found:
        """Scale the long side into the limits, pad to multiples of 32 and look.

        `side_max` lowers the upper limit for this picture: fewer pixels, less time, fewer small faces.
        """
        height, width = rgb.shape[:2]
        long_side = max(height, width)
        ratio = min(max(long_side, self._side_min), self._side_max, side_max or self._side_max) / long_side
        inner_w, inner_h = max(1, round(width * ratio)), max(1, round(height * ratio))
        canvas = np.zeros((-(-inner_h // 32) * 32, -(-inner_w // 32) * 32, 3), np.uint8)
        canvas[:inner_h, :inner_w] = shrink(rgb, inner_w, inner_h)
        blob = cv2.dnn.blobFromImage(canvas, 1.0)
        heat, size, offset, _ = self._network.run(np.asarray(blob, dtype=np.float32))
        rows, columns = np.nonzero(heat[0, 0] >= self._score_min)
        high, wide = np.exp(size[0][:, rows, columns]) * self.STRIDE
        centre_y = (rows + offset[0, 0, rows, columns] + 0.5) * self.STRIDE
        centre_x = (columns + offset[0, 1, rows, columns] + 0.5) * self.STRIDE
        corners = [centre_x - wide / 2, centre_y - high / 2, centre_x + wide / 2, centre_y + high / 2]
        boxes = np.stack(corners, axis=1).astype(np.float32) / np.float32(ratio)
        return suppress(boxes, heat[0, 0, rows, columns])


def shrink(rgb: Pixels, width: int, height: int) -> Pixels:
    """Resize; by area when it becomes much smaller, so that small faces do not turn into noise."""
    area = rgb.shape[1] > 2 * width
    return np.asarray(
        cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if area else cv2.INTER_LINEAR), np.uint8
    )


def overlap(box: Floats, others: Floats) -> Floats:
    """Intersection over union of one box [4] with `others` [n, 4]."""
    left_top = np.maximum(box[:2], others[:, :2])
    right_bottom = np.minimum(box[2:], others[:, 2:])
    inner = np.prod(np.clip(right_bottom - left_top, 0, None), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - inner
    return np.asarray(inner / np.maximum(union, 1e-9), np.float32)


def suppress(boxes: Floats, scores: Floats, *, overlap_max: float = 0.3) -> Found:
    """Non-maximum suppression: of boxes that overlap keep the best; best score first."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[overlap(boxes[best], boxes[rest]) <= overlap_max]
    return Found(boxes[kept].astype(np.float32), scores[kept].astype(np.float32))


# The fast detector is believed when it is this sure of every face it sees, sees none that is only half as likely, and
# each has this share of the picture's height (24 of its 240 lines). Measured: docs/decisions/0003.
CLEAR_SCORE: Final = 0.8
DOUBT_SCORE: Final = 0.5
CLEAR_HEIGHT: Final = 0.1
# The accurate detector gets as many pixels as it needs to see the smallest candidate this high, within limits.
SEEN_HEIGHT_PX: Final = 30
SIDE_LEAST: Final = 480


def choose(rgb: Pixels, fast: Detector, accurate: ScalingDetector) -> Found:
    """Look fast; where that does not give clear faces only, look accurately.

    People near the camera, the usual case, take one fast look; crowds, far faces and empty pictures take both.
    """
    seen = fast.find(rgb)
    if not len(seen):
        return accurate.find(rgb)
    high = seen.boxes[:, 3] - seen.boxes[:, 1]
    likely = seen.scores >= DOUBT_SCORE
    frame = max(rgb.shape[0], rgb.shape[1] * FastDetector.HEIGHT / FastDetector.WIDTH)
    clear = (seen.scores >= CLEAR_SCORE) & (high >= CLEAR_HEIGHT * frame)
    if likely.any() and bool(clear[likely].all()):
        return seen.at_least(DOUBT_SCORE)
    return accurate.find(rgb, max(SIDE_LEAST, round(SEEN_HEIGHT_PX / float(high.min()) * max(rgb.shape[:2]))))
