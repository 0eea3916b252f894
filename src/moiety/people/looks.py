"""How records of newcomers look in a list, so that people who are nobody look like them; never what is in them.

Kept in memory alone, a few of each gallery: scripts and signs of a reference, names of fields. A name's letters are not
kept. Of a word with digits in it, such as a plate, its first letter is: lists show that one to everybody.
"""

from __future__ import annotations

import json
import random
import unicodedata
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from moiety.people.rules import BIRTH, Stated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.foundation.ids import GalleryId
    from moiety.storage import Gallery

KEPT: Final = 32
# Fewer would be copied too closely.
ENOUGH: Final = 3
_dice = random.SystemRandom()
_ONES: Final = "BCDFGHKLMNPRSTVW"
_DIGITS: Final = "0123456789"
_BORN: Final = (date(1950, 1, 1).toordinal(), date(2004, 12, 31).toordinal())

# First names and family names by script, common ones. Lists show the first letter of each; nobody is shown more.
_NAMES: Final[dict[str, dict[str, str]]] = json.loads(files("moiety.people").joinpath("names.json").read_bytes())


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a reference: a name's script, or the pattern of a number or code."""

    script: str
    pattern: str

    def anew(self, *, last: bool) -> str:
        """Write another one that looks so."""
        if self.script:
            name = _dice.choice(_NAMES[self.script]["family" if last else "first"].split())
            return name.lower() if self.pattern == "lower" else name.upper() if self.pattern == "upper" else name
        return "".join(
            _dice.choice(_DIGITS) if one == "0" else _dice.choice(_ONES) if one == "?" else one for one in self.pattern
        )


@dataclass(frozen=True, slots=True)
class Look:
    """How one newcomer's record looks."""

    words: tuple[_Word, ...]
    fields: tuple[str, ...]
    stated: Stated
    face: bool

    def reference(self) -> str:
        """Write a reference that looks so, of nobody."""
        last = len(self.words) - 1
        return " ".join(word.anew(last=0 < at == last) for at, word in enumerate(self.words))

    def values(self) -> dict[str, str]:
        """Fill the fields; no list shows what is in them."""
        return {name: _value(name) for name in self.fields}


class Looks:
    """What was seen of newcomers, by gallery."""

    def __init__(self) -> None:
        """Nobody was seen yet."""
        self._seen: defaultdict[GalleryId, deque[Look]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._came: Counter[GalleryId] = Counter()

    def saw(self, gallery: Gallery, reference: str, fields: Mapping[str, str], stated: Stated, *, face: bool) -> None:
        """Keep how a newcomer looks, if somebody else could be made to look so."""
        self._came[gallery.id] += 1
        code = any(one.isdigit() for one in reference)
        words = [_pattern(one) if code else _name(one) for one in reference.split()]
        known = tuple(one for one in words if one is not None)
        if known and len(known) == len(words) and not stated.minor:
            self._seen[gallery.id].append(Look(known, tuple(fields), stated, face))

    def came(self, gallery: Gallery) -> int:
        """Count who came since the start."""
        return self._came[gallery.id]

    def one_of(self, gallery: Gallery) -> Look | None:
        """Give how one of the last newcomers looks; None before there were a few."""
        seen = self._seen.get(gallery.id, ())
        return _dice.choice(tuple(seen)) if len(seen) >= ENOUGH else None


def _name(text: str) -> _Word | None:
    """Say how a word of a name looks; None where its script is one that no names are here for."""
    first = next((one for one in text if one.isalpha()), "")
    script = unicodedata.name(first, "").partition(" ")[0] if first else ""
    case = "lower" if text.islower() else "upper" if len(text) > 1 and text.isupper() else ""
    return _Word(script, case) if script in _NAMES else None


def _pattern(text: str) -> _Word | None:
    """Say how a word of a number or code looks; None where it is not in Latin letters."""
    if not text.isascii():
        return None
    start = next((at for at, one in enumerate(text) if one.isalpha()), -1)
    marks = ["0" if one.isdigit() else "?" if one.isalpha() and at != start else one for at, one in enumerate(text)]
    return _Word("", "".join(marks))


def _value(name: str) -> str:
    """Write a value for a field: a grown-up's day of birth, else a number."""
    if name == BIRTH:
        return date.fromordinal(_dice.randint(*_BORN)).isoformat()
    return "".join(_dice.choice(_DIGITS) for _ in range(10))
