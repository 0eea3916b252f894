"""Time, passed in everywhere so that tests and simulations can turn it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol


class Clock(Protocol):
    """What the product needs to know of time."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward, for time-outs."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()


class HandClock:
    """A clock that stands still until it is moved; for tests and simulations."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        """Begin at `start` seconds since 1970."""
        self._now = start

    def now(self) -> float:
        """Where the hands stand."""
        return self._now

    def monotonic(self) -> float:
        """Return the same hands; they are only moved forward."""
        return self._now

    def move(self, seconds: float) -> None:
        """Move the hands; `seconds` may be negative only to act out a wrong clock."""
        self._now += seconds


def day_of(number: int) -> date:
    """Give the date of a day that is counted since 1970 UTC."""
    return datetime.fromtimestamp(number * 86_400, UTC).date()


def number_of(day: date) -> int:
    """Count a date's days since 1970."""
    return (day - date(1970, 1, 1)).days
