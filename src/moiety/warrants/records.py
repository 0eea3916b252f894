"""Canonical bytes: a record has exactly one encoding, with its own domain in front, so a signature means one thing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import ClassVar, Self, get_args, get_type_hints

from moiety.foundation.envelopes import pack, unpack
from moiety.foundation.errors import Unverified

Box = tuple[int, int, int, int]
NO_BOX: Box = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Record:
    """A frozen dataclass whose fields are str, int (u64), bytes, Box or tuple[int, ...], encoded in their order."""

    DOMAIN: ClassVar[str]

    def encode(self) -> bytes:
        """Give the canonical bytes: `pack(domain, field, field, …)`; a tuple is packed into one field."""
        values = (getattr(self, field.name) for field in fields(self))
        return pack(self.DOMAIN, *(pack(*value) if isinstance(value, tuple) else value for value in values))

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read canonical bytes.

        Raises:
            Unverified: they are not the canonical bytes of this record.

        """
        parts = unpack(raw)
        names = [field.name for field in fields(cls)]
        if len(parts) != len(names) + 1 or parts[0] != cls.DOMAIN.encode():
            raise Unverified(f"These bytes are not a {cls.__name__.lower()}.")
        hints = get_type_hints(cls)
        try:
            record = cls(**{name: _value(hints[name], part) for name, part in zip(names, parts[1:], strict=True)})
            canonical = record.encode()
        except (ValueError, OverflowError):
            raise Unverified(f"These bytes are not a {cls.__name__.lower()}.") from None
        if canonical != raw:
            raise Unverified(f"A {cls.__name__.lower()} is not in canonical form.")
        return record

    def digest(self) -> bytes:
        """SHA-256 over the canonical bytes."""
        return hashlib.sha256(self.encode()).digest()


def _value(hint: object, part: bytes) -> str | int | bytes | tuple[int, ...]:
    """Read one field as its annotation says."""
    if hint is bytes:
        return part
    if hint is int:
        return int.from_bytes(part, "big")
    if isinstance(hint, type) and issubclass(hint, str):
        return hint(part.decode())
    numbers = tuple(int.from_bytes(piece, "big") for piece in unpack(part))
    if ... not in get_args(hint) and len(numbers) != len(get_args(hint)):
        raise ValueError
    return numbers
