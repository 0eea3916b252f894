"""Image bytes to upright RGB pixels, with every limit checked on the header before a pixel is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from moiety.foundation.errors import ImageAnimated, ImageDamaged, ImageTooLarge, NotAnImage

if TYPE_CHECKING:
    import numpy.typing as npt

BYTES_MAX: Final = 25 * 1024 * 1024
PIXELS_MAX: Final = 64_000_000
# Above this many pixels a JPEG is decoded at half, a quarter or an eighth of its sides (DCT scaling, libjpeg).
PIXELS_FULL: Final = 16_000_000

_READ: Final = ("JPEG", "PNG", "WEBP", "GIF")
# Many phones write a JPEG with a second, smaller picture behind it; Pillow's JPEG reader then calls it MPO.
_JPEG: Final = ("JPEG", "MPO")
_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8")
_ORIENTATION: Final = 0x0112
# What Pillow raises on broken files, by reading its plugins and by fuzzing them.
_BROKEN: Final = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """An upright picture.

    `rgb` is u8[H, W, 3]; one of its pixels stands for `scale` pixels of the file on each axis (1.0 unless the file
    was so large that it was decoded smaller); `width` and `height` are those of the upright file.
    """

    rgb: npt.NDArray[np.uint8]
    scale: float
    width: int
    height: int


def decode(image: bytes, *, bytes_max: int = BYTES_MAX, pixels_max: int = PIXELS_MAX) -> Picture:
    """Decode a JPEG, PNG or WebP and turn it upright as its EXIF says.

    Grey, palette, 16-bit and CMYK pictures become RGB; transparent parts become white.

    Raises `ImageTooLarge` (bytes or pixels over the limit, found before decoding), `ImageAnimated`, `ImageDamaged`
    (cut short or broken) and `NotAnImage`.
    """
    if len(image) > bytes_max:
        raise ImageTooLarge(f"The picture has {len(image)} bytes; the limit is {bytes_max}.")
    opened = _open(image)
    _check_header(opened, pixels_max)
    width, height = opened.size
    if opened.format in _JPEG and width * height > PIXELS_FULL:
        ratio = (PIXELS_FULL / (width * height)) ** 0.5
        # Pillow never goes below the asked size, so what comes is between the asked pixels and four times as many.
        opened.draft("RGB", (round(width * ratio / 2), round(height * ratio / 2)))
    turn = _orientation(opened)
    try:
        opened.load()
        upright = _rgb(opened)
    except Image.DecompressionBombError:
        raise ImageTooLarge from None
    except _BROKEN:
        raise ImageDamaged from None
    scale = width / opened.size[0]
    if turn is not None:
        upright = upright.transpose(turn)
        if turn in {_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8]}:
            width, height = height, width
    return Picture(rgb=np.asarray(upright), scale=scale, width=width, height=height)


def _open(image: bytes) -> Image.Image:
    """Read the header only."""
    if not image:
        raise NotAnImage("The file is empty.")
    try:
        return Image.open(io.BytesIO(image), formats=_READ)
    except Image.DecompressionBombError:
        raise ImageTooLarge from None
    except UnidentifiedImageError:
        if image.startswith(_MAGIC) and (image[:4] != b"RIFF" or image[8:12] == b"WEBP"):
            raise ImageDamaged from None
        raise NotAnImage from None
    except _BROKEN:
        raise ImageDamaged from None


def _check_header(opened: Image.Image, pixels_max: int) -> None:
    """Refuse by what the header says: animations, GIF, too many pixels."""
    width, height = opened.size
    if opened.format != "GIF" and width * height > pixels_max:
        raise ImageTooLarge(f"The picture has {width} x {height} pixels; the limit is {pixels_max} pixels.")
    try:
        animated = opened.format != "MPO" and getattr(opened, "is_animated", False)
    except _BROKEN:
        raise ImageDamaged from None
    if animated:
        raise ImageAnimated
    if opened.format == "GIF":
        raise NotAnImage("GIF pictures are not read; send a JPEG, PNG or WebP.")


def _orientation(opened: Image.Image) -> Image.Transpose | None:
    """Read the EXIF orientation; a broken EXIF block counts as none, since the pixels are still good."""
    try:
        return _TURNS.get(opened.getexif().get(_ORIENTATION, 1))
    except _BROKEN:
        return None


def _rgb(opened: Image.Image) -> Image.Image:
    """Convert any mode to RGB."""
    if opened.mode == "RGB" and "transparency" not in opened.info:
        return opened
    if opened.mode in {"LA", "RGBA", "PA", "La", "RGBa"} or "transparency" in opened.info:
        rgba = opened.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    if opened.mode.startswith(("I", "F")):
        # 16-bit grey: Pillow's own conversion would clip at 255.
        deep = np.asarray(opened, dtype=np.float32)
        return Image.fromarray(np.clip(deep / 256, 0, 255).astype(np.uint8)).convert("RGB")
    return opened.convert("RGB")
