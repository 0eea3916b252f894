"""From a target false-match rate to the scores of a gallery's bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.vision.manifest import cosine_at

if TYPE_CHECKING:
    from collections.abc import Mapping

# Templates and probes have length 127 after rounding (shared protocol, "Numbers"), so cosine 1 is this score.
SCORE_OF_ONE = 127 * 127
FMR_DEFAULT = 1e-4
BAND_NAMES = ("possible", "probable", "strong")


def bands(table: Mapping[float, float], fmr: float) -> dict[str, int]:
    """Give each band's least score: `possible` at `fmr`, then ten and a hundred times rarer false matches.

    Where the table ends, there are fewer bands; the highest is always `strong`.

    Raises:
        BadInput: the rate lies outside the table, where nothing was measured.

    """
    cosine_at(table, fmr)
    lowest = min(table)
    rates = [fmr / 10**step for step in range(len(BAND_NAMES))]
    rates = [rate for rate in rates if rate >= lowest * (1 - 1e-9)]
    scores = [round(cosine_at(table, max(rate, lowest)) * SCORE_OF_ONE) for rate in rates]
    rising = sorted(set(scores))
    return dict(zip(BAND_NAMES[-len(rising) :], rising, strict=True))
