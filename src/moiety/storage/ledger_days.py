"""How often what was done on each day: counts beside the ledger's entries, for what sums up months and years."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import func, select, text

from moiety.storage.tables import LedgerDayRow, LedgerRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

    from moiety.storage.records import LedgerEntry

DAY_US: Final = 86_400_000_000
# The ledger's entries of no gallery (sign-ins, keys, switches) stand here with an empty one: a key has no gaps.
NOWHERE: Final = ""
_DAY = cast("Table", LedgerDayRow.__table__).c
_ENTRY = cast("Table", LedgerRow.__table__).c
_WHO = (_DAY.gallery_id, _DAY.kind, _DAY.act, _DAY.actor)
_SUMS = (func.sum(_DAY.times), func.min(_DAY.first_seq), func.max(_DAY.last_seq))
_ADD = text(
    "INSERT INTO ledger_day (day, kind, act, actor, purpose, gallery_id, band, times, first_seq, last_seq, first_us, "
    "last_us) VALUES (:day, :kind, :act, :actor, :purpose, :gallery_id, :band, 1, :seq, :seq, :at_us, :at_us) "
    "ON CONFLICT (day, kind, act, actor, purpose, gallery_id, band) DO UPDATE SET "
    "times = ledger_day.times + 1, last_seq = excluded.last_seq, "
    "first_us = CASE WHEN excluded.first_us < ledger_day.first_us THEN excluded.first_us ELSE ledger_day.first_us END, "
    "last_us = CASE WHEN excluded.last_us > ledger_day.last_us THEN excluded.last_us ELSE ledger_day.last_us END"
)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many entries are alike, and the first and last number of them; `band` is empty where they name none."""

    purpose: str
    kind: str
    act: str
    band: str
    count: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Done:
    """How often one actor did one act in a gallery (None: in no gallery), in which stretch of the ledger's numbers."""

    gallery_id: str | None
    kind: str
    act: str
    actor: str
    times: int
    first: int
    last: int

    @property
    def who(self) -> tuple[str, ...]:
        """What is counted as one."""
        return (self.gallery_id or NOWHERE, self.kind, self.act, self.actor)


@dataclass(frozen=True, slots=True)
class Day:
    """One line of the counts: entries that are alike in all of `key`, and between which numbers and moments."""

    key: tuple[int, str, str, str, str, str, str]
    times: int
    first_seq: int
    last_seq: int
    first_us: int
    last_us: int

    def __add__(self, other: Day) -> Day:
        """Count both as one."""
        return replace(
            self,
            times=self.times + other.times,
            first_seq=min(self.first_seq, other.first_seq),
            last_seq=max(self.last_seq, other.last_seq),
            first_us=min(self.first_us, other.first_us),
            last_us=max(self.last_us, other.last_us),
        )


