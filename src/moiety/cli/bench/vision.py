"""Faces per second on one core, from picture file to embedding, beside face_recognition on the same pictures.

Gives moiety's two results, the rival's two, and how many times faster a picture is done.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moiety.vision import speed, weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from moiety.vision.eyesight import VisionOptions

HERE = Path(__file__).resolve().parent
PEER = Path(".peer") / "bin" / "python"
# The rival takes several times as long for a picture: it gets fewer, from the same spread over the folder.
PEER_COUNT, PEER_PASSES = 40, 3


def run(
    images: Path,
    *,
    options: VisionOptions | None = None,
    count: int = 150,
    passes: int = 5,
    peer: Path = PEER,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure both; gives one dictionary per line. Without the peer environment its lines are left out."""
    weights.install()
    ours = speed.measure(images, options, count=count, passes=passes, progress=progress)
    lines = [{"bench": "vision", "who": "moiety", "cores": 1, **one} for one in ours]
    if not peer.is_file():
        return lines
    files = speed.sample(images, PEER_COUNT)
    for one, kind in zip(ours, ([*files], [speed.at_640x480(image) for image in files]), strict=True):
        theirs = _peer(peer, kind)
        lines.append({"bench": "vision", "who": "face_recognition", "cores": 1, "pictures": one["pictures"], **theirs})
        times = round(theirs["ms_per_image"] / one["ms_per_image"], 1)
        cpu = round(one["faces_per_cpu_s"] / theirs["faces_per_cpu_s"], 1)
        who = {"bench": "vision", "who": "moiety / face_recognition", "pictures": one["pictures"]}
        lines.append({**who, "times_per_image": times, "times_per_face_cpu": cpu})
    return lines


def _peer(python: Path, files: list[bytes]) -> dict[str, Any]:
    """Run the rival in its own environment, on the one core that this process is kept to meanwhile."""
    with tempfile.TemporaryDirectory() as name, speed.one_core():
        for number, image in enumerate(files):
            (Path(name) / f"{number:04d}").write_bytes(image)
        done = subprocess.run(  # noqa: S603 - the peer environment and our own script
            [str(python.absolute()), str(HERE / "peer_face_recognition.py"), name, str(PEER_PASSES)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
    said = json.loads(done.stdout.splitlines()[-1])
    return speed.rates(speed.Passes(said["clock"], said["cpu"]), said["images"], said["faces"])
