"""Canonical bytes: a record has exactly one encoding, with its own domain in front, so a signature means one thing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, cast, get_args, get_type_hints

from moiety.foundation.envelopes import pack, unpack
from moiety.foundation.errors import BadInput, Unverified

Box = tuple[int, int, int, int]
NO_BOX: Box = (0, 0, 0, 0)
NUMBER_BYTES = 8
_known: dict[str, dict[str, Any]] = {}


def _hints(of: type[Any]) -> dict[str, Any]:
    """Give the types of a record's fields; looking them up takes longer than reading a record."""
    name = f"{of.__module__}.{of.__qualname__}"
    if name not in _known:
        _known[name] = get_type_hints(of)
    return _known[name]


@dataclass(frozen=True, slots=True)
class Record:
    """A frozen dataclass, encoded field by field in their order.

    Fields are str, a StrEnum, int (u64), bytes, another Record, or a tuple of one of these (of any length, or Box).
    """

    DOMAIN: ClassVar[str]

    def encode(self) -> bytes:
        """Give the canonical bytes: `pack(domain, field, field, …)`; a tuple is packed into one field."""
        return pack(self.DOMAIN, *(_packed(getattr(self, field.name)) for field in fields(self)))

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
        hints = _hints(cls)
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

    def plain(self) -> dict[str, Any]:
        """Give the fields for JSON: bytes in hex, records as objects, tuples as lists."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_plain(cls, told: object) -> Self:
        """Read what `plain` gave, and nothing more or less.

        Raises:
            BadInput: a field is missing, unknown or of the wrong kind; the message names it.

        """
        names = {field.name for field in fields(cls)}
        if not isinstance(told, dict) or set(told) != names:
            known = set(told) if isinstance(told, dict) else set()
            odd = ", ".join(sorted(names ^ known))
            raise BadInput(f"A {cls.__name__.lower()} needs its own fields and no others; see: {odd}.")
        hints = _hints(cls)
        made = {}
        for name in names:
            try:
                made[name] = _from_plain(hints[name], told[name])
            except (ValueError, TypeError):
                raise BadInput(f"The field {name!r} of a {cls.__name__.lower()} cannot be understood.") from None
        return cls(**made)


def _packed(value: object) -> bytes | str | int:
    """Give what `pack` takes of one field."""
    if isinstance(value, tuple):
        return pack(*(_packed(piece) for piece in value))
    if isinstance(value, Record):
        return value.encode()
    return cast("bytes | str | int", value)


def _value(hint: Any, part: bytes) -> Any:
    """Read one field as its annotation says."""
    kinds = get_args(hint)
    if kinds:
        pieces = unpack(part)
        if ... not in kinds and len(pieces) != len(kinds):
            raise ValueError
        return tuple(_value(kinds[0], piece) for piece in pieces)
    if hint is int:
        return int.from_bytes(part, "big")
    if hint is bytes:
        return part
    if issubclass(hint, Record):
        return hint.decode(part)
    return hint(part.decode())


def _plain(value: object) -> Any:
    """Make one field fit for JSON."""
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, tuple):
        return [_plain(piece) for piece in value]
    return value.hex() if isinstance(value, bytes) else value


def _from_plain(hint: Any, told: Any) -> Any:
    """Read one field from JSON as its annotation says."""
    kinds = get_args(hint)
    if kinds:
        if not isinstance(told, list) or (... not in kinds and len(told) != len(kinds)):
            raise ValueError
        return tuple(_from_plain(kinds[0], piece) for piece in told)
    if issubclass(hint, Record):
        return hint.from_plain(told)
    if hint is int:
        if type(told) is not int or not 0 <= told < 1 << (8 * NUMBER_BYTES):
            raise ValueError
        return told
    if not isinstance(told, str):
        raise TypeError
    return bytes.fromhex(told) if hint is bytes else hint(told)
