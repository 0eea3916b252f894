"""Which keys a log line or a span may have, and of which shape the value of each must be. Whatever else is withheld.

There is no shape of free text: a name, a number of a person, a reason or an embedding fits none of them.
"""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from moiety.watch.closed import known
from moiety.watch.origins import ErrorKind, Spot, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Enough for rows and bytes; a phone's number with its country, or an identity number, is larger.
NUMBER_MAX: Final = 10**9
_GALLERY: Final = re.compile(r"gal_[a-z2-7]{16}")
_CALLER: Final = re.compile(r"(key|opr)_[a-z2-7]{16}|owner|-")
_MARK: Final = re.compile(r"[0-9a-f]{32}|-")
_ROW: Final = re.compile(r"[0-9a-f]{32}")


class Shape(Enum):
    """What a value may be."""

    WORD = "a word of the closed set declared for its key"
    COUNT = "a whole number from 0 to 10⁹"
    MEASURE = "a finite number below 10⁹, rounded to thousandths"
    GALLERY = "the random id of a gallery"
    CALLER = "the random id of an API key or of somebody who works here, or `owner`"
    ROW = "the random id of a row or personal key, 16 bytes in hex"
    MARK = "a keyed hash, 16 bytes in hex"
    ERROR = "the name of a class of errors"
    PLACE = "a place in source code"
    WHY = "an error: of its sentence, what stands in our source; or a sentence declared for the key"


KEYS: Final[Mapping[str, Shape]] = {
    "part": Shape.WORD,
    "peer": Shape.WORD,
    "half": Shape.WORD,
    "kind": Shape.WORD,
    "slug": Shape.WORD,
    "what": Shape.WORD,
    "field_class": Shape.WORD,
    "method": Shape.WORD,
    "route": Shape.WORD,
    "outcome": Shape.WORD,
    "alert": Shape.WORD,
    "status": Shape.COUNT,
    "version": Shape.COUNT,
    "count": Shape.COUNT,
    "rows": Shape.COUNT,
    "keys": Shape.COUNT,
    "photos": Shape.COUNT,
    "settled": Shape.COUNT,
    "erased": Shape.COUNT,
    "intent": Shape.COUNT,
    "ms": Shape.MEASURE,
    "gallery": Shape.GALLERY,
    "caller": Shape.CALLER,
    "row": Shape.ROW,
    "handle": Shape.ROW,
    "session": Shape.MARK,
    "reason_mark": Shape.MARK,
    "error": Shape.ERROR,
    "at": Shape.PLACE,
    "why": Shape.WHY,
}


class Withheld(ValueError):  # noqa: N818 - it says what happens to the value
    """A value is not of the shape of its key, or there is no such key."""


def clean(key: str, value: object) -> str | int | float:
    """Give what may be written of a value under a key.

    Raises:
        Withheld: nothing may.

    """
    shape = KEYS.get(key)
    found = None if shape is None else _fit(shape, key, value)
    if found is None:
        raise Withheld
    return found


def _fit(shape: Shape, key: str, value: object) -> str | float | None:
    """Give a value in plain form if it has the shape."""
    if shape in {Shape.COUNT, Shape.MEASURE}:
        return _number(shape, value)
    if shape is Shape.WHY and isinstance(value, BaseException):
        return sentence(value)
    if not isinstance(value, str):
        return None
    fits: dict[Shape, Callable[[], object]] = {
        Shape.WORD: lambda: known(key, value),
        Shape.WHY: lambda: known(key, value),
        Shape.GALLERY: lambda: _GALLERY.fullmatch(value),
        Shape.CALLER: lambda: _CALLER.fullmatch(value),
        Shape.ROW: lambda: _ROW.fullmatch(value),
        Shape.MARK: lambda: _MARK.fullmatch(value),
        Shape.ERROR: lambda: isinstance(value, ErrorKind),
        Shape.PLACE: lambda: isinstance(value, Spot),
    }
    # A plain copy: a subclass could say something else when it is written.
    return str.__str__(value) if fits[shape]() else None


def _number(shape: Shape, value: object) -> int | float | None:
    """Give a number of moderate size; truth values are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if shape is Shape.COUNT:
        return int(value) if isinstance(value, int) and 0 <= value < NUMBER_MAX else None
    return round(float(value), 3) if abs(value) < NUMBER_MAX else None
