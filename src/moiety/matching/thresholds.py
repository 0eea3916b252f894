"""From a target false-match rate to the scores of a gallery's bands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

# Templates and probes have length 127 after rounding (shared protocol, "Numbers"), so cosine 1 is this score.
SCORE_OF_ONE = 127 * 127
FMR_DEFAULT = 1e-4
BAND_NAMES = ("possible", "probable", "strong")


def cosine_at(table: Mapping[float, float], fmr: float) -> float:
    """Interpolate the cosine for a false-match rate, linearly in its logarithm, within the table.

    Raises:
        BadInput: the rate lies outside the table, where nothing was measured.

    """
    rates = sorted(table)
    if not rates or not rates[0] <= fmr <= rates[-1]:
        raise BadInput(f"The false-match rate must lie between {rates[0]:g} and {rates[-1]:g}, where it was measured.")
    above = next(rate for rate in rates if rate >= fmr)
    below = max(rate for rate in rates if rate <= fmr)
    if above == below:
        return table[above]
    part = (math.log10(fmr) - math.log10(below)) / (math.log10(above) - math.log10(below))
    return table[below] + part * (table[above] - table[below])


def bands(table: Mapping[float, float], fmr: float) -> dict[str, int]:
    """Give each band's least score: `possible` at `fmr`, then ten and a hundred times rarer false matches.

    Where the table ends, there are fewer bands; the highest is always `strong`.
    """
    lowest = min(table)
    rates = [fmr / 10**step for step in range(len(BAND_NAMES))]
    rates = [rate for rate in rates if rate >= lowest * (1 - 1e-9)]
    scores = [round(cosine_at(table, max(rate, lowest)) * SCORE_OF_ONE) for rate in rates]
    rising = sorted(set(scores))
    return dict(zip(BAND_NAMES[-len(rising) :], rising, strict=True))
