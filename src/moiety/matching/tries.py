"""Failed tries to pass for one person: after some of them each further one waits (NIST SP 800-63B-4, section 3.2.3)."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import Counter
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moiety.foundation.clock import Clock
    from moiety.foundation.ids import SubjectId
    from moiety.storage import Store

TRIES: Final = 5
# Where presentation attacks are detected twice as many are allowed.
TRIES_WITH_PAD: Final = 10
WAIT_SECONDS: Final = 30


class Way(StrEnum):
    """By what somebody passes; each is counted for itself."""

    FACE = "face"
    PIN = "pin"
    OWN = "own"


class Try:
    """One try that goes on; whoever made it says how it ended, and one that never ended was none."""

    def __init__(self) -> None:
        """Begin without an end."""
        self.passed: bool | None = None


class Tries:
    """Failed tries by subject; one that succeeds forgets those before. Thread-safe.

    Counted in memory and kept in the database, where they are read from at the start alone: a look that succeeds after
    none that failed costs the database nothing, and a restart of the gate makes no room for five more.
    """

    def __init__(self, store: Store, clock: Clock, way: Way) -> None:
        """Begin with those that are kept; where the clock was put back, their wait begins anew."""
        self._store = store
        self._clock = clock
        self._way = way
        with store.read() as tx:
            kept = tx.tries.of(way)
        now, ticks = clock.now(), clock.monotonic()
        self._failed = {
            subject: (failed, ticks - min(max(now - at, 0.0), WAIT_SECONDS)) for subject, (failed, at) in kept.items()
        }
        self._running: Counter[SubjectId] = Counter()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def one(self, subject: SubjectId, most: int = TRIES) -> AsyncIterator[Try]:
        """Make one try. Those that go on count like failed ones: many at once are no way round the wait.

        Raises:
            RateLimited: `most` failed or go on, and half a minute has not passed since the last that failed.
            Unavailable: how it ended cannot be written down, and is told to nobody.

        """
        with self._lock:
            tries, last = self._failed.get(subject, (0, float("-inf")))
            left = WAIT_SECONDS - (self._clock.monotonic() - last)
            running = self._running[subject]
            if tries + running >= most and (left > 0 or running):
                wait_s = max(1, math.ceil(left)) if tries >= most else 1
                raise RateLimited(f"Too many failed tries; try again in {wait_s} s.", wait_s=wait_s)
            self._running[subject] += 1
        made = Try()
        try:
            yield made
        finally:
            changed = self._end(subject, made.passed)
            if changed is not None:
                await asyncio.to_thread(self._keep, subject, changed)

    def _end(self, subject: SubjectId, passed: bool | None) -> int | None:  # noqa: FBT001 - a try's own word
        """Count a try that has ended; gives how many have failed now, None where that is what it was."""
        with self._lock:
            self._running[subject] -= 1
            if not self._running[subject]:
                del self._running[subject]
            if passed is None or (passed and subject not in self._failed):
                return None
            if passed:
                del self._failed[subject]
                return 0
            failed = self._failed.get(subject, (0, 0.0))[0] + 1
            self._failed[subject] = (failed, self._clock.monotonic())
            return failed

    def _keep(self, subject: SubjectId, failed: int) -> None:
        """Write down how many have failed."""
        with self._store.begin() as tx:
            # A crash before the commit forgets this one try, and those before it are kept.
            tx.tries.put(subject, self._way, failed)
