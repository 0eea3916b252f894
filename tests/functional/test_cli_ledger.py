"""`moiety ledger` as an operator and as an outsider run it: against the gate that runs, and on a copy without any."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harness import Site, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

FOUND = {"sound", "entries", "root", "cosigned_at", "first_at", "last_at", "kinds"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run an installation in which something was done."""
    with Site(tmp_path_factory.mktemp("ledger") / "data") as running:
        for number in range(3):
            running.cli("gallery", "create", f"doors-{number}", "--purpose", "an entry in the ledger")
        yield running


def test_the_years_report_is_counted_from_the_ledger(here: Site) -> None:
    told = here.cli("ledger", "report").json
    assert set(told) == {"year", "entries", "first", "last", "purposes"}
    acts = {one["purpose"]: one["acts"] for one in told["purposes"]}
    assert acts["an entry in the ledger"]["gallery"] >= 2
    assert here.cli("ledger", "report", "--year", str(told["year"] - 1)).json["entries"] == 0


def test_the_ledger_that_runs_is_sound(here: Site) -> None:
    found = here.cli("ledger", "verify").json
    assert set(found) == FOUND
    assert (found["sound"], found["kinds"]) == (True, {"alteration": found["entries"]})
    assert found["cosigned_at"] is not None
    said = here.cli("status").json
    assert (said["ledger"], said["cosigned_at"] is not None) == ("cosigned", True)


def test_an_outsider_checks_a_copy_with_keys_alone(here: Site, tmp_path: Path) -> None:
    made = here.cli("ledger", "export", tmp_path / "before").json
    assert made == {"entries": made["entries"], "folder": str(tmp_path / "before")}
    here.cli("gallery", "create", "later", "--purpose", "a newer entry")
    here.cli("ledger", "export", tmp_path / "now")
    keys = here.cli("ledger", "keys").json
    words = ["--key", keys["log"], "--key", *keys["witnesses"], "--json"]
    # No installation is told of: nothing but the folder and the keys.
    outside = {"MOIETY_DATA": str(tmp_path / "nowhere")}
    since = tmp_path / "before" / "checkpoint"
    said = command("ledger", "verify", "--copy", tmp_path / "now", "--since", since, *words, env=outside)
    assert (said.code, said.json["entries"]) == (0, made["entries"] + 1)
    # The other way round, the older copy is one that was cut off.
    now = tmp_path / "now" / "checkpoint"
    cut = command("ledger", "verify", "--copy", tmp_path / "before", "--since", now, *words, env=outside)
    assert (cut.code, cut.problem) == (3, "unverified")
    assert "cut off" in cut.json["error"]["detail"]
    # With the keys that lie beside it, it agrees with itself, and that is said.
    alone = command("ledger", "verify", "--copy", tmp_path / "now", "--json", env=outside)
    assert (alone.code, alone.json) == (0, said.json)
    assert "keys that lie with the copy" in alone.words


def test_a_copy_that_was_changed_is_told(here: Site, tmp_path: Path) -> None:
    here.cli("ledger", "export", tmp_path / "copy")
    changed = shutil.copytree(tmp_path / "copy", tmp_path / "changed")
    bundle = next(changed.glob("tile/entries/000.p/*"))
    bundle.write_bytes(bundle.read_bytes().replace(b"owner", b"other", 1))
    said = command("ledger", "verify", "--copy", changed, "--json")
    assert (said.code, said.problem) == (3, "unverified")
    assert "entry 1 is not what was written" in said.json["error"]["detail"]
    again = here.cli("ledger", "export", tmp_path / "copy", code=3)
    assert again.problem == "bad-input"


def test_a_loss_is_admitted_only_knowingly(here: Site) -> None:
    assert here.cli("witness", "admit-loss", code=3).problem == "bad-input"
    here.cli("ledger", "verify")
    lost = here.cli("witness", "admit-loss", "--yes").json
    assert set(lost) == {"size", "root", "cosigned_at"}
    assert here.cli("ledger", "verify").json["entries"] == lost["size"]