def line_of(entry: LedgerEntry) -> Day:
    """Give the line that tells of one entry alone."""
    # The name of a band in the detail: few entries have one, and to read the others' would cost each of them.
    band = json.loads(entry.detail).get("band", "") if '"band"' in entry.detail else ""
    names = (entry.kind, entry.act, entry.actor, entry.purpose, entry.gallery_id or NOWHERE, str(band))
    return Day((entry.at_us // DAY_US, *names), 1, entry.seq, entry.seq, entry.at_us, entry.at_us)


class LedgerDayTable:
    """The counts of one transaction; what they say can be counted anew from the entries (`Ledger.verify` does)."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def add(self, entry: LedgerEntry) -> None:
        """Count one entry, in the transaction in which it is written.

        A crash before the commit leaves neither the entry nor its count; after it, both.
        """
        one = line_of(entry)
        names = ("day", "kind", "act", "actor", "purpose", "gallery_id", "band")
        self._session.execute(_ADD, {**dict(zip(names, one.key, strict=True)), "seq": entry.seq, "at_us": entry.at_us})

    def every(self) -> Iterator[Day]:
        """Give all lines."""
        for row in self._session.execute(select(*_DAY)):
            day, kind, act, actor, purpose, gallery, band, *counts = row
            yield Day((day, kind, act, actor, purpose, gallery, band), *counts)

    def tally(self, first_day: int, end_day: int) -> tuple[Tally, ...]:
        """Count the entries of whole days by purpose, kind, act and band; days since 1970 UTC, `end_day` excluded."""
        groups = (_DAY.purpose, _DAY.kind, _DAY.act, _DAY.band)
        within = (_DAY.day >= first_day, _DAY.day < end_day)
        query = select(*groups, *_SUMS).where(*within).group_by(*groups).order_by(*groups)
        return tuple(Tally(*row[:4], *map(int, row[4:])) for row in self._session.execute(query))

    def by_day(self, acts: Collection[str], first_day: int) -> tuple[tuple[int, str, int], ...]:
        """Count entries of some acts from a day on: (day, act, entries), the day in days since 1970 UTC."""
        query = select(_DAY.day, _DAY.act, func.sum(_DAY.times)).where(_DAY.day >= first_day, _DAY.act.in_(acts))
        rows = self._session.execute(query.group_by(_DAY.day, _DAY.act).order_by(_DAY.day, _DAY.act))
        return tuple((day, act, int(times)) for day, act, times in rows)

    def done(self, since_us: int, until_us: int, galleries: Sequence[str]) -> tuple[Done, ...]:
        """Count who did what from one moment to another, which is excluded, in some galleries or (none named) in all.

        Entries of no gallery always count. Days between the two moments are summed; of the days on which they lie, what
        they cut through is counted entry by entry.
        """
        meant = [_DAY.gallery_id.in_((NOWHERE, *galleries))] if galleries else []
        first, last = since_us // DAY_US, (until_us - 1) // DAY_US
        whole = select(*_WHO, *_SUMS).where(_DAY.day > first, _DAY.day < last, *meant).group_by(*_WHO)
        found = [_done(row) for row in self._session.execute(whole)]
        for day in sorted({first, last}):
            lines = select(*_WHO, *_SUMS, func.min(_DAY.first_us), func.max(_DAY.last_us)).where(
                _DAY.day == day, *meant
            )
            cut = []
            for *row, first_us, last_us in self._session.execute(lines.group_by(*_WHO)):
                if since_us <= first_us and last_us < until_us:
                    found.append(_done(row))
                elif first_us < until_us and last_us >= since_us:
                    cut.append(_done(row))
            if cut:
                found += self._recount(cut, max(since_us, day * DAY_US), min(until_us, (day + 1) * DAY_US))
        return _summed(found)

    def _recount(self, cut: Sequence[Done], since_us: int, until_us: int) -> list[Done]:
        """Count from the entries how much of some lines of one day lies between two moments of that day."""
        gallery = func.coalesce(_ENTRY.gallery_id, NOWHERE)
        who = (gallery, _ENTRY.kind, _ENTRY.act, _ENTRY.actor)
        query = select(*who, func.count(), func.min(_ENTRY.seq), func.max(_ENTRY.seq)).where(
            _ENTRY.seq.between(min(one.first for one in cut), max(one.last for one in cut)),
            _ENTRY.at_us >= since_us,
            _ENTRY.at_us < until_us,
        )
        known = {one.who for one in cut}
        counted = (_done(row) for row in self._session.execute(query.group_by(*who)))
        return [one for one in counted if one.who in known]


def _done(row: Sequence[Any]) -> Done:
    gallery, kind, act, actor, times, first, last = row
    return Done(gallery or None, kind, act, actor, int(times), first, last)


def _summed(found: Iterable[Done]) -> tuple[Done, ...]:
    """Make one of those that are alike, in order; what was done in no gallery comes first."""
    told: dict[tuple[str, ...], Done] = {}
    for one in found:
        before = told.get(one.who, replace(one, times=0))
        first, last = min(before.first, one.first), max(before.last, one.last)
        told[one.who] = replace(one, times=before.times + one.times, first=first, last=last)
    return tuple(told[who] for who in sorted(told))
