"""Free photos for the demonstration, from packages that carry them; each is checked by hash and none is kept here.

The astronaut (Eileen Collins, NASA, public domain) lies in scikit-image; portraits of two presidents of the United
States (official photographs, public domain) lie in the source package of `face-recognition`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from moiety.vision import fetch, weights
from moiety.vision.manifest import ModelFile

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Samples:
    """Photos on disk: to enrol, by person, and one of somebody enrolled that is not enrolled itself."""

    enrol: dict[str, list[Path]]
    probe: Path
    probe_shows: str


def _known() -> list[dict[str, Any]]:
    """Read which packages hold which photos."""
    text = (resources.files("moiety.cli") / "samples.json").read_text()
    known: list[dict[str, Any]] = json.loads(text)
    return known


def obtain(models_dir: Path | None, say: Callable[[str], None]) -> Samples:
    """Fetch what is missing into a folder beside the models, and give all photos.

    Raises:
        Unavailable: pip cannot fetch a package.
        Unverified: a photo is not what it should be.

    """
    folder = weights.folder_of(models_dir) / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    enrol: dict[str, list[Path]] = {}
    probe = (Path(), "")
    for package in _known():
        missing = [one for one in package["photos"] if not (folder / one["file"]).exists()]
        if missing:
            say(f"fetching free sample photos from the package {package['package']} {package['version']}")
            _fetch(package, missing, folder)
        for one in package["photos"]:
            path = folder / one["file"]
            if one["use"] == "probe":
                probe = (path, one["person"])
            else:
                enrol.setdefault(one["person"], []).append(path)
    return Samples(enrol, *probe)


def _fetch(package: dict[str, Any], photos: list[dict[str, Any]], folder: Path) -> None:
    """Download one package and copy its photos out."""
    with TemporaryDirectory() as scratch:
        found = fetch.package(package["package"], package["version"], package["hashes"], Path(scratch))
        for one in photos:
            wanted = ModelFile(one["file"], one["member"], one["sha256"], one["bytes"])
            part = folder / f"{one['file']}.part"
            # A crash leaves a `.part`, which the next run writes anew.
            with part.open("wb") as target:
                fetch.unpack(found, wanted, target)
            part.replace(folder / one["file"])
