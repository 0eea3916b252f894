"""Morphs: one picture made of two people's, and whether a picture taken in person tells it from an honest photo.

Source of the method: landmark-based morphing and its measure, Scherhag et al., "Biometric Systems under Morphing
Attacks: Assessment of Morphing Techniques and Vulnerability Reporting" (BIOSIG 2017). The check that is measured
compares the photo with a picture taken in person, as differential detection does: Scherhag et al., "Deep Face
Representations for Differential Morphing Attack Detection" (IEEE TIFS 15, 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from moiety.foundation.errors import BadInput
from moiety.vision import align, decode
from moiety.vision.folders import photos_by_person

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from moiety.vision.eyesight import Eyesight

    Floats = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]

SIDE: Final = 448
# The ArcFace square fills this part of the morph, so that hair and neck are in the picture as in a passport's.
_FILLS: Final = 0.5
_JPEG: Final = 92


@dataclass(frozen=True)
class Pictured:
    """One photo that would do for enrolment: its embedding f32[d], the face cut out u8[SIDE, SIDE, 3], its points."""

    embedding: Floats
    picture: Pixels
    points: Floats


@dataclass(frozen=True)
class Morphs:
    """Cosines f32[people] to another photo of the first person, which stands for a picture taken in person.

    `honest`: of the person's own photo; `morphed`: of one that is half somebody else who looks alike.
    """

    honest: Floats
    morphed: Floats


def measure(eyes: Eyesight, folder: Path, progress: Callable[[int, int], None] | None = None) -> Morphs:
    """Morph each person who has two good photos with the most alike other one; `progress` gets (people done, people).

    Raises:
        BadInput: fewer than two people have two photos that would do for enrolment.

    """
    pairs = [paths for paths in photos_by_person(folder).values() if len(paths) > 1]
    seen: list[tuple[Pictured, Floats]] = []
    for number, paths in enumerate(pairs, 1):
        both = _two(eyes, paths)
        if both is not None:
            seen.append(both)
        if progress:
            progress(number, len(pairs))
    if len(seen) < 2:  # noqa: PLR2004 - a morph is of two
        raise BadInput("Morphs are made of people who have two good photos each; there are fewer than two of them.")
    alike = np.stack([first.embedding for first, _ in seen])
    cosines = alike @ alike.T
    np.fill_diagonal(cosines, -1)
    honest, morphed = [], []
    for index, (first, other_day) in enumerate(seen):
        made = _embedded(eyes, morph(first, seen[int(cosines[index].argmax())][0]))
        if made is not None:
            honest.append(float(first.embedding @ other_day))
            morphed.append(float(made @ other_day))
    return Morphs(np.array(honest, np.float32), np.array(morphed, np.float32))


def morph(first: Pictured, second: Pictured) -> bytes:
    """Give a JPEG in which both faces are moved to the middle of their landmarks, and mixed half and half."""
    middle = np.asarray((first.points + second.points) / 2, np.float32)
    triangles = _triangles(middle)
    halves = [_moved(one.picture, one.points, middle, triangles).astype(np.uint16) for one in (first, second)]
    mixed = np.asarray((halves[0] + halves[1] + 1) // 2, np.uint8)
    _, encoded = cv2.imencode(".jpg", mixed[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG])
    return encoded.tobytes()


def _two(eyes: Eyesight, paths: Sequence[Path]) -> tuple[Pictured, Floats] | None:
    """Take a person's first photo as the one to enrol and the second as the picture taken in person."""
    found = [_pictured(eyes, path.read_bytes()) for path in paths[:2]]
    first, second = found
    return None if first is None or second is None else (first, second.embedding)


def _pictured(eyes: Eyesight, image: bytes) -> Pictured | None:
    """Measure the central face of a photo; None where there is none that would do for enrolment."""
    face = eyes.central(image)
    if face is None or not face.quality.enrollable:
        return None
    picture = decode.decode(image)
    points = face.points / np.float32(picture.scale)
    inner = align.template(round(SIDE * _FILLS)) + np.float32(SIDE * (1 - _FILLS) / 2)
    cut = align.crop(picture.rgb, points, inner, SIDE)
    # The detector's box, carried along: landmarks are found in it as in every photo.
    warp = align.similarity(points, inner)
    x, y, w, h = (edge / picture.scale for edge in face.box)
    middle = warp[:, :2] @ [x + w / 2, y + h / 2] + warp[:, 2]
    half = np.hypot(*warp[:, 0]) * np.array([w, h]) / 2
    box = np.concatenate([middle - half, middle + half]).astype(np.float32)
    grey = np.asarray(cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY), np.uint8)
    return Pictured(face.embedding, cut, _framed(eyes.landmarks.find(grey, box)))


def _embedded(eyes: Eyesight, image: bytes) -> Floats | None:
    """Embed the central face of a morph; None for one that would not do for enrolment."""
    face = eyes.central(image)
    return face.embedding if face is not None and face.quality.enrollable else None


def _framed(shape: Floats) -> Floats:
    """Add the corners and the middles of the edges to f32[68, 2], so that the triangles fill the picture."""
    steps = (0.0, (SIDE - 1) / 2, SIDE - 1.0)
    edge = [(x, y) for x in steps for y in steps if (x, y) != (steps[1], steps[1])]
    return np.vstack([np.clip(shape, 1, SIDE - 2), np.array(edge, np.float32)])


def _triangles(points: Floats) -> list[tuple[int, int, int]]:
    """Cut the picture into the Delaunay triangles of its points, as numbers of points."""
    plane = cv2.Subdiv2D((0, 0, SIDE, SIDE))
    for point in points:
        plane.insert((float(point[0]), float(point[1])))
    corners = np.asarray(plane.getTriangleList(), np.float32).reshape(-1, 3, 2)
    numbers = np.linalg.norm(corners[:, :, None] - points[None, None], axis=-1).argmin(axis=-1)
    return [(int(a), int(b), int(c)) for a, b, c in numbers]


def _moved(picture: Pixels, source: Floats, target: Floats, triangles: Sequence[tuple[int, int, int]]) -> Pixels:
    """Warp a picture triangle by triangle, from `source` f32[n, 2] to `target` f32[n, 2]."""
    across = np.zeros((SIDE, SIDE, 2), np.float32)
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).astype(np.float32)
    for corners in triangles:
        chosen = list(corners)
        back = cv2.getAffineTransform(target[chosen], source[chosen])
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillConvexPoly(mask, np.round(target[chosen]).astype(np.int32), 1)
        where = mask.astype(bool)
        across[where] = grid[where] @ back[:, :2].T.astype(np.float32) + back[:, 2].astype(np.float32)
    return np.asarray(cv2.remap(picture, across[:, :, 0], across[:, :, 1], cv2.INTER_LINEAR), np.uint8)
