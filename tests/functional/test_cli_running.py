"""`moiety up` as a process of its own, and commands where nothing runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import MOIETY, command, eventually
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder in which the tests of this module work one after the other."""
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture
def up(data: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run `moiety up` until the test ends; gives the process and what it printed."""
    with (tmp_path / "words").open("w") as words:
        line = [MOIETY, "up", "--data", str(data), "--port", "0", "--json"]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=words, text=True)
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(30) == 0
        assert "not against someone who owns the running machine" in (tmp_path / "words").read_text()


def _parts(data: Path) -> dict[str, int]:
    """Find the processes of an installation by their command lines."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "moiety.cli.part" in words and str(data) in words:
            found[words[words.index("moiety.cli.part") + 1]] = int(entry.name)
    return found


def _found(data: Path, photo: Path) -> str:
    """Ask by command who is in a photo."""
    said = command("identify", photo, "-g", "alone", "--json", env={"MOIETY_DATA": str(data)})
    assert said.code == 0, said.words
    return str(said.json["faces"][0]["candidates"][0]["subject"])


def test_a_command_makes_and_runs_an_installation_for_itself(data: Path) -> None:
    made = command("gallery", "create", "alone", "--purpose", "nothing runs", "--data", data, "--json")
    assert (made.code, made.json["state"]) == (0, "open")
    assert "starting it for this command" in made.words
    assert _parts(data) == {}


def test_commands_meet_the_installation_that_runs(
    data: Path, photos: Samples, tmp_path: Path, up: tuple[subprocess.Popen[str], dict[str, Any]]
) -> None:
    process, said = up
    assert set(said) == {"ready", "url", "port", "sign_at"}
    assert set(_parts(data)) == {role.value for role in Role}
    (tmp_path / "album").mkdir()
    shutil.copy(photos.enrol["Barack Obama"][0], tmp_path / "album" / "Guest.jpg")
    enrolled = command("enrol", tmp_path / "album", "-g", "alone", "--data", data, "--json")
    assert enrolled.json["enrolled"] == 1
    assert "not running" not in enrolled.words
    assert _found(data, photos.probe) == "Guest"
    again = command("up", "--data", data, "--port", "0", "--json")
    assert (again.code, again.problem) == (3, "bad-input")
    assert "running already" in again.words
    assert process.poll() is None
    for role in (Role.VAULT_B, Role.GATE):
        before = _parts(data)[role]
        os.kill(before, signal.SIGKILL)
        for _ in eventually(f"{role} runs again"):
            now = _parts(data).get(role)
            if now not in {None, before} and command("status", "--data", data, "--json").code == 0:
                break
    assert _found(data, photos.probe) == "Guest"


def test_no_part_outlives_a_supervisor_that_was_killed(data: Path, photos: Samples, tmp_path: Path) -> None:
    with (tmp_path / "words").open("w") as words:
        line = [MOIETY, "up", "--data", str(data), "--port", "0", "--json"]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=words, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"] is True
    process.kill()
    process.wait(10)
    for _ in eventually("all parts have ended", 20):
        if not _parts(data):
            break
    assert _found(data, photos.probe) == "Guest"


def test_the_demonstration_finds_somebody_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    said = command("demo", "--once", "--json")
    assert said.code == 0, said.words
    found = said.json
    assert {"enrolled", "people", "shows", "found", "band", "seconds"} == set(found)
    assert (found["people"], found["found"], found["band"]) == (3, found["shows"], "strong")
    for part in ("vault A", "vault B", "gate"):
        assert part in said.words
    assert "not against someone who owns the running machine" in said.words
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_started_says_why(data: Path, tmp_path: Path) -> None:
    (tmp_path / "something").write_text("else")
    other = command("up", "--data", tmp_path, "--json")
    assert (other.code, other.problem) == (3, "bad-input")
    missing = command("status", "--data", tmp_path / "none", "--json")
    assert (missing.code, missing.problem) == (3, "bad-input")
    closed = command("open", "--data", data, "--json")
    assert (closed.code, closed.problem) == (7, "part-down")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = command("up", "--data", data, "--port", str(port), "--json")
    assert (busy.code, busy.problem) == (3, "bad-input")
    assert str(port) in busy.words
    odd = command("up", "--data", data, "--port", "0", "--json", env={"MOIETY_RUNTIME": "abacus"})
    assert (odd.code, odd.problem) == (7, "unavailable")
    assert "MOIETY_RUNTIME must be one of" in odd.words
