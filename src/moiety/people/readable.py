"""An access export as a document for reading: PDF, fonts embedded, letters joined as their script wants it."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, Final

from fpdf import FPDF, XPos, YPos
from fpdf.errors import FPDFException
from PIL import Image, UnidentifiedImageError

from moiety.people.typefaces import MAIN, needed, showable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TITLE: Final = "What is kept about you"
MARGIN_MM: Final = 20
LINE_MM: Final = 6
IMAGE_MM: Final = 50
SIGNATURE_MM: Final = 60
ROWS_MAX: Final = 2000
_SECTIONS: Final = (
    ("record", "Why it is kept, by whom and for how long"),
    ("fields", "What is written down"),
    ("consents", "Your consents"),
    ("images", "Photos"),
    ("own_template", "The template that you keep"),
    ("searches", "Who looked"),
    ("disclosures", "Who was told"),
    ("changes", "What was changed"),
)


def as_pdf(export: Mapping[str, Any]) -> bytes:
    """Write what `AccessExports.whole` gave as a PDF."""
    faces = needed("\n".join(_strings(export)))
    page = _Page(faces)
    page.heading(TITLE, 18)
    page.line(f"{export['gallery']['name']} · {export['subject']} · {export['made_at']}")
    for name, title in _SECTIONS:
        page.heading(title, 13)
        _section(page, name, export[name])
    for title, text in (("How matching works", export["logic"]), ("Your rights", export["rights"])):
        page.heading(title, 13)
        page.line(str(text))
    if export["redacted"]:
        page.line("Something about another person was left out of: " + ", ".join(export["redacted"]))
    return page.written()


def text_as_pdf(title: str, text: str) -> bytes:
    """Write a plain text as a PDF, line by line; its first line is the heading."""
    page = _Page(needed(text), title)
    first, _, rest = text.partition("\n")
    page.heading(first, 14)
    for line in rest.splitlines():
        page.line(line or " ")
    return page.written()


def _section(page: _Page, name: str, found: Any) -> None:
    """Write one section."""
    if not found:
        page.line("Nothing.")
    elif isinstance(found, dict):
        for key, value in found.items():
            page.pair(key, value)
    elif name == "consents":
        for one in found:
            _consent(page, one)
    elif name == "images":
        for one in found:
            page.line(f"{one['photo']}, since {one['since']}, {one['taken']}")
            page.picture(one["base64"]) if "base64" in one else page.line(one["note"])
    else:
        for one in found[-ROWS_MAX:]:
            more = ", ".join(f"{key} {value}" for key, value in one.items() if key in {"band", "photo", "into"})
            page.line(f"{one['at']}   {one['act']}   {one['recipient_name']}{'   ' + more if more else ''}")


def _consent(page: _Page, one: Mapping[str, Any]) -> None:
    """Write one consent and draw its signature."""
    for key in ("given", "ends", "withdrawn", "notice", "purpose"):
        page.pair(key, one[key])
    release = one["release"]
    page.pair("signed by", release.get("signed_by"))
    if release.get("strokes"):
        page.signature(release["strokes"])
    elif release.get("png"):
        page.picture(release["png"])


def _strings(value: Any) -> Iterator[str]:
    """Give every text of an export that is written out."""
    if isinstance(value, str):
        yield value[:10_000]
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in {"base64", "png", "client_data", "signature", "authenticator_data", "key"}:
                yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


class _Page:
    """A document that is written from top to bottom."""

    def __init__(self, faces: Any, title: str = TITLE) -> None:
        self._faces = faces
        self._pdf = FPDF(format="A4")
        self._pdf.set_margin(MARGIN_MM)
        self._pdf.set_title(title)
        self._pdf.set_lang("en")
        for face in faces:
            self._pdf.add_font(face.name, fname=str(face.path))
        self._pdf.set_fallback_fonts([face.name for face in faces[1:]])
        self._pdf.add_page()
        self._pdf.set_font(MAIN, size=10)
        self._pdf.set_text_shaping(use_shaping_engine=True)

    def heading(self, text: str, size: int) -> None:
        self._pdf.ln(LINE_MM / 2)
        self._pdf.set_font(MAIN, size=size)
        self._write(text, size * 0.5)
        self._pdf.set_font(MAIN, size=10)

    def line(self, text: str) -> None:
        self._write(text, LINE_MM)

    def pair(self, key: str, value: Any) -> None:
        if value not in {None, ""}:
            self.line(f"{key.replace('_', ' ')}: {'yes' if value is True else 'no' if value is False else value}")

    def _write(self, text: str, height: float) -> None:
        self._pdf.multi_cell(0, height, showable(text, self._faces), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")

    def picture(self, encoded: str) -> None:
        """Show a kept picture; one that cannot be drawn is in the machine-readable export all the same."""
        try:
            self._pdf.image(io.BytesIO(base64.b64decode(encoded)), w=IMAGE_MM)
        except (FPDFException, UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
            self.line("This picture cannot be drawn here; it is in the machine-readable export.")

    def signature(self, strokes: list[list[list[int]]]) -> None:
        """Draw a signature's lines within a box."""
        points = [point for stroke in strokes for point in stroke]
        left, top = min(x for x, _ in points), min(y for _, y in points)
        wide = max(max(x for x, _ in points) - left, max(y for _, y in points) - top, 1)
        scale = SIGNATURE_MM / wide
        if self._pdf.get_y() + SIGNATURE_MM > self._pdf.page_break_trigger:
            self._pdf.add_page()
        x0, y0 = self._pdf.get_x(), self._pdf.get_y() + 2
        for stroke in strokes:
            self._pdf.polyline([(x0 + (x - left) * scale, y0 + (y - top) * scale) for x, y in stroke])
        self._pdf.set_y(y0 + (max(y for _, y in points) - top) * scale + 4)

    def written(self) -> bytes:
        return bytes(self._pdf.output())
