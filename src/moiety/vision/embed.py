"""Aligned faces to vectors: any ArcFace-style network by its manifest, or dlib's public-domain network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from moiety.foundation.errors import BadInput, ModelsMissing
from moiety.vision import align
from moiety.vision.landmarks import five_points

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from moiety.vision.inference import Network
    from moiety.vision.manifest import EmbedSpec

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns one face into a vector whose length still tells of its quality."""

    def embed(self, rgb: Pixels, shape: Floats) -> tuple[Floats, Pixels]:
        """Take the picture and landmarks f32[68, 2]; give the vector f32[d] and the aligned RGB crop u8[s, s, 3]."""


class OnnxEmbedder:
    """An ArcFace-style network, fed as its manifest says."""

    def __init__(self, network: Network, spec: EmbedSpec) -> None:
        self._network = network
        self._spec = spec
        self._target = align.template(spec.size)

    def embed(self, rgb: Pixels, shape: Floats) -> tuple[Floats, Pixels]:
        """Align on five points and run the network; raises `BadInput` if it gives another dimension."""
        crop = align.crop(rgb, five_points(shape), self._target, self._spec.size)
        mean = (self._spec.mean,) * 3
        swap = self._spec.channels == "BGR"
        blob = np.asarray(cv2.dnn.blobFromImage(crop, 1 / self._spec.scale, mean=mean, swapRB=swap), np.float32)
        if self._spec.layout == "NHWC":
            blob = np.ascontiguousarray(blob.transpose(0, 2, 3, 1))
        vector = self._network.run(blob)[0].reshape(-1)
        if len(vector) != self._spec.dimension:
            raise BadInput(f"The model gives {len(vector)} numbers, its manifest says {self._spec.dimension}.")
        return vector, crop


class DlibEmbedder:
    """dlib's face_recognition_resnet_model_v1 (CC0), 128 numbers, with dlib's own alignment.

    dlib aligns on four eye corners and the base of the nose. They are taken from the same 68 landmarks as for other
    models, so neither of dlib's landmark files is needed (one of them forbids commercial use).
    Source: dlib's `get_face_chip` and dnn_face_recognition_ex.cpp.
    """

    SIDE = 150
    PADDING = 0.25
    _ORDER = (45, 42, 36, 39, 33)

    def __init__(self, weights: Path) -> None:
        try:
            import dlib  # noqa: PLC0415 - optional: only this embedder needs it
        except ImportError:
            raise ModelsMissing("dlib is not installed; run `moiety models install dlib`.") from None
        self._dlib: Any = dlib
        self._network = dlib.face_recognition_model_v1(str(weights))
        self._lock = threading.Lock()

    def embed(self, rgb: Pixels, shape: Floats) -> tuple[Floats, Pixels]:
        """Align as dlib does and run its network; one call at a time, since dlib's network holds its own buffers."""
        points = self._dlib.points(
            [self._dlib.point(round(float(x)), round(float(y))) for x, y in shape[list(self._ORDER)]]
        )
        (left, top), (right, bottom) = shape.min(axis=0), shape.max(axis=0)
        box = self._dlib.rectangle(round(float(left)), round(float(top)), round(float(right)), round(float(bottom)))
        face = self._dlib.full_object_detection(box, points)
        chip = self._dlib.get_face_chip(rgb, face, self.SIDE, self.PADDING)
        with self._lock:
            vector = self._network.compute_face_descriptor(chip)
        return np.asarray(vector, dtype=np.float32), np.asarray(chip, dtype=np.uint8)
