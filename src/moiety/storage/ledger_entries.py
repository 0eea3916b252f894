"""The ledger's entries in the database: added and read, never changed or removed (triggers see to it)."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import func, insert, select

from moiety.foundation.errors import NotFound
from moiety.storage.ledger_days import DAY_US, LedgerDayTable
from moiety.storage.records import Cosigned, LedgerEntry
from moiety.storage.tables import (
    BY_ACT,
    BY_ACTOR,
    BY_GALLERY,
    BY_KIND,
    LedgerAboutRow,
    LedgerCosignedRow,
    LedgerHashRow,
    LedgerRow,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

_NAMES = [field.name for field in fields(LedgerEntry)]
# Columns of the table instead of rows as objects: an audit reads millions of them.
_TABLE = cast("Table", LedgerRow.__table__)
_COLUMNS = [_TABLE.c[name] for name in _NAMES]
_PAGE = 1000
_SOUGHT = _TABLE.alias("sought")
# By which index SQLite is to look, the first that is asked about: whom an act is about, who did it, where, and what.
_BY = (
    ("subject_id", "ix_ledger_entry_subject_id"),
    ("actor", BY_ACTOR),
    ("gallery_id", BY_GALLERY),
    ("act", BY_ACT),
    ("kind", BY_KIND),
)
# Acts that pages prove by the thing that they show, and in which line of the detail its id stands.
ABOUT: Final = {
    "approval-sign": "approval",
    "approval-confirm": "approval",
    "approval-carry-out": "approval",
    "approval-refuse": "approval",
    "approval-withdraw": "approval",
    "alert-seen": "alert",
    "hold": "hold",
    "stop-press": "emergency",
    "kill-press": "emergency",
    "stop-lift": "approval",
    "kill-lift": "approval",
}
# Made once: an entry is added in every act, and to write a statement costs more than to run it.
_LAST = select(*_COLUMNS).order_by(_TABLE.c.seq.desc()).limit(1)
_ADD = insert(_TABLE)
_ONE = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What entries are looked for; what is None is not asked about. Microseconds since 1970, `until_us` excluded."""

    kind: str | None = None
    act: str | None = None
    actor: str | None = None
    subject_id: str | None = None
    gallery_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None


def _about(entry: LedgerEntry) -> str:
    """Give the id of what an entry of one of the acts of `ABOUT` is about; empty for any other."""
    name = ABOUT.get(entry.act)
    return str(json.loads(entry.detail).get(name, "")) if name else ""


