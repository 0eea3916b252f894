"""Ten thousand texts through every rule that a field of a person meets: no fault, no echo, no formula."""

from __future__ import annotations

import csv
import io
import random
from contextlib import suppress
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moiety.foundation.errors import Refusal
from moiety.people.fields import check_given
from moiety.people.masks import DOTS, masked
from moiety.people.redaction import Redaction
from moiety.people.rules import is_minor
from moiety.people.sheets import as_csv
from nasty_texts import drawn

INPUTS: Final = 10_000
# So many texts in one example: drawing them is what takes the time.
EACH: Final = 50


@settings(max_examples=INPUTS // EACH, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.text(max_size=80))
def test_ten_thousand_texts_are_kept_masked_and_written_as_they_are(draw: random.Random, odd: str) -> None:
    """Each text goes through every rule that a field meets before and after the vaults."""
    own = random.Random(draw.getrandbits(64))  # noqa: S311 - the drawn one is slow for so many
    for text in [odd, *(drawn(own) for _ in range(EACH - 1))]:
        _through(text, drawn(own))


def _through(first: str, second: str) -> None:
    """Check, mask, redact and write."""
    for fields in ({"note": first, "victim_name": second}, {first: second}, {"birth_date": first}):
        with suppress(Refusal):
            check_given(fields)
            is_minor(fields, 1_800_000_000.0)
    shown = masked(first)
    assert shown == DOTS or shown.count(DOTS) >= 1
    assert len(shown) <= 4 * (len(DOTS) + 6)
    redaction = Redaction({"victim_name": first, "note": second})
    assert redaction.of("victim_name", first) != first
    sheet = as_csv((first,), [(second,)])
    rows = csv.reader(io.StringIO(sheet.removeprefix("\ufeff"), newline=""))
    for cell in [cell for row in rows for cell in row]:
        assert cell.lstrip(" \u00a0\u200b\ufeff")[:1] not in tuple("=+-@\t\r\n|%"), cell
