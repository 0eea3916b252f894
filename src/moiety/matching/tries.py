"""Failed tries to pass for one person: after some of them each further one waits (NIST SP 800-63B-4, section 3.2.3)."""

from __future__ import annotations

import math
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.foundation.clock import Clock
    from moiety.foundation.ids import SubjectId

TRIES: Final = 5
# Where presentation attacks are detected twice as many are allowed.
TRIES_WITH_PAD: Final = 10
WAIT_SECONDS: Final = 30


class Try:
    """One try that goes on; whoever made it says how it ended, and one that never ended was none."""

    def __init__(self) -> None:
        """Begin without an end."""
        self.passed: bool | None = None


class Tries:
    """Failed tries by subject, in memory; one that succeeds forgets those before. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._failed: dict[SubjectId, tuple[int, float]] = {}
        self._running: Counter[SubjectId] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, subject: SubjectId, most: int = TRIES) -> Iterator[Try]:
        """Make one try. Those that go on count like failed ones: many at once are no way round the wait.

        Raises:
            RateLimited: `most` failed or go on, and half a minute has not passed since the last that failed.

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
            self._end(subject, made.passed)

    def _end(self, subject: SubjectId, passed: bool | None) -> None:  # noqa: FBT001 - a try's own word
        """Count a try that has ended."""
        with self._lock:
            self._running[subject] -= 1
            if not self._running[subject]:
                del self._running[subject]
            if passed:
                self._failed.pop(subject, None)
            elif passed is not None:
                self._failed[subject] = (self._failed.get(subject, (0, 0.0))[0] + 1, self._clock.monotonic())
