"""Seeded runs of a site in which calls fail before or after they took effect, links break and parts are restarted.

`MOIETY_SIM_RUNS=n` runs n seeds (20 by default); `MOIETY_SIM_SEED=n` runs that one again. Nothing here waits for time:
a fault is an error at a chosen call, and the clock stands still until the run moves it.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.errors import WarrantRefused
from parts_in_process import InProcess
from simulated_site import PROBES_PER_HOUR, Run, Weather

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 14
_ONE = os.environ.get("MOIETY_SIM_SEED")
SEEDS = [int(_ONE)] if _ONE else range(int(os.environ.get("MOIETY_SIM_RUNS", "20")))


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_half_done_whatever_fails(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
    weather = Weather(dice)
    weather.install(monkeypatch)
    async with InProcess(tmp_path, seed=seed) as site:
        gallery = await site.gallery(probes_per_hour=PROBES_PER_HOUR)
        run = Run(site, gallery, dice, weather)
        weather.bad = True
        for _ in range(STEPS):
            await run.step()
            await run.trouble()
        await run.settle()
        run.check_rows()
        run.check_budgets()
        await run.check_people()
        run.check_keys()
        site.desk.ledger.verify()


async def test_in_good_weather_every_act_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the simulation's own acts are right, so that what fails above fails by the weather."""
    weather = Weather(random.Random(0))  # noqa: S311 - as above
    weather.install(monkeypatch)
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery(probes_per_hour=PROBES_PER_HOUR)
        run = Run(site, gallery, random.Random(1), weather)  # noqa: S311 - as above
        for act in (run.enrol, run.enrol, run.add_photo, run.search, run.verify, run.erase_photo, run.erase):
            await act()
        assert sorted(str(person.enrolled) for person in run.people) == ["False", "True"]
        await run.settle()
        run.check_rows()
        await run.check_people()
        run.check_keys()
        run.check_budgets()
        assert not weather.seen
        site.clock.move(7200)
        for _ in range(PROBES_PER_HOUR):
            await run.search()
        with pytest.raises(WarrantRefused):
            await run.search()
