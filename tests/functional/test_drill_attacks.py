"""Every drill, as `moiety drill` runs it: each attack gets nothing, and each control something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moiety.drill import run as drills
from moiety.drill.matters import MARKED
from moiety.drill.run import DRILLS

if TYPE_CHECKING:
    from moiety.cli.samples import Samples
    from moiety.drill.run import Report

# One installation for all of them: the first test waits for the whole run.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def reports(photos: Samples) -> dict[str, Report]:
    """Run all drills."""
    return {report.name: report for report in drills.run(drills.chosen([]), photos, lambda _: None)}


@pytest.mark.parametrize("name", [drill.name for drill in DRILLS])
def test_the_drill_obtains_nothing(reports: dict[str, Report], name: str) -> None:
    assert reports[name].attack.count == 0, reports[name].attack.what


@pytest.mark.parametrize("name", [drill.name for drill in DRILLS])
def test_its_control_obtains_something(reports: dict[str, Report], name: str) -> None:
    assert reports[name].control.count > 0, reports[name].control.what


@pytest.mark.parametrize("kind", MARKED)
def test_whatever_people_write_is_looked_for_where_it_could_leak(reports: dict[str, Report], kind: str) -> None:
    """Where one of them is written or said in the clear, the drills say so: in stores, and in logs."""
    assert kind in reports["steal-gate"].control.what
    assert kind in reports["watchers"].control.what


def test_both_halves_stolen_together_are_the_faces(reports: dict[str, Report]) -> None:
    """What the drills look for is there to be found: each template shows once its row and its pad are joined."""
    found = reports["steal-a"].control.what
    assert "800 of 800 rows show the face that they are of" in found
    assert "AUC of linking 79800 pairs of enrolments of one face 1.0000" in found
