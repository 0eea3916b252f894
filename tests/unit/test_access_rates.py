"""Rate limits: a bucket for each caller and action."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.access import Allowance, RateLimiter
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, RateLimited, TooMany


def limiter(clock: HandClock, per_minute: float = 60, burst: int = 3, callers_max: int = 100) -> RateLimiter:
    allowance = Allowance(per_minute, burst)
    return RateLimiter(clock, {"identify": allowance, "reveal": allowance}, callers_max=callers_max)


def refused(limits: RateLimiter, caller: str = "a", action: str = "identify", cost: int = 1) -> int:
    with pytest.raises(TooMany) as caught:
        limits.spend(caller, action, cost)
    assert isinstance(caught.value, RateLimited)
    assert str(caught.value.wait_s) in str(caught.value)
    return caught.value.wait_s


def test_a_burst_passes_then_one_at_a_time() -> None:
    clock = HandClock()
    limits = limiter(clock)
    for _ in range(3):
        limits.spend("a", "identify")
    assert refused(limits) == 1
    clock.move(0.5)
    assert refused(limits) == 1
    clock.move(0.5)
    limits.spend("a", "identify")
    assert refused(limits) == 1


def test_after_a_rest_the_bucket_is_full_and_no_fuller() -> None:
    clock = HandClock()
    limits = limiter(clock)
    limits.spend("a", "identify", 3)
    clock.move(3600)
    limits.spend("a", "identify", 3)
    assert refused(limits, cost=3) == 3


def test_callers_and_actions_have_buckets_of_their_own() -> None:
    limits = limiter(HandClock())
    limits.spend("a", "identify", 3)
    limits.spend("b", "identify", 3)
    limits.spend("a", "reveal", 3)
    assert refused(limits, "b") == 1


def test_of_several_buckets_all_are_spent_or_none_and_none_is_left_behind() -> None:
    limits = limiter(HandClock(), callers_max=2)
    limits.spend("all", "reveal", 3)
    for number in range(9):
        with pytest.raises(RateLimited):
            limits.spend_all([(f"stranger {number}", "identify"), ("all", "reveal")])
    limits.spend_all([("a", "identify"), ("b", "reveal")], 3)
    limits.spend("b", "identify", 3)
    assert refused(limits, "c") == 3


def test_a_refusal_takes_nothing() -> None:
    clock = HandClock()
    limits = limiter(clock)
    limits.spend("a", "identify", 2)
    for _ in range(10):
        assert refused(limits, cost=3) == 2
    limits.spend("a", "identify")


@pytest.mark.parametrize("cost", [0, -1, 4])
def test_a_cost_that_never_fits_is_bad_input(cost: int) -> None:
    with pytest.raises(BadInput):
        limiter(HandClock()).spend("a", "identify", cost)


@pytest.mark.parametrize(("per_minute", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_an_allowance_allows_something(per_minute: float, burst: int) -> None:
    with pytest.raises(BadInput):
        Allowance(per_minute, burst)


def test_an_action_without_an_allowance_is_a_mistake_not_a_free_pass() -> None:
    with pytest.raises(KeyError):
        limiter(HandClock()).spend("a", "unheard-of")


def test_the_table_is_bounded_and_a_full_one_does_not_open_the_limit() -> None:
    clock = HandClock()
    limits = limiter(clock, callers_max=2)
    limits.spend("a", "identify", 3)
    clock.move(1)
    limits.spend("b", "identify", 3)
    assert refused(limits, "c") == 2
    assert refused(limits, "a", cost=3) == 2
    clock.move(2)
    limits.spend("c", "identify", 3)
    assert refused(limits, "b", cost=3) == 1
    assert list(limits._full_at["identify"]) == ["b", "c"]


@given(
    steps=st.lists(st.tuples(st.floats(0, 10), st.integers(1, 5)), max_size=60),
    per_minute=st.integers(1, 600),
    burst=st.integers(5, 20),
)
def test_never_more_than_the_burst_and_the_rate_together(
    steps: list[tuple[float, int]], per_minute: int, burst: int
) -> None:
    clock = HandClock(0.0)
    limits = limiter(clock, per_minute, burst)
    spent = 0
    for pause, cost in steps:
        clock.move(pause)
        try:
            limits.spend("a", "identify", cost)
        except RateLimited as error:
            clock.move(error.wait_s)
            limits.spend("a", "identify", cost)
        spent += cost
        assert spent <= burst + clock.now() * per_minute / 60 + 1e-3


def test_threads_together_get_no_more_than_the_burst() -> None:
    limits = limiter(HandClock(), burst=50)
    passed: list[int] = []

    def call() -> None:
        for number in range(20):
            try:
                limits.spend("a", "identify")
            except RateLimited:
                continue
            passed.append(number)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 50
