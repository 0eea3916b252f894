"""Counts of a part, and what is said of them in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from moiety.api.watch import part_seen
from moiety.api.watching import Watching
from moiety.watch.counts import SECONDS_STEP, Counts
from moiety.wire.kinds import Role


def test_sums_of_seconds_are_told_to_a_step() -> None:
    counts = Counts()
    for _ in range(3):
        counts.answered("SEARCH", "ok", 0.0331)
    counts.answered("SEARCH", "warrant-refused", 0.1)
    assert counts.told() == {
        "uptime_s": 0,
        "answered": [["SEARCH", "ok", 3, SECONDS_STEP], ["SEARCH", "warrant-refused", 1, SECONDS_STEP]],
    }


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"uptime_s": 1}, "Vault B answers and has run for 1 second."),
        ({"uptime_s": 7300}, "Vault B answers and has run for 2 hours."),
        ({"uptime_s": "x"}, "Vault B answers and has run for 0 seconds."),
        (
            {"uptime_s": 90_000, "answered": [["SEARCH", "warrant-refused", 1, 0.1]], "excluded": 2},
            (
                "Vault B answers and has run for 1 day. It refused 1 warrant; its own log says why. "
                "Rows in no search: 2; a half of each was damaged or altered."
            ),
        ),
        (None, "Vault B does not answer. No question can be answered and nobody enrolled or shown until it does."),
    ],
)
def test_a_part_is_told_of_in_plain_words(told: dict[str, Any] | None, said: str) -> None:
    assert part_seen(Role.VAULT_B, told).said == said


def test_figures_take_no_method_and_route_that_nobody_declared() -> None:
    watching = Watching(None, {})  # type: ignore[arg-type]  # no part is asked here
    watching.seen("GET", "-", 200, 0.1)
    watching.seen("Zanzibarquokka", "-", 200, 0.1)
    watching.seen("GET", "/Zanzibarquokka", 200, 0.1)
    (requests,) = watching._requests.collect()
    assert [one.labels for one in requests.samples if one.name.endswith("_total")] == [
        {"method": "GET", "route": "-", "status": "200"}
    ]
