"""What a part has done since it started: how often, and how long it took. No more than that can be kept here."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from moiety.foundation.errors import slugs
from moiety.watch.closed import OK, known

# How exactly a sum of seconds is told to another part: how long single questions took cannot be read off it.
SECONDS_STEP: Final = 0.1
TOLD_MAX: Final = 2**53


class Counts:
    """Answered questions by kind and outcome."""

    def __init__(self) -> None:
        """Count from now."""
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._answered: dict[tuple[str, str], tuple[int, float]] = {}

    def answered(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a question of a declared kind; `outcome` is `ok` or a refusal's slug."""
        if not known("kind", kind) or not known("slug", outcome):
            return
        with self._lock:
            count, before = self._answered.get((kind, outcome), (0, 0.0))
            self._answered[kind, outcome] = (count + 1, before + seconds)

    def told(self) -> dict[str, Any]:
        """Give everything: `uptime_s`, and `answered` as [kind, outcome, count, seconds]."""
        with self._lock:
            answered = sorted(self._answered.items())
        rows = [[*which, count, _coarse(seconds)] for which, (count, seconds) in answered]
        return {"uptime_s": int(time.monotonic() - self._began), "answered": rows}


def _coarse(seconds: float) -> float:
    return round(round(seconds / SECONDS_STEP) * SECONDS_STEP, 1)


def heard(told: object) -> list[tuple[str, str, int, float]]:
    """Read `answered` of another part's counts; what is not of our words or no number is left out."""
    found = []
    for one in told if isinstance(told, list) else []:
        kind, outcome, count, seconds = one if isinstance(one, list) and len(one) == 4 else (None,) * 4  # noqa: PLR2004 - see `told`
        if known("kind", kind) and (outcome == OK or outcome in slugs()):
            found.append((str(kind), str(outcome), int(number(count)), number(seconds)))
    return found


def number(told: object) -> float:
    """Read a number of another part: 0 where it is none, negative, or beyond what a double counts exactly."""
    if isinstance(told, bool) or not isinstance(told, int | float):
        return 0
    return told if 0 <= told < TOLD_MAX else 0
