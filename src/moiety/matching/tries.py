"""Failed tries to pass for one person: after some of them each further one waits (NIST SP 800-63B-4, section 3.2.3)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import RateLimited

if TYPE_CHECKING:
    from moiety.foundation.clock import Clock
    from moiety.foundation.ids import SubjectId

TRIES: Final = 5
# Where presentation attacks are detected twice as many are allowed.
TRIES_WITH_PAD: Final = 10
WAIT_SECONDS: Final = 30


class Tries:
    """Failed tries by subject, in memory; one that succeeds forgets those before. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._failed: dict[SubjectId, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def check(self, subject: SubjectId, most: int = TRIES) -> None:
        """Refuse a try within half a minute of the last of `most` failed ones.

        Raises:
            RateLimited: the caller has to wait.

        """
        with self._lock:
            tries, last = self._failed.get(subject, (0, 0.0))
        left = WAIT_SECONDS - (self._clock.monotonic() - last)
        if tries >= most and left > 0:
            raise RateLimited(f"Too many failed tries; try again in {int(left) + 1} s.", wait_s=int(left) + 1)

    def note(self, subject: SubjectId, *, passed: bool) -> None:
        """Note how a try ended."""
        with self._lock:
            if passed:
                self._failed.pop(subject, None)
            else:
                self._failed[subject] = (self._failed.get(subject, (0, 0.0))[0] + 1, self._clock.monotonic())