class LedgerTable:
    """The ledger's entries of one transaction, and the hashes above them."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self.days = LedgerDayTable(session)
        self.added: list[int] = []

    def add(self, entry: LedgerEntry) -> None:
        """Write one entry and count it, in the transaction of the act that it tells of.

        A crash before the commit leaves neither the act nor the entry nor the count; after it, all.
        """
        self._session.execute(_ADD, {name: getattr(entry, name) for name in _NAMES})
        self.days.add(entry)
        self.added.append(entry.seq)
        about = _about(entry)
        if about:
            self._session.execute(insert(LedgerAboutRow).values(about_id=about, seq=entry.seq))

    def last(self) -> LedgerEntry | None:
        """Return the newest entry, or None if there is none yet."""
        row = self._session.execute(_LAST).first()
        return None if row is None else LedgerEntry(*row)

    def get(self, seq: int) -> LedgerEntry:
        """Return one entry.

        Raises:
            NotFound: there is no entry with this number.

        """
        row = self._session.execute(select(*_COLUMNS).where(_TABLE.c.seq == seq)).first()
        if row is None:
            raise NotFound("The ledger has no entry with this number.")
        return LedgerEntry(*row)

    def page(self, *, after: int | None = None, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return up to `limit` entries whose number is above `after`, oldest first."""
        query = select(*_COLUMNS).order_by(_TABLE.c.seq).limit(limit)
        if after is not None:
            query = query.where(_TABLE.c.seq > after)
        return tuple(LedgerEntry(*row) for row in self._session.execute(query))

    def search(self, wanted: Wanted, *, before: int | None, limit: int) -> tuple[LedgerEntry, ...]:
        """Return up to `limit` entries like `wanted` whose number is below `before`, newest first."""
        asked = [_SOUGHT.c[name] == getattr(wanted, name) for name, _ in _BY if getattr(wanted, name) is not None]
        # A day more on both sides: a clock that was put back by less hides nothing.
        if wanted.since_us is not None:
            asked += [_SOUGHT.c.seq >= self._first_since(wanted.since_us - DAY_US), _SOUGHT.c.at_us >= wanted.since_us]
        if wanted.until_us is not None:
            asked += [_SOUGHT.c.seq < self._first_since(wanted.until_us + DAY_US), _SOUGHT.c.at_us < wanted.until_us]
        if before is not None:
            asked.append(_SOUGHT.c.seq < before)
        # The index alone says which they are; only those are read.
        numbers = select(_SOUGHT.c.seq).where(*asked).order_by(_SOUGHT.c.seq.desc()).limit(limit)
        by = next((index for name, index in _BY if getattr(wanted, name) is not None), "")
        if by:
            # SQLite keeps no figures of what is rare, and would take any index that fits.
            numbers = numbers.with_hint(_SOUGHT, f"INDEXED BY {by}", "sqlite")
        query = select(*_COLUMNS).where(_TABLE.c.seq.in_(numbers)).order_by(_TABLE.c.seq.desc())
        return tuple(LedgerEntry(*row) for row in self._session.execute(query))

    def decided(self, about: Collection[str], acts: Collection[str]) -> dict[str, list[LedgerEntry]]:
        """Return the entries of some acts of `ABOUT` about each of some things, by its id, oldest first.

        However long the ledger is an index finds them; what the entry itself does not say is left out.
        """
        row = LedgerAboutRow
        query = select(row.about_id, *_COLUMNS).join(_TABLE, _TABLE.c.seq == row.seq).order_by(row.seq)
        found: dict[str, list[LedgerEntry]] = {}
        for one, *columns in self._session.execute(query.where(row.about_id.in_(about), _TABLE.c.act.in_(acts))):
            entry = LedgerEntry(*columns)
            if _about(entry) == one:
                found.setdefault(one, []).append(entry)
        return found

    def _first_since(self, since_us: int) -> int:
        """Give the number of the first entry that is not older than a moment; one past the end if all are."""
        low, high = 1, self._session.scalar(select(func.coalesce(func.max(_TABLE.c.seq), 0) + 1)) or 1
        while low < high:
            middle = (low + high) // 2
            at_us = self._session.scalar(select(_TABLE.c.at_us).where(_TABLE.c.seq == middle))
            if at_us is not None and at_us >= since_us:
                high = middle
            else:
                low = middle + 1
        return low

    def every(self) -> Iterator[LedgerEntry]:
        """Go through all entries in the order of their numbers, some of them in memory at a time."""
        after: int | None = None
        while page := self.page(after=after, limit=_PAGE):
            yield from page
            after = page[-1].seq

    def add_hash(self, level: int, number: int, digest: bytes) -> None:
        """Write the root of a full subtree of 256**level entries."""
        self._session.execute(insert(LedgerHashRow).values(level=level, number=number, hash=digest))

    def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """Return up to `count` hashes of a level from number `first` (from 0) on: level 0 are those of the entries."""
        if level == 0:
            query = select(_TABLE.c.hash).where(_TABLE.c.seq > first, _TABLE.c.seq <= first + count)
            return list(self._session.scalars(query.order_by(_TABLE.c.seq)))
        row = LedgerHashRow
        found = select(row.hash).where(row.level == level, row.number >= first, row.number < first + count)
        return list(self._session.scalars(found.order_by(row.number)))

    def hash_count(self) -> int:
        """Count the stored roots of subtrees."""
        return self._session.scalar(select(func.count()).select_from(LedgerHashRow)) or 0

    def cosigned(self) -> Cosigned | None:
        """Return the newest checkpoint that the witness has signed."""
        row = self._session.get(LedgerCosignedRow, _ONE)
        return None if row is None else Cosigned(row.size, row.note, row.at)

    def keep_cosigned(self, found: Cosigned) -> None:
        """Put the newest cosigned checkpoint in the place of the one before."""
        self._session.merge(LedgerCosignedRow(id=_ONE, size=found.size, note=found.note, at=found.at))
