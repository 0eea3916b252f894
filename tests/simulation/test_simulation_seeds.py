"""Lives of a whole site by seeds: nobody is lost, half enrolled or undead, epochs agree, budgets hold, whatever dies.

`make simulate RUNS=10000` runs as many as one likes, and `make simulate SEED=17` tells one of them event by event.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simulated_disk import FATES, Fuse
from simulated_parts import lay_out
from simulated_world import by_dice, by_script, run, undisturbed

if TYPE_CHECKING:
    from collections.abc import Iterator

SIMULATE = Path(__file__).resolve().parents[1] / "simulate.py"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Give a template and a place to run."""
    base = tmp_path_factory.mktemp("lives")
    lay_out(base / "template")
    with undisturbed():
        yield base / "template", base / "run"


def _simulate(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run([sys.executable, str(SIMULATE), *options], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_half_done_whatever_fails(seed: int, folders: tuple[Path, Path]) -> None:
    told = run(f"make simulate SEED={seed}", seed, by_dice, folders)
    assert told.failed is None, f"{told.name}\n{told.failed}"


def test_in_good_weather_the_script_is_lived_to_its_end(folders: tuple[Path, Path]) -> None:
    """The control: the acts are right by themselves, so that what fails elsewhere fails by what happens there."""
    told = run("script", 0, by_script, folders)
    assert told.failed is None, told.failed
    assert (told.counts["deaths"], told.counts["cuts"]) == (0, 0)
    assert told.counts["durable_writes"] > 100


@pytest.mark.parametrize("fate", FATES)
def test_a_life_goes_on_after_a_death_in_the_middle(fate: str, folders: tuple[Path, Path]) -> None:
    told = run("script", 0, by_script, folders, fuse=Fuse(None, 60, fate), keep=True)
    assert told.failed is None, told.failed
    assert told.counts["deaths"] == (fate != "full")
    assert any(line.startswith("step") and line.endswith(f" {fate}") for line in told.lines or [])


def test_a_seed_is_the_same_run_whenever_it_is_run(folders: tuple[Path, Path]) -> None:
    first, again = (run("twice", 3, by_dice, folders, keep=True) for _ in range(2))
    assert first.lines == again.lines
    assert first.trace == again.trace
    assert run("another", 4, by_dice, folders).trace != first.trace


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_seeds_and_a_death_at_every_durable_write() -> None:
    done = _simulate("--runs", "200", "--fates", "torn")
    told = json.loads(done.stdout)
    assert told["failures"] == [], done.stderr
    assert done.returncode == 0
    summary = told["simulation"]
    assert summary["seeded"] == 200
    assert summary["scripted"] > 100
    assert all(summary[what] > 20 for what in ("deaths", "cuts", "repeats", "delays", "full_disks"))


@pytest.mark.slow
def test_a_failing_seed_lives_again_by_one_command_the_same_in_another_process() -> None:
    first, again = (_simulate("--seed", "6") for _ in range(2))
    assert (first.returncode, first.stdout) == (0, again.stdout)
    assert "vault-a>vault-b ROUND" in first.stdout
