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

pytestmark = pytest.mark.slow


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
    told = _drill(kept)
    drills = told.json["drills"]
    assert len(drills) >= 2
    assert [one["obtained"] for one in drills] == [0] * len(drills)
    assert drills[0]["control_obtained"] >= len(photos.enrol[ERASED]) + 1
    assert "attested" in drills[0]["what"]
    # A copy that no key opens is said, and is no failure.
    kept.files(Role.VAULT_A)[0].key.unlink()
    again = _drill(kept).json["drills"]
    assert any("does not open" in one["name"] for one in again)


def _drill(kept: BackedUp) -> Any:
    words: list[str | Path] = []
    for role in Role:
        words += ["--backups", kept.store / role]
    for key in (*OPERATORS.values(), "g.key"):
        words += ["--identity", kept.folder / key]
    said = command("drill", "restore", *words, "--data", kept.data, "--json", seconds=600)
    assert said.code == 0, said
    return said
