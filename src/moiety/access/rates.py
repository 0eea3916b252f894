"""Rate limits: a token bucket for each caller and action, in memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput, RateLimited

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moiety.foundation.clock import Clock

CALLERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """`per_minute` in the long run, `burst` at once; both above 0."""

    per_minute: float
    burst: int

    def __post_init__(self) -> None:
        if not self.per_minute > 0 or self.burst < 1:
            raise BadInput("An allowance is above 0 a minute, with a burst of at least 1.")

    @property
    def seconds_each(self) -> float:
        """How long one takes to come back."""
        return 60.0 / self.per_minute


class RateLimiter:
    """Token buckets, kept as the one time at which each is full again (GCRA, ITU-T I.371, annex A). Thread-safe.

    At most `callers_max` buckets per action. When all are in use a newcomer is refused until the one that has been
    quiet for longest is full again: a table that somebody fills on purpose must not open the limit.
    """

    def __init__(self, clock: Clock, allowances: Mapping[str, Allowance], *, callers_max: int = CALLERS_MAX) -> None:
        """Take one allowance for each action by name."""
        self._clock = clock
        self._allowances = dict(allowances)
        self._callers_max = callers_max
        self._lock = threading.Lock()
        self._full_at: dict[str, OrderedDict[str, float]] = {action: OrderedDict() for action in self._allowances}

    def spend(self, caller: str, action: str, cost: int = 1) -> None:
        """Take `cost` from the caller's bucket for `action`; nothing is taken when it is refused.

        Raises:
            RateLimited: a `TooMany` with `wait_s`, the whole seconds after which the same would pass.
            BadInput: `cost` is more than the bucket ever holds, or below 1.
            KeyError: there is no allowance of that name.

        """
        self.spend_all([(caller, action)], cost)

    def spend_all(self, wanted: Sequence[tuple[str, str]], cost: int = 1) -> None:
        """Take `cost` from each of these buckets of different actions, by caller and action, or from none of them.

        What is refused leaves no bucket behind: a table of callers fills only as fast as all others let it.

        Raises:
            RateLimited, BadInput, KeyError: as `spend`.

        """
        with self._lock:
            now = self._clock.monotonic()
            due = [(action, caller, self._due(caller, action, cost, now)) for caller, action in wanted]
            for action, caller, full_at in due:
                buckets = self._full_at[action]
                if caller not in buckets and len(buckets) >= self._callers_max:
                    # The one that has been quiet for longest; it is full, and a full bucket remembers nothing.
                    buckets.popitem(last=False)
                buckets[caller] = full_at
                buckets.move_to_end(caller)

    def _due(self, caller: str, action: str, cost: int, now: float) -> float:
        """Say when a bucket would be full again; raises as `spend`."""
        allowance, buckets = self._allowances[action], self._full_at[action]
        if not 1 <= cost <= allowance.burst:
            raise BadInput(f"One request may ask for 1 to {allowance.burst} at once.")
        if caller not in buckets and len(buckets) >= self._callers_max:
            quiet_full_at = next(iter(buckets.values()))
            if quiet_full_at > now:
                raise _refused(quiet_full_at - now)
        full_at = max(buckets.get(caller, now), now) + cost * allowance.seconds_each
        wait_s = full_at - now - allowance.burst * allowance.seconds_each
        # A millionth of a second forgives the rounding of sums.
        if wait_s > 1e-6:  # noqa: PLR2004 - said in the line above
            raise _refused(wait_s)
        return full_at


def _refused(wait_s: float) -> RateLimited:
    whole = max(1, math.ceil(wait_s))
    return RateLimited(f"Too many requests; try again in {whole} s.", wait_s=whole)
