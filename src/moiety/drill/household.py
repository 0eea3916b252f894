"""People in a gallery, by everything that the product can do over HTTP, with words that stand nowhere else."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image

from moiety.drill import matters
from moiety.drill.noise import spellings
from moiety.foundation.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from moiety.cli.gateway import Gate
    from moiety.drill.ground import Ground

# Strings that stand nowhere else in the world.
NAMES = {
    "Barack Obama": "Zanzibarquokka Vermilionstoat",
    "Joe Biden": "Ülmenkauz Quittenbrot",
    "Eileen Collins": "Plumbagoheron Kestrelvane",
}
WORDS = {
    "field": "passport-QX77-vellichor-4431",
    "number": "+9188204417735561",
    "reason": "because-of-the-thrumblewick-case",
    "search": "asked-for-the-murmurglass-door",
    "reveal": "shown-to-the-fennelgate-desk",
    "erase": "left-for-the-ombrellino-island",
    "unknown": "Nobodyhere Sundriplet",
    "file": "holiday-in-wrenbarrow",
    "artist": "Nettlewhisk-Ferrule-at-51.0504N",
}
# What is not secret: it is found where it stands, which shows that the search for words works.
PURPOSE = "a drill of thieves"
QUALITIES = (70, 85)
PIECE_BYTES = 48
PIXEL_BYTES = 96
VARIED = 16


@dataclass(frozen=True)
class Household:
    """The gallery, the pictures that were shown to it, and the token of a key for it."""

    gallery: str
    pictures: list[bytes]
    token: str


def move_in(ground: Ground) -> Household:
    """Let the installation do all it can do."""
    name, pictures = ground.name("household"), []
    with ground.owner() as line:
        line.ask("POST", "galleries", json={"name": name, "purpose": PURPOSE})
        for person, paths in ground.photos.enrol.items():
            for image in [image for path in paths for image in _variants(path)]:
                pictures.append(image)
                enrol(line, name, image, NAMES[person])
        probe = ground.photos.probe.read_bytes()
        pictures.append(probe)
        _ask(line, name, probe, pictures[0])
        _fail(line, name)
        erased = _find(line, name, NAMES["Eileen Collins"])
        line.ask("DELETE", f"galleries/{name}/subjects/{erased}", params={"reason": WORDS["erase"]})
        scope = ["gallery:probe:identify"]
        made = line.ask("POST", "keys", json={"name": "door", "scopes": scope, "days": 1})
        return Household(name, pictures, str(made["token"]))


def enrol(line: Gate, gallery: str, image: bytes, name: str) -> dict[str, Any]:
    """Enrol a photo of a person with a name, fields and a reason."""
    fields = json.dumps({"passport": WORDS["field"], "phone": WORDS["number"]})
    form = {"reference": name, "reason": WORDS["reason"], "fields": fields}
    return line.ask("POST", f"galleries/{gallery}/subjects", data=form, files={"image": (WORDS["file"], image)})


def _variants(path: Path) -> list[bytes]:
    """Make several pictures of one photo: each is a photo of its own to the product."""
    made = [path.read_bytes()]
    with Image.open(path) as image:
        for quality in QUALITIES:
            out, notes = io.BytesIO(), Image.Exif()
            notes[ExifTags.Base.Artist] = WORDS["artist"]
            image.convert("RGB").save(out, "JPEG", quality=quality, exif=notes)
            made.append(out.getvalue())
    return made


def _find(line: Gate, gallery: str, name: str) -> str:
    """Look a person up."""
    asked = {"reference": name, "reason": WORDS["search"]}
    return str(line.ask("POST", f"galleries/{gallery}/find", json=asked)["subject_id"])


def _ask(line: Gate, gallery: str, probe: bytes, other: bytes) -> None:
    """Identify, verify, compare, reveal."""
    at, why = f"galleries/{gallery}", {"reason": WORDS["search"]}
    line.ask("POST", f"{at}/identify", data=why | {"reveal": "true"}, files={"image": ("picture", probe)})
    subject = _find(line, gallery, NAMES["Barack Obama"])
    for name in ("reference", "passport", "phone"):
        line.ask("POST", f"{at}/subjects/{subject}/reveal", json={"fields": [name], "reason": WORDS["reveal"]})
    line.ask("POST", f"{at}/subjects/{subject}/verify", data=why, files={"image": ("picture", probe)})
    line.ask("POST", "compare", data=why, files={"first": ("one", probe), "second": ("two", other)})


def _fail(line: Gate, gallery: str) -> None:
    """Ask what is refused: that is where words slip into logs."""
    at = f"galleries/{gallery}"
    wrong: tuple[dict[str, Any], ...] = (
        {"path": f"{at}/find", "json": {"reference": WORDS["unknown"], "reason": WORDS["search"], WORDS["field"]: 1}},
        {
            "path": f"{at}/subjects",
            "data": {"reason": WORDS["reason"], "fields": WORDS["field"]},
            "files": {"image": ("picture", b"no")},
        },
        {"path": f"galleries/{WORDS['unknown']}/find", "json": {"reference": "x", "reason": WORDS["search"]}},
    )
    for one in wrong:
        try:
            line.ask("POST", **one)
        except Refusal:
            continue


# ---- what a thief looks for ----


def words() -> list[str]:
    """Give every secret word, and the parts of names."""
    parts = [part for name in NAMES.values() for part in name.split()]
    return [*NAMES.values(), *parts, *WORDS.values(), *matters.words()]


def find_words(contents: Iterable[bytes], wanted: Iterable[str]) -> list[str]:
    """Give the words that stand in any of the contents, in any spelling."""
    spelled = [(word, list(spellings(word).values())) for word in wanted]
    files = list(contents)
    return [word for word, ways in spelled if any(way in raw for raw in files for way in ways)]


def find_pictures(contents: Iterable[bytes], pictures: Iterable[bytes]) -> int:
    """Count the contents that hold a piece of a picture, its pixels or its hash."""
    pieces = []
    for image in pictures:
        pieces += [image[at : at + PIECE_BYTES] for at in range(len(image) // 3, len(image) - PIECE_BYTES, 4000)]
        digest = hashlib.sha256(image)
        pieces += [digest.digest(), digest.hexdigest().encode()]
        with Image.open(io.BytesIO(image)) as picture:
            pixels = picture.convert("RGB").tobytes()
            pieces.append(pixels[len(pixels) // 2 : len(pixels) // 2 + PIXEL_BYTES])
    # What is blank in a picture is blank in other files too, and tells nothing.
    pieces = [piece for piece in pieces if len(set(piece)) >= VARIED]
    return sum(any(piece in raw for piece in pieces) for raw in contents)
