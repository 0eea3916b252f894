"""Sealing people's words about incidents, and strangers' reports, at the gate."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from moiety.foundation.envelopes import KEY_BYTES, pack, seal, unseal
from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from moiety.matching.desk import Desk

_KEPT: Final = "\n\t"


def plain_text(what: str, text: str, chars_max: int, *, needed: bool = False) -> str:
    """Return text of any script without what only steers a machine: control characters, and marks that turn lines.

    Raises:
        BadInput: it is too long, or empty where it is needed.

    """
    if len(text) > chars_max:
        raise BadInput(f"{what} has at most {chars_max} characters.")
    told = "".join(one for one in text.replace("\r\n", "\n") if one in _KEPT or not _steers(one)).strip()
    if needed and not told:
        raise BadInput(f"{what} must not be empty.")
    return told


def _steers(one: str) -> bool:
    """Whether a character is no text: controls, lone surrogates, and overrides of the direction (UAX 9)."""
    category = unicodedata.category(one)
    return category in {"Cc", "Cs", "Zl", "Zp"} or one in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Words:
    """A key of its own for them, derived from a key of the gate; bound to tenant, table, column and row."""

    def __init__(self, desk: Desk) -> None:
        """Derive the key."""
        self._tenant = desk.tenant
        self._key = HKDFExpand(SHA256(), KEY_BYTES, b"moiety/incidents/seal/1").derive(desk.secrets.binding)

    def _bound(self, column: str, row: str) -> bytes:
        return pack("moiety/incidents/1", self._tenant, column, row)

    def seal(self, column: str, row: str, text: str) -> bytes:
        """Seal a text for `table.column` of a row."""
        return seal(self._key, text.encode(), self._bound(column, row))

    def open(self, column: str, row: str, sealed: bytes) -> str:
        """Open a text.

        Raises:
            Unverified: it was altered or moved.

        """
        return unseal(self._key, sealed, self._bound(column, row)).decode()
