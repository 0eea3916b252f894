"""Time, passed in everywhere so that tests and simulations can turn it."""

from __future__ import annotations

import time
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
