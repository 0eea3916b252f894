"""CSV (RFC 4180) that a spreadsheet shows and does not run."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What a spreadsheet may take for the beginning of a formula, also behind blanks (OWASP, CSV injection).
_STARTS: Final = "=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20"


def harmless(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet might run, and drop what no text file may hold."""
    text = cell.replace("\0", "")
    bare = text.lstrip(" \u00a0\u200b\ufeff")
    return f"'{text}" if bare[:1] and bare[0] in _STARTS else text


def as_csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write rows, each cell quoted, as UTF-8 text with the mark by which spreadsheets know it."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    for row in (head, *rows):
        writer.writerow([harmless(cell) for cell in row])
    return "\ufeff" + out.getvalue()
