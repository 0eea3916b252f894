"""Tiles and entry bundles (c2sp.org/tlog-tiles): their paths and their bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from moiety.foundation.errors import BadInput, Unverified
from moiety.tlog.merkle import TILE_HEIGHT, TILE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENTRY_BYTES_MAX = (1 << 16) - 1
LEVEL_MAX = 7  # 256**8 leaves are more than a size can say
_LENGTH = 2
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<number>(x[0-9]{3}/)*[0-9]{3})"
    r"(\.p/(?P<width>[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of hashes at `level`, or (level None) one bundle of entries; `width` is 256 where it is full."""

    level: int | None
    number: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """Write where it lies below the log's prefix."""
        digits, rest = f"{self.number % 1000:03}", self.number // 1000
        while rest:
            digits, rest = f"x{rest % 1000:03}/{digits}", rest // 1000
        part = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level is None else self.level}/{digits}{part}"

    @classmethod
    def parse(cls, path: str) -> Self:
        """Read a path.

        Raises:
            BadInput: it names no tile, or not in the one way in which it is written.

        """
        match = _PATH.fullmatch(path)
        if not match:
            raise BadInput("That is no path of a tile.")
        level = None if match["level"] == "entries" else int(match["level"])
        number = int(match["number"].replace("x", "").replace("/", ""))
        found = cls(level, number, int(match["width"] or TILE_WIDTH))
        if found.path() != path or (level or 0) > LEVEL_MAX:
            raise BadInput("That is no path of a tile.")
        return found

    @property
    def first(self) -> int:
        """The number of its first hash at its level, or of its first entry."""
        return self.number * TILE_WIDTH


def _row(level: int | None, count: int) -> Iterator[Tile]:
    full, part = divmod(count, TILE_WIDTH)
    yield from (Tile(level, number) for number in range(full))
    if part:
        yield Tile(level, full, part)


def tiles_of(size: int) -> Iterator[Tile]:
    """List the tiles of hashes in a tree of `size` entries, level by level."""
    level = 0
    while count := size >> TILE_HEIGHT * level:
        yield from _row(level, count)
        level += 1


def bundles_of(size: int) -> Iterator[Tile]:
    """List the bundles of `size` entries."""
    return _row(None, size)


def bundle(entries: Iterable[bytes]) -> bytes:
    """Write entries, each behind its length (u16, big-endian).

    Raises:
        BadInput: an entry has more than 65,535 bytes.

    """
    out = bytearray()
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise BadInput("An entry of the ledger has more than 65,535 bytes.")
        out += len(entry).to_bytes(_LENGTH, "big") + entry
    return bytes(out)


def unbundle(raw: bytes) -> list[bytes]:
    """Take a bundle apart.

    Raises:
        Unverified: it does not end where its lengths say.

    """
    entries, at = [], 0
    while at < len(raw):
        end = at + _LENGTH + int.from_bytes(raw[at : at + _LENGTH], "big")
        if end > len(raw) or at + _LENGTH > len(raw):
            raise Unverified("A bundle of entries is cut short.")
        entries.append(raw[at + _LENGTH : end])
        at = end
    return entries
