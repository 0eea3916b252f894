"""The whole way from image bytes to faces, with every model loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import cv2
import numpy as np

from moiety.foundation.errors import BadInput
from moiety.vision import align, decode, weights
from moiety.vision.detect import AccurateDetector, DetectorName, FastDetector, Found, choose
from moiety.vision.embed import DlibEmbedder, Embedder, OnnxEmbedder
from moiety.vision.inference import RuntimeName, runtime_of
from moiety.vision.landmarks import Landmarks, five_points
from moiety.vision.liveness import Liveness
from moiety.vision.quality import Quality, judge, light_of, pose_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from moiety.vision.inference import Runtime
    from moiety.vision.manifest import Manifest, ModelCard

    Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VisionOptions:
    """Settings of `Eyesight`.

    `model`: name of an installed embedder; `threads`: cores for one picture; `streams`: pictures that run side by
    side (bulk work); `liveness`: give the advice of `moiety.vision.liveness`; `models_dir`: None for the default.
    """

    model: str = "faceplugin"
    runtime: RuntimeName = "openvino"
    threads: int = 2
    streams: int = 1
    detector: DetectorName = "auto"
    liveness: bool = False
    models_dir: Path | None = None
    pixels_max: int = decode.PIXELS_MAX
    bytes_max: int = decode.BYTES_MAX


@dataclass(frozen=True)
class Face:
    """One face. It lives only as long as the request: nothing here is ever logged or stored as it is.

    `box`: x, y, width, height in pixels of the upright picture, inside it; `score`: 0 to 1, how sure the detector
    is; `points` f32[5, 2]: eyes, nose tip, mouth corners; `off_middle`: how far the box's middle is from the picture's,
    where 1 is half the picture's shorter side; `liveness`: 0 (attack) to 1 (live) or None when off; `embedding` f32[d],
    length 1.
    """

    box: tuple[int, int, int, int]
    score: float
    points: Floats
    off_middle: float
    quality: Quality
    liveness: float | None
    embedding: Floats


class Eyesight:
    """Finds and measures the faces of a picture; may be called from many threads at once.

    Raises on construction: `ModelsMissing`, `Unverified` (an installed model was altered), `BadInput` (a setting).
    """

    def __init__(self, options: VisionOptions | None = None) -> None:
        self.options = options or VisionOptions()
        if self.options.threads < 1 or self.options.streams < 1:
            raise BadInput("Threads and streams must be at least 1.")
        one = weights.find(self.options.model, self.options.models_dir)
        self.model: ModelCard = one.card()
        runtime = runtime_of(self.options.runtime, threads=self.options.threads, streams=self.options.streams)
        self._fast = FastDetector(runtime.load(self._weights("fr-detect")))
        self._accurate = AccurateDetector(runtime.load(self._weights("centerface"), any_shape=True))
        self.landmarks = Landmarks(runtime.load(self._weights("fr-landmark")))
        self._liveness = Liveness(runtime.load(self._weights("fr-liveness"))) if self.options.liveness else None
        self._length_min = one.embed.length_min if one.embed else None
        self.embedder = self._embedder_of(one, runtime)
        self._warm_up()

    def faces(self, image: bytes, detector: DetectorName | None = None) -> list[Face]:
        """Find all faces, the largest first; none is an empty list.

        Raises the refusals of `moiety.vision.decode.decode`, and `BadInput` for an unknown `detector`.
        """
        picture = self._decode(image)
        faces = self.measure(picture, self.find(picture.rgb, detector))
        return sorted(faces, key=lambda face: -face.box[2] * face.box[3])

    def central(self, image: bytes, detector: DetectorName | None = None) -> Face | None:
        """Measure only the face nearest the middle of the picture; None where there is none. Raises as `faces`.

        This is the face that a photo of one named person is about, as in LFW: measured in docs/decisions/0003.
        """
        picture = self._decode(image)
        found = self.find(picture.rgb, detector)
        if not len(found):
            return None
        middle = np.array([picture.rgb.shape[1], picture.rgb.shape[0]], np.float32) / 2
        away = np.linalg.norm((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - middle, axis=1)
        nearest = int(away.argmin())
        return self.measure(picture, Found(found.boxes[[nearest]], found.scores[[nearest]]))[0]

    def find(self, rgb: npt.NDArray[np.uint8], detector: DetectorName | None = None) -> Found:
        """Only detect, in RGB u8[H, W, 3]; boxes in its pixels."""
        which = detector or self.options.detector
        if which not in get_args(DetectorName):
            raise BadInput(f"There is no detector {which!r}; choose auto, fast or accurate.")
        if which == "fast":
            return self._fast.find(rgb).at_least(FastDetector.SURE)
        if which == "accurate":
            return self._accurate.find(rgb)
        return choose(rgb, self._fast, self._accurate)

    def _decode(self, image: bytes) -> decode.Picture:
        return decode.decode(image, bytes_max=self.options.bytes_max, pixels_max=self.options.pixels_max)

    def measure(self, picture: decode.Picture, found: Found) -> list[Face]:
        """Landmarks, quality, liveness and embedding of faces already found, in their order."""
        if not len(found):
            return []
        grey = np.asarray(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        return [
            self._face(picture, grey, box, float(score)) for box, score in zip(found.boxes, found.scores, strict=True)
        ]

    def _face(self, picture: decode.Picture, grey: npt.NDArray[np.uint8], box: Floats, score: float) -> Face:
        shape = self.landmarks.find(grey, box)
        points = five_points(shape)
        raw, crop = self.embedder.embed(picture.rgb, shape)
        length = float(np.linalg.norm(raw))
        height, width = picture.rgb.shape[:2]
        quality = judge(
            embedding_length=length,
            length_min=self._length_min,
            light=light_of(crop),
            size_px=float((box[2:] - box[:2]).min() * picture.scale),
            pose=pose_of(shape),
            inside=align.inside(points, width, height),
        )
        return Face(
            box=_whole(box * np.float32(picture.scale), picture.width, picture.height),
            score=score,
            points=points * np.float32(picture.scale),
            off_middle=_off_middle(box, width, height),
            quality=quality,
            liveness=self._liveness.score(picture.rgb, box) if self._liveness else None,
            embedding=raw / np.float32(max(length, 1e-12)),
        )

    def _weights(self, name: str) -> bytes:
        return weights.load(weights.find(name, self.options.models_dir), self.options.models_dir)[0]

    def _embedder_of(self, one: Manifest, runtime: Runtime) -> Embedder:
        if one.embed is None:
            raise BadInput(f"The model {one.name} does not embed faces.")
        if one.embed.engine == "dlib":
            return DlibEmbedder(weights.paths(one, self.options.models_dir)[0])
        return OnnxEmbedder(runtime.load(weights.load(one, self.options.models_dir)[0]), one.embed)

    def _warm_up(self) -> None:
        """Run everything once, so that the first request is as fast as the next."""
        blank = np.zeros((480, 640, 3), np.uint8)
        self._fast.find(blank)
        self._accurate.find(blank)
        box = np.array([200, 100, 400, 400], np.float32)
        self._face(decode.Picture(blank, 1.0, 640, 480), blank[:, :, 0], box, 0.0)


def _off_middle(box: Floats, width: int, height: int) -> float:
    """Measure from the middle of the picture to that of a box (left, top, right, bottom), as `Face` says."""
    across, down = (box[:2] + box[2:]) / 2 - np.array([width, height], np.float32) / 2
    return float(np.hypot(across, down) / (min(width, height) / 2))


def _whole(box: Floats, width: int, height: int) -> tuple[int, int, int, int]:
    """Round to whole pixels inside the picture: x, y, width, height, at least 1 by 1."""
    left, top, right, bottom = (round(float(edge)) for edge in box)
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return left, top, max(min(right, width) - left, 1), max(min(bottom, height) - top, 1)
