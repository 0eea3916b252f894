"""How records of newcomers look in a list, so that people who are nobody look like them; never what is in them.

A few of each gallery are kept, sealed by a key of the gate, so that one that starts anew forgets none: scripts and
signs of a reference, names of fields, and of nobody whose they were. A name's letters are not kept. Of a word with
digits in it, such as a plate, its first letter is: lists show that one to everybody.
"""

from __future__ import annotations

import json
import random
import unicodedata
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from moiety.foundation.envelopes import KEY_BYTES, pack, seal, unseal
from moiety.foundation.errors import Unverified
from moiety.people.rules import BIRTH, Stated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from moiety.foundation.ids import GalleryId
    from moiety.matching.desk import Desk
    from moiety.storage import Gallery, Transaction

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

    def __init__(self, desk: Desk) -> None:
        """Keep it in `desk`'s store, under a key of its own."""
        self._desk = desk
        self._key = HKDFExpand(SHA256(), KEY_BYTES, b"moiety/looks/seal/1").derive(desk.secrets.binding)

    def saw(self, tx: Transaction, gallery: Gallery, look: Look | None) -> None:
        """Note that somebody came, and how they look, in the transaction that decides that they are here."""
        seen = self._seen(tx, gallery.id)
        known = seen if look is None else [*seen, look][-KEPT:]
        told = json.dumps([asdict(one) for one in known]).encode()
        tx.looks.came(gallery.id, seal(self._key, told, self._bound(gallery.id)))

    def one_of(self, gallery: Gallery) -> Look | None:
        """Give how one of the last newcomers looks; None before there were a few."""
        with self._desk.store.read() as tx:
            seen = self._seen(tx, gallery.id)
        return _dice.choice(seen) if len(seen) >= ENOUGH else None

    def _bound(self, gallery_id: GalleryId) -> bytes:
        return pack("moiety/looks/1", self._desk.tenant, gallery_id)

    def _seen(self, tx: Transaction, gallery_id: GalleryId) -> list[Look]:
        """Open what is kept of a gallery; what was altered is forgotten: nobody is kept waiting for it."""
        sealed = tx.looks.sealed(gallery_id)
        try:
            told = [] if sealed is None else json.loads(unseal(self._key, sealed, self._bound(gallery_id)))
        except Unverified:
            return []
        return [_read(one) for one in told]


def _read(told: dict[str, Any]) -> Look:
    """Read what `saw` wrote."""
    words = tuple(_Word(**word) for word in told["words"])
    return Look(words, tuple(told["fields"]), Stated(**told["stated"]), told["face"])


def look_of(reference: str | None, fields: Mapping[str, str], stated: Stated, *, face: bool) -> Look | None:
    """Say how a newcomer's record looks; None where nobody else could be made to look so."""
    code = any(one.isdigit() for one in reference or "")
    words = [_pattern(one) if code else _name(one) for one in (reference or "").split()]
    known = tuple(one for one in words if one is not None)
    if not known or len(known) != len(words) or stated.minor:
        return None
    return Look(known, tuple(fields), replace(stated, ends_at=None), face)


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
