"""`moiety drill` as an operator runs it: what it prints, how it ends, and what it leaves behind."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import MOIETY, Site, command
from moiety.cli.part import EXIT_FAULT
from moiety.drill.run import DRILLS
from moiety.drill.scratch import MARKER, PREFIX

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def test_a_drill_prints_one_line_and_one_object_and_leaves_nothing() -> None:
    before = _folders()
    said = command("drill", "sweep-routes", "--json", seconds=500)
    assert said.code == 0, said
    line, _ = said.out.splitlines()
    assert line.startswith("sweep-routes: called every HTTP route")
    (told,) = said.json["drills"]
    assert set(told) == {
        "name",
        "tried",
        "obtained",
        "found",
        "control_obtained",
        "control_found",
        "seconds",
    }
    assert told["name"] == "sweep-routes"
    assert told["obtained"] == 0
    assert told["control_obtained"] > 0
    assert _folders() <= before


def test_the_list_names_every_drill_and_the_restore_drill() -> None:
    said = command("drill", "--list")
    assert said.code == 0
    assert [line.partition(":")[0] for line in said.out.splitlines()] == [*(one.name for one in DRILLS), "restore"]
    assert [one["name"] for one in command("drill", "--list", "--json").json["drills"]] == [one.name for one in DRILLS]
    only = command("drill", "--list", "--only", "steal-a,forge", "--json").json["drills"]
    assert [one["name"] for one in only] == ["steal-a", "forge"]


def test_an_unknown_drill_is_refused_by_name() -> None:
    said = command("drill", "steal-everything", "--json")
    assert said.code == 3
    assert "steal-everything" in said.words


def test_the_folder_of_a_killed_drill_goes_at_the_next_run() -> None:
    before = _folders()
    with subprocess.Popen([MOIETY, "drill", "sweep-routes"], stderr=subprocess.DEVNULL) as process:
        while not any((folder / MARKER).exists() for folder in _folders() - before):
            assert process.poll() is None
            time.sleep(0.1)
        (left,) = _folders() - before
        process.send_signal(signal.SIGKILL)
    assert (left / MARKER).exists()
    assert command("drill", "--list").code == 0
    assert left.exists()  # a list starts nothing and clears nothing
    assert command("drill", "sweep-routes", "--json", seconds=500).code == 0
    assert not left.exists()


def test_a_weakened_part_refuses_an_installation_that_is_no_drills(site: Site) -> None:
    program = [str(Path(MOIETY).parent / "python"), "-m", "moiety.drill.weakened", "weak_vaults:budgets_off"]
    done = subprocess.run(
        [*program, "vault-a", "--data", str(site.data), "--fd", "0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == EXIT_FAULT
    assert "scratch folder and nowhere else" in done.stdout
