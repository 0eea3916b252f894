"""The rival of `vision.py`: face_recognition (dlib, HOG detector) from picture file to embedding, on one core.

Started by `vision.py` with the peer environment's Python, so that it is never a dependency of the product.
`peer_face_recognition.py FOLDER PASSES` reads the pictures of a folder and prints one JSON line: what every pass
took in seconds by the clock and of processor time, the number of pictures, the number of faces it found.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any


def embed(engine: Any, image: bytes) -> int:
    """Decode, detect with the library's own defaults, embed every face; gives their number."""
    pixels = engine.load_image_file(io.BytesIO(image))
    return len(engine.face_encodings(pixels, engine.face_locations(pixels), model="small"))


def main() -> None:
    """Measure what the arguments say."""
    warnings.simplefilter("ignore")
    # Only the peer environment has it, and it warns as it loads.
    face_recognition = importlib.import_module("face_recognition")

    folder, passes = Path(sys.argv[1]), int(sys.argv[2])
    images = [path.read_bytes() for path in sorted(folder.iterdir())]
    faces = sum(embed(face_recognition, image) for image in images)
    clock, cpu = [], []
    for _ in range(passes):
        before = time.perf_counter(), time.process_time()
        for image in images:
            embed(face_recognition, image)
        clock.append(time.perf_counter() - before[0])
        cpu.append(time.process_time() - before[1])
    print(json.dumps({"clock": clock, "cpu": cpu, "images": len(images), "faces": faces}))  # noqa: T201 - the line that `vision` reads


if __name__ == "__main__":
    main()
