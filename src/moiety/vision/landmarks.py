"""68 landmarks of a face (the iBUG order), and the five points that alignment needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from moiety.vision.inference import Network

    Floats = npt.NDArray[np.float32]

COUNT: Final = 68


class Landmarks:
    """fr_landmark: grey 64 x 64 of the tight box, divided by 256; gives points relative to the box."""

    SIDE: Final = 64

    def __init__(self, network: Network) -> None:
        self._network = network

    def find(self, grey: npt.NDArray[np.uint8], box: Floats) -> Floats:
        """Find the points f32[68, 2] in pixels of `grey` u8[H, W]; `box` is left, top, right, bottom."""
        left, top = np.floor(box[:2]).astype(int)
        right, bottom = np.maximum(np.ceil(box[2:]).astype(int), (left + 2, top + 2))
        patch = _cut(grey, left, top, right, bottom)
        method = cv2.INTER_AREA if patch.shape[0] > 2 * self.SIDE else cv2.INTER_LINEAR
        small = cv2.resize(patch, (self.SIDE, self.SIDE), interpolation=method)
        blob = np.asarray(small, dtype=np.float32)[None, None] / np.float32(256)
        relative = self._network.run(blob)[0].reshape(COUNT, 2)
        size = np.array([right - left, bottom - top], np.float32)
        return np.asarray(relative * size + np.array([left, top], np.float32), np.float32)


def _cut(grey: npt.NDArray[np.uint8], left: int, top: int, right: int, bottom: int) -> npt.NDArray[np.uint8]:
    """Cut a box that may pass the edge; the edge pixels are repeated there."""
    height, width = grey.shape
    inner_left, inner_top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    inner_right, inner_bottom = max(min(right, width), inner_left + 1), max(min(bottom, height), inner_top + 1)
    inner = grey[inner_top:inner_bottom, inner_left:inner_right]
    edges = (inner_top - top, bottom - inner_bottom, inner_left - left, right - inner_right)
    if not any(edges):
        return inner
    return np.pad(inner, (tuple(np.maximum(edges[:2], 0)), tuple(np.maximum(edges[2:], 0))), mode="edge")


def five_points(shape: Floats) -> Floats:
    """Reduce f32[68, 2] to f32[5, 2]: eye centres (from the lids, not the corners), nose tip, mouth corners."""
    return np.stack(
        [
            shape[[37, 38, 40, 41]].mean(axis=0),
            shape[[43, 44, 46, 47]].mean(axis=0),
            shape[30],
            shape[[48, 60]].mean(axis=0),
            shape[[54, 64]].mean(axis=0),
        ]
    ).astype(np.float32)
