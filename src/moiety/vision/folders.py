"""Photos of named people on disk: a folder per person, or `NAME_0001.jpg`."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from moiety.vision.eyesight import Eyesight

    Floats = npt.NDArray[np.float32]

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
_NUMBERED: Final = re.compile(r"(?P<name>.+)_\d+")


def photos_by_person(folder: Path) -> dict[str, list[Path]]:
    """Find the photos of each person, both in name order.

    A subfolder is a person; a picture that lies in `folder` itself belongs to the name before its last `_` and
    number, or to its whole name. Hidden files and other suffixes are passed over.
    Raises `BadInput` where there is no such folder or no picture in it.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder.name}.")
    found: dict[str, list[Path]] = {}
    for path in sorted([*folder.iterdir(), *folder.glob("*/*")]):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if path.parent != folder:
            name = path.parent.name
        else:
            numbered = _NUMBERED.fullmatch(path.stem)
            name = numbered["name"] if numbered else path.stem
        found.setdefault(name, []).append(path)
    if not found:
        raise BadInput(f"There is no JPEG, PNG or WebP picture in {folder.name}.")
    return dict(sorted(found.items()))


def embed_all(
    eyes: Eyesight, photos: Sequence[Path], progress: Callable[[int, int], None] | None = None
) -> list[Floats | None]:
    """Embed the central face of each photo, as many side by side as `eyes` has streams.

    None for a photo without a face, or one that cannot be read as a picture. `progress` gets (done, all).
    """

    def one(path: Path) -> Floats | None:
        try:
            face = eyes.central(path.read_bytes())
        except BadInput:
            return None
        return None if face is None else face.embedding

    vectors: list[Floats | None] = []
    with ThreadPoolExecutor(eyes.options.streams) as pool:
        for vector in pool.map(one, photos):
            vectors.append(vector)
            if progress:
                progress(len(vectors), len(photos))
    return vectors
