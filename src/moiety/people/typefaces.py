"""Fonts for names in all scripts that packages bring; which of them a text needs, and what none of them can show."""

from __future__ import annotations

import functools
import io
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fontTools.ttLib import TTFont

if TYPE_CHECKING:
    from collections.abc import Callable

MAIN: Final = "FiraGO"


def _fira() -> bytes:
    """Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Georgian, Thai, Vietnamese."""
    made: bytes = import_module("pymupdf_fonts").fontbuffers["figo"]()
    return made


def _file(package: str, *path: str) -> Callable[[], bytes]:
    """Read a font file of a package."""

    def read() -> bytes:
        return files(package).joinpath(*path).read_bytes()

    return read


# In the order in which they are tried; the last one is large, and only read when a text needs it.
_FACES: Final = {
    MAIN: _fira,
    "Tamil": _file("fontpkg_noto_sans_tamil", "files", "NotoSansTamil[wdth,wght].ttf"),
    "Telugu": _file("fontpkg_noto_sans_telugu", "files", "NotoSansTelugu[wdth,wght].ttf"),
    "Bengali": _file("fontpkg_hind_siliguri", "files", "HindSiliguri-Regular.ttf"),
    "Khmer": _file("fontpkg_noto_sans_khmer", "files", "NotoSansKhmer[wdth,wght].ttf"),
    "CJK": _file("cvttf_NotoSansCJK_Regular", "NotoSansCJKtc-Regular.otf"),
}


@dataclass(frozen=True, slots=True)
class Typeface:
    """One font: its file, and the code points that it shows."""

    name: str
    path: Path
    shows: frozenset[int]


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Make the folder in which the fonts of this process lie; it goes with the process."""
    return tempfile.TemporaryDirectory(prefix="moiety-fonts-")


@functools.cache
def typeface(name: str) -> Typeface:
    """Load one font."""
    raw = _FACES[name]()
    path = Path(_folder().name) / f"{name}.ttf"
    path.write_bytes(raw)
    with TTFont(io.BytesIO(raw), lazy=True) as font:
        return Typeface(name, path, frozenset(font.getBestCmap()))


def needed(text: str) -> tuple[Typeface, ...]:
    """Give the fonts that a text needs, the main one first."""
    left = {ord(one) for one in text if one.isprintable() and not one.isspace()}
    chosen = [typeface(MAIN)]
    left -= chosen[0].shows
    for name in _FACES:
        if not left:
            break
        face = typeface(name)
        if left & face.shows and face not in chosen:
            chosen.append(face)
        left -= face.shows
    return tuple(chosen)


def showable(text: str, faces: tuple[Typeface, ...]) -> str:
    """Write what no font shows by its number, such as `[U+12A0]`, so that nothing is lost without a word."""
    shown = frozenset().union(*(face.shows for face in faces))
    kept = []
    for one in text:
        if one in "\n " or ord(one) in shown or ord(one) in _JOINERS:
            kept.append(one)
        elif one.isspace():
            kept.append(" ")
        else:
            kept.append(f"[U+{ord(one):04X}]")
    return "".join(kept)


# Zero-width joiner and non-joiner shape letters and are no letters.
_JOINERS: Final = frozenset({0x200C, 0x200D})
