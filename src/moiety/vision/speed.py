"""How many faces a core can take from picture file to embedding, and where the time goes."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from moiety.foundation.errors import BadInput
from moiety.vision import decode
from moiety.vision.eyesight import Eyesight, VisionOptions
from moiety.vision.folders import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CANVAS: Final = (480, 640)
_JPEG_QUALITY: Final = 90


def sample(folder: Path, count: int) -> list[bytes]:
    """Read up to `count` pictures, evenly spread over all that lie below `folder` in name order."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths or count < 1:
        raise BadInput(f"There is no JPEG, PNG or WebP picture in {folder.name}.")
    step = max(1, len(paths) // count)
    return [path.read_bytes() for path in paths[::step][:count]]


def at_640x480(image: bytes) -> bytes:
    """Make a 640 x 480 JPEG of a picture: as large as fits, grey beside it."""
    rgb = decode.decode(image).rgb
    ratio = min(_CANVAS[0] / rgb.shape[0], _CANVAS[1] / rgb.shape[1])
    height, width = round(rgb.shape[0] * ratio), round(rgb.shape[1] * ratio)
    canvas = np.full((*_CANVAS, 3), 128, np.uint8)
    top, left = (_CANVAS[0] - height) // 2, (_CANVAS[1] - width) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(rgb, (width, height))
    done, coded = cv2.imencode(".jpg", canvas[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise BadInput("A picture could not be coded as JPEG.")
    return coded.tobytes()


def measure(
    folder: Path,
    options: VisionOptions | None = None,
    *,
    count: int = 150,
    passes: int = 5,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure on one core: the pictures as they are, then as 640 x 480 JPEGs.

    Each result has the best and the median pass (a shared machine disturbs passes, it never quickens them), faces and
    pictures per second of the best, and the milliseconds of each stage per picture. `progress` gets one line per step.
    """
    say = progress or (lambda _: None)
    images = sample(folder, count)
    with one_core():
        eyes = Eyesight(replace(options or VisionOptions(), threads=1, streams=1))
        results = []
        for kind, files in (("as they are", images), ("640x480", [at_640x480(image) for image in images])):
            say(f"{len(files)} pictures, {kind}: {passes} passes")
            results.append({"pictures": kind, "runtime": eyes.options.runtime, **_passes(eyes, files, passes)})
    return results


@contextmanager
def one_core() -> Iterator[int]:
    """Keep this process, and what it starts, on one core; gives its number."""
    before, threads = os.sched_getaffinity(0), cv2.getNumThreads()
    core = max(before)
    os.sched_setaffinity(0, {core})
    cv2.setNumThreads(1)
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)
        cv2.setNumThreads(threads)


@dataclass(frozen=True)
class Passes:
    """Seconds of each pass by the clock, and seconds of processor time; on a core of its own both are the same."""

    clock: list[float]
    cpu: list[float]


def rates(passes: Passes, pictures: int, faces: int) -> dict[str, Any]:
    """Put passes into the fields that every contestant reports."""
    best = min(passes.clock)
    return {
        "images": pictures,
        "faces": faces,
        "faces_per_s": round(faces / best, 1),
        "faces_per_s_median": round(faces / statistics.median(passes.clock), 1),
        "faces_per_cpu_s": round(faces / min(passes.cpu), 1),
        "passes": len(passes.clock),
        "images_per_s": round(pictures / best, 1),
        "ms_per_image": round(1000 * best / pictures, 2),
    }


def _passes(eyes: Eyesight, files: list[bytes], passes: int) -> dict[str, Any]:
    faces = sum(len(eyes.faces(image)) for image in files)
    clock, cpu = [], []
    for _ in range(passes):
        before = time.perf_counter(), time.process_time()
        for image in files:
            eyes.faces(image)
        clock.append(time.perf_counter() - before[0])
        cpu.append(time.process_time() - before[1])
    return {**rates(Passes(clock, cpu), len(files), faces), "stages_ms_per_image": _stages(eyes, files, passes)}


def _stages(eyes: Eyesight, files: list[bytes], passes: int) -> dict[str, float]:
    """Time each stage by itself over all pictures; landmarks, and alignment with embedding, are parts of `measure`."""
    pictures = [decode.decode(image) for image in files]
    found = [eyes.find(picture.rgb) for picture in pictures]
    greys = [np.asarray(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY), np.uint8) for picture in pictures]
    shapes = [[eyes.landmarks.find(grey, box) for box in one.boxes] for grey, one in zip(greys, found, strict=True)]
    works: dict[str, Callable[[], object]] = {
        "decode": lambda: [decode.decode(image) for image in files],
        "detect": lambda: [eyes.find(picture.rgb) for picture in pictures],
        "measure": lambda: [eyes.measure(picture, one) for picture, one in zip(pictures, found, strict=True)],
        "measure/landmarks": lambda: [
            eyes.landmarks.find(grey, box) for grey, one in zip(greys, found, strict=True) for box in one.boxes
        ],
        "measure/align_and_embed": lambda: [
            eyes.embedder.embed(picture.rgb, shape)
            for picture, of_one in zip(pictures, shapes, strict=True)
            for shape in of_one
        ],
    }
    return {
        name: round(1000 * min(_seconds(work) for _ in range(passes)) / len(files), 2) for name, work in works.items()
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
