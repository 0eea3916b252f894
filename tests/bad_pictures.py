"""Pictures that cannot be used, each with the code that says why."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from skimage import data

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from moiety.cli.samples import Samples

SIDE = 30_000


@dataclass(frozen=True)
class Bad:
    """A picture with the codes and statuses it may be refused with at enrolment; searching finds `faces` or fails."""

    name: str
    image: bytes
    codes: tuple[str, ...]
    statuses: tuple[int, ...]
    faces: int | None = None
    suffix: str = ".jpg"


def _encoded(image: Image.Image, form: str = "JPEG") -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def huge_png() -> bytes:
    """Make a true PNG of 30,000 x 30,000 black pixels in some hundred kilobytes (PNG specification, section 5)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    line = bytes(1 + SIDE // 8)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(line * 1000) for _ in range(SIDE // 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def animation(form: str) -> bytes:
    """Make a moving picture of two frames."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=100, loop=0)
    return out.getvalue()


def crowd(photos: Samples) -> bytes:
    """Put seven faces side by side."""
    paths = [path for paths in photos.enrol.values() for path in paths] + [photos.probe]
    sheet = Image.new("RGB", (4 * 320, 2 * 400), "grey")
    for place in range(7):
        with Image.open(paths[place % len(paths)]) as photo:
            small = photo.convert("RGB")
            small.thumbnail((300, 380))
            sheet.paste(small, (320 * (place % 4), 400 * (place // 4)))
    return _encoded(sheet)


def tiny_face(photos: Samples) -> bytes:
    """Make a photo in which a face has about 20 pixels: a portrait at a twelfth of its size or less."""
    with Image.open(photos.enrol["Barack Obama"][0]) as photo:
        small = photo.convert("RGB")
        small.thumbnail((60, 60))
    sheet = Image.new("RGB", (400, 300), (120, 120, 120))
    sheet.paste(small, (170, 120))
    return _encoded(sheet)


def nobody() -> Image.Image:
    """Give a photo of a cup of coffee."""
    cup: Callable[[], NDArray[np.uint8]] = data.coffee
    return Image.fromarray(cup())


def collect(photos: Samples) -> list[Bad]:
    """Give all of them."""
    portrait = photos.enrol["Barack Obama"][0].read_bytes()
    return [
        Bad("text", b"This is a letter and no picture.", ("not-an-image",), (415,)),
        Bad("empty", b"", ("not-an-image",), (415,)),
        Bad("cut", portrait[: len(portrait) // 2], ("image-damaged",), (422,)),
        Bad("huge", huge_png(), ("image-too-large",), (413,), suffix=".png"),
        Bad("moving", animation("GIF"), ("image-animated",), (415,)),
        Bad("moving-webp", animation("WEBP"), ("image-animated",), (415,), suffix=".webp"),
        Bad("nobody", _encoded(nobody()), ("no-face",), (422,), faces=0),
        Bad("seven", crowd(photos), ("many-faces",), (422,), faces=7),
        Bad("tiny", tiny_face(photos), ("no-face", "poor-quality"), (422,), faces=-1),
    ]
