"""Liveness as advice: how much a face looks like a living one and not like a print or a screen.

The numbers of attacks that pass (APCER) are not measured: only two attack photos were at hand. So it is off by
default, decides nothing by itself, and the product says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from moiety.vision.inference import Network


class Liveness:
    """fr_liveness: BGR 0 to 255, the box widened 2.7 times, 128 x 128; class 0 of three is live."""

    SIDE: Final = 128
    WIDEN: Final = 2.7

    def __init__(self, network: Network) -> None:
        self._network = network

    def score(self, rgb: npt.NDArray[np.uint8], box: npt.NDArray[np.float32]) -> float:
        """Give 0 (attack) to 1 (live) for the face in `box` (left, top, right, bottom) of RGB u8[H, W, 3]."""
        height, width = rgb.shape[:2]
        size = box[2:] - box[:2]
        # The widened box is made smaller, not shifted out, where the picture ends: as the model's own code does.
        widen = min(self.WIDEN, (width - 1) / size[0], (height - 1) / size[1])
        half = size * widen / 2
        centre = np.clip((box[:2] + box[2:]) / 2, half, np.maximum([width, height] - half, half))
        left, top = np.maximum(np.floor(centre - half).astype(int), 0)
        right, bottom = np.minimum(np.ceil(centre + half).astype(int), [width, height])
        patch = cv2.resize(rgb[top:bottom, left:right], (self.SIDE, self.SIDE), interpolation=cv2.INTER_LINEAR)
        blob = cv2.dnn.blobFromImage(patch, swapRB=True)
        logits = self._network.run(np.asarray(blob, dtype=np.float32))[0][0]
        weights = np.exp(logits - logits.max())
        return float(weights[0] / weights.sum())
