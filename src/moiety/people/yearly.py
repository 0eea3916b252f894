"""The report of a year, counted from the ledger: how often what was done for which purpose. It names nobody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from moiety.foundation.clock import number_of
from moiety.foundation.errors import BadInput
from moiety.matching.outcomes import OUTCOMES

if TYPE_CHECKING:
    from moiety.matching.desk import Desk

YEAR_FIRST: Final = 2000
YEAR_LAST: Final = 9998
QUESTIONS: Final = ("identify", "verify", "verify-own", "compare", "present")
HIT: Final = "candidate"


@dataclass(slots=True)
class OfPurpose:
    """What was done for one purpose: questions, candidates and outcomes by band, and all acts by kind and by name."""

    purpose: str
    questions: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Year:
    """The report of a year in UTC; `first` and `last` are the numbers of its entries, zeros where there are none."""

    year: int
    first: int
    last: int
    purposes: tuple[OfPurpose, ...]

    @property
    def entries(self) -> int:
        """Count what was written down."""
        return sum(one.kinds.total() for one in self.purposes)


def year_of(desk: Desk, year: int) -> Year:
    """Count a year's entries.

    Raises:
        BadInput: that is no year.

    """
    if not YEAR_FIRST <= year <= YEAR_LAST:
        raise BadInput(f"A year has four digits, from {YEAR_FIRST} on.")
    first_day, end_day = (number_of(date(one, 1, 1)) for one in (year, year + 1))
    found: dict[str, OfPurpose] = {}
    asked = {outcome: act for act, outcome in OUTCOMES.items()}
    with desk.store.read() as tx:
        alike = tx.ledger.days.tally(first_day, end_day)
        for tally in alike:
            one = found.setdefault(tally.purpose, OfPurpose(tally.purpose))
            one.kinds[tally.kind] += tally.count
            one.acts[tally.act] += tally.count
            if tally.act in QUESTIONS:
                one.questions[tally.act] += tally.count
            if tally.act == HIT:
                one.hits[tally.band] += tally.count
            elif tally.act in asked:
                one.outcomes.setdefault(asked[tally.act], Counter())[tally.band] += tally.count
    first, last = min((one.first for one in alike), default=0), max((one.last for one in alike), default=0)
    return Year(year, first, last, tuple(found.values()))
