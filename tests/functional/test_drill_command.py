"""`moiety drill` as an operator runs it: what it prints, how it ends, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from harness import MOIETY, Said, Site, command, eventually
from moiety.cli.part import EXIT_FAULT
from moiety.drill.run import DRILLS
from moiety.drill.scratch import MARKER, PREFIX, SITE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _run(temporary: Path, *words: str) -> Said:
    """Run drills whose scratch folders lie in `temporary`."""
    return command("drill", *words, env={"TMPDIR": str(temporary)}, seconds=500)


def _started(temporary: Path) -> subprocess.Popen[bytes]:
    """Start a drill, and wait until it works in its folder."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen([MOIETY, "drill", "sweep-routes"], stderr=subprocess.DEVNULL, env=environment)
    for _ in eventually("the drill has a folder"):
        assert process.poll() is None
        if list(temporary.glob(f"{PREFIX}*/{SITE}/run/lock")):
            break
    return process


def test_a_drill_prints_one_line_and_one_object_and_leaves_nothing(tmp_path: Path) -> None:
    said = _run(tmp_path, "sweep-routes", "--json")
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
    assert list(tmp_path.iterdir()) == []


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


def test_a_drill_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    process = _started(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 130
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_drill_goes_at_the_next_run(tmp_path: Path) -> None:
    process = _started(tmp_path)
    process.kill()
    process.wait(10)
    (left,) = tmp_path.iterdir()
    assert (left / MARKER).exists()
    assert _run(tmp_path, "--list").code == 0
    assert left.exists()  # a list starts nothing and clears nothing
    assert _run(tmp_path, "sweep-routes", "--json").code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_weakened_part_refuses_an_installation_that_is_no_drills(site: Site) -> None:
    program = [str(Path(MOIETY).parent / "python"), "-m", "moiety.drill.weakened", "weak_vaults:budgets_off"]
    done = subprocess.run(
        [*program, "vault-a", "--data", str(site.data), "--fd", "0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == EXIT_FAULT
    assert "scratch folder and nowhere else" in done.stdout
