"""Decoding: limits before pixels, every kind of bad file by its own error, the right colours the right way up."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from moiety.foundation.errors import BadInput, ImageAnimated, ImageDamaged, ImageTooLarge, NotAnImage
from moiety.vision.decode import PIXELS_FULL, decode

RED, GREEN, BLUE, GREY = (250, 10, 10), (10, 250, 10), (10, 10, 250), (120, 120, 120)


def four_corners() -> Image.Image:
    """48 x 32: red, green above blue, grey."""
    picture = Image.new("RGB", (48, 32))
    for colour, at in ((RED, (0, 0)), (GREEN, (24, 0)), (BLUE, (0, 16)), (GREY, (24, 16))):
        picture.paste(colour, (*at, at[0] + 24, at[1] + 16))
    return picture


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.asarray(pixel, dtype=int) - colour).max() <= 12)


def png_header(width: int, height: int) -> bytes:
    """Make a PNG that claims a size and that holds no pixel at all."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_format_gives_upright_rgb(kind: str) -> None:
    picture = decode(saved(four_corners(), kind, quality=95))
    assert picture.rgb.shape == (32, 48, 3)
    assert picture.rgb.dtype == np.uint8
    assert (picture.width, picture.height, picture.scale) == (48, 32, 1.0)
    assert near(picture.rgb[4, 4], RED)
    assert near(picture.rgb[4, 44], GREEN)
    assert near(picture.rgb[28, 4], BLUE)


# Where the red corner of the stored picture must come to lie (EXIF 2.32, tag 0x0112), as (row, column) ends.
@pytest.mark.parametrize(
    ("orientation", "row", "column"),
    [(1, 0, 0), (2, 0, -1), (3, -1, -1), (4, -1, 0), (5, 0, 0), (6, 0, -1), (7, -1, -1), (8, -1, 0)],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(kind: str, orientation: int, row: int, column: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(saved(four_corners(), kind, quality=95, exif=exif.tobytes()))
    turned = orientation >= 5
    assert picture.rgb.shape == ((48, 32, 3) if turned else (32, 48, 3))
    assert (picture.width, picture.height) == ((32, 48) if turned else (48, 32))
    assert near(picture.rgb[row, column], RED)


def test_broken_exif_counts_as_none() -> None:
    picture = decode(saved(four_corners(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff"))
    assert picture.rgb.shape == (32, 48, 3)


def test_grey_becomes_three_equal_channels() -> None:
    rgb = decode(saved(Image.new("L", (20, 10), 77), "PNG")).rgb
    assert (rgb == 77).all()


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    deep = Image.fromarray(np.full((10, 20), 0x8000, np.uint16))
    rgb = decode(saved(deep, "PNG")).rgb
    assert (rgb == 128).all()


def test_transparent_parts_become_white() -> None:
    picture = Image.new("RGBA", (20, 10), (200, 0, 0, 0))
    picture.paste((0, 0, 200, 255), (0, 0, 10, 10))
    rgb = decode(saved(picture, "PNG")).rgb
    assert tuple(rgb[5, 15]) == (255, 255, 255)
    assert tuple(rgb[5, 5]) == (0, 0, 200)


def test_transparent_palette_colour_becomes_white() -> None:
    picture = Image.new("P", (20, 10), 1)
    picture.putpalette([9, 9, 9, 8, 8, 8])
    rgb = decode(saved(picture, "PNG", transparency=1)).rgb
    assert (rgb == 255).all()


def test_cmyk_jpeg_keeps_its_colours() -> None:
    rgb = decode(saved(Image.new("RGB", (32, 32), RED).convert("CMYK"), "JPEG", quality=95)).rgb
    assert near(rgb[16, 16], RED)


def test_phone_jpeg_with_a_second_picture_is_no_animation() -> None:
    stream = io.BytesIO()
    four_corners().save(stream, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert decode(stream.getvalue()).rgb.shape == (32, 48, 3)


def test_too_many_bytes_are_refused() -> None:
    image = saved(four_corners(), "PNG")
    assert decode(image, bytes_max=len(image)).width == 48
    with pytest.raises(ImageTooLarge, match="bytes"):
        decode(image, bytes_max=len(image) - 1)


def test_too_many_pixels_are_refused() -> None:
    image = saved(four_corners(), "PNG")
    assert decode(image, pixels_max=48 * 32).width == 48
    with pytest.raises(ImageTooLarge, match="48 x 32"):
        decode(image, pixels_max=48 * 32 - 1)


@pytest.mark.parametrize("side", [8_001, 30_000, 2_000_000_000])
def test_a_huge_png_is_refused_by_its_header(side: int) -> None:
    # There is no pixel in the file: had decoding begun, it would have been called damaged.
    with pytest.raises(ImageTooLarge):
        decode(png_header(side, side))


def test_a_png_without_pixels_is_damaged() -> None:
    with pytest.raises(ImageDamaged):
        decode(png_header(100, 100))


def test_a_large_jpeg_is_decoded_smaller_and_says_so() -> None:
    width, height = 6000, 4000
    assert width * height > PIXELS_FULL
    image = saved(Image.new("RGB", (width, height), BLUE), "JPEG")
    picture = decode(image)
    assert (picture.width, picture.height) == (width, height)
    assert picture.scale == 2.0
    assert picture.rgb.shape == (height // 2, width // 2, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_are_refused(kind: str) -> None:
    frames = [four_corners(), Image.new("RGB", (48, 32), GREEN), Image.new("RGB", (48, 32), BLUE)]
    with pytest.raises(ImageAnimated):
        decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_a_still_gif_is_not_read() -> None:
    with pytest.raises(NotAnImage, match="GIF"):
        decode(saved(four_corners(), "GIF"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_files_are_damaged(kind: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8))
    image = saved(noise, kind)
    with pytest.raises(ImageDamaged):
        decode(image[: int(len(image) * share)])


@pytest.mark.parametrize(
    "image",
    [b"", b"hello, this is text and no picture", b"%PDF-1.7 ...", b"RIFF\x10\x00\x00\x00WAVEfmt ", b"BM" + bytes(60)],
)
def test_other_files_are_no_images(image: bytes) -> None:
    with pytest.raises(NotAnImage):
        decode(image)


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff\xe0\x00", b"\x89PNG\r\n\x1a\n\x00\x00", b"RIFF\x10\x00\x00\x00WEBPVP8 "]
)
def test_a_bare_beginning_is_damaged(start: bytes) -> None:
    with pytest.raises(ImageDamaged):
        decode(start)


SAMPLES = [saved(four_corners(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]


@settings(max_examples=300, deadline=None)
@given(sample=st.sampled_from(SAMPLES), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=8))
def test_altered_files_decode_or_are_refused_but_never_crash(sample: bytes, flips: list[tuple[float, int]]) -> None:
    altered = bytearray(sample)
    for where, mask in flips:
        altered[int(where * (len(altered) - 1))] ^= mask
    try:
        picture = decode(bytes(altered), pixels_max=1_000_000)
    except BadInput:
        return
    assert picture.rgb.ndim == 3
    assert picture.rgb.shape[0] * picture.rgb.shape[1] <= 1_000_000
