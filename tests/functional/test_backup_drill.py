"""The restore drill, as an operator runs it: on copies of one's own, and as a story with sample photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backed_up import ERASED, OPERATORS, BackedUp, lived
from harness import command
from moiety.drill.story import lived as story
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.samples import Samples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_the_story_brings_back_no_erased_person_and_each_control_does(photos: Samples) -> None:
    said: list[str] = []
    shown = list(story(photos, said.append))
    assert [one.name for one in shown] == [
        "restore-before-refresh",
        "old-epoch-after-refresh",
        "restore-after-refresh",
    ]
    for one in shown:
        assert one.obtained == 0, one
        assert one.control > 0, one
        assert one.held
    assert "a photo of the erased person finds nobody" in shown[0].what
    assert "a photo of somebody else finds them" in shown[0].what


def test_an_operators_own_copies_are_drilled(tmp_path: Path, photos: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOIETY_CANARIES", "0")
    kept, _ = lived(tmp_path / "kept", photos)
    # A copy that no key opens is said, and is no failure.
    shut = kept.files(Role.VAULT_A)[0]
    shut.key.unlink()
    drills = _drill(kept)
    assert [one["obtained"] for one in drills] == [0] * len(drills)
    assert [one["name"] for one in drills if "does not open" in one["name"]] == [f"{shut.path.name} does not open"]
    assert sum(one["control_obtained"] for one in drills) > len(photos.enrol[ERASED])
    assert "attested" in drills[0]["what"]


def _drill(kept: BackedUp) -> list[dict[str, Any]]:
    words: list[str | Path] = []
    for role in Role:
        words += ["--backups", kept.store / role]
    for key in (*OPERATORS.values(), "g.key"):
        words += ["--identity", kept.folder / key]
    said = command("drill", "restore", *words, "--data", kept.data, "--json", seconds=1100)
    assert said.code == 0, said
    found: list[dict[str, Any]] = said.json["drills"]
    return found
