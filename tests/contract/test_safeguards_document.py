"""docs/safeguards.md is what the tests say of themselves, and every line that is promised here has one."""

from __future__ import annotations

import safeguards_page


def test_the_page_is_what_the_tests_say() -> None:
    assert safeguards_page.PAGE.read_text() == safeguards_page.written(), "run `make safeguards`"


def test_every_safeguard_that_is_promised_has_a_test() -> None:
    shown = safeguards_page.found()
    assert safeguards_page.OWED - set(shown) == set()
    known = {number for lines in safeguards_page.SECTIONS.values() for number in lines}
    assert known == set(range(1, 59))
    assert set(shown) <= known
