"""Backups of a running installation, restored as processes: who was erased stays erased, everyone else comes back."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from backed_up import ERASED, GALLERY, PEOPLE, BackedUp, buried, enrol, lived, names, subjects
from harness import Site, command
from moiety.archive import restoring
from moiety.drill.noise import spellings
from moiety.foundation.errors import Unavailable
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _without_canaries() -> Iterator[None]:
    """Let galleries hold people only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOIETY_CANARIES", "0")
        yield


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, photos: Samples) -> tuple[BackedUp, dict[str, str]]:
    """Live through it once; tests work on copies."""
    return lived(tmp_path_factory.mktemp("lived"), photos)


@pytest.fixture
def kept(original: tuple[BackedUp, dict[str, str]], tmp_path: Path) -> BackedUp:
    return original[0].copy(tmp_path / "copy")


@pytest.fixture
def ids(original: tuple[BackedUp, dict[str, str]]) -> dict[str, str]:
    return original[1]


def _whole(site: Site, photos: Samples, ids: dict[str, str]) -> None:
    """Check that all but the erased person are there, and nothing of that person."""
    assert names(site, photos.probe) == set()
    for path in photos.enrol[ERASED]:
        assert names(site, path) == set()
    for person in set(ids) - {ERASED}:
        assert names(site, photos.enrol[person][0]) == {person}
    assert subjects(site) == {ids[person] for person in ids if person != ERASED}
    assert site.cli("show", ids[ERASED], "--gallery", GALLERY, code=4).problem == "unknown-subject"
    site.holding().check_whole()


def test_a_restore_of_what_was_there_before_an_erasure_brings_back_everyone_but_the_erased(
    kept: BackedUp, photos: Samples, ids: dict[str, str]
) -> None:
    for role in PEOPLE:
        assert kept.restore(role, 0, code=5).problem == "already-there"
        kept.restore(role, 0, "--replace")
    with Site(kept.data) as site:
        _whole(site, photos, ids)
        held = site.read(Role.VAULT_B, "SELECT count(*) FROM person")
        assert held == [(len(ids) - 1,)]
        site.cli("gallery", "list")
    assert not [path for path in kept.data.iterdir() if path.name.endswith((".before", ".restore", ".restoring"))]
    assert not [role for role in PEOPLE if restoring.marked(kept.data / role)]


def test_without_the_tombstones_the_person_would_be_back(kept: BackedUp, photos: Samples) -> None:
    for role in PEOPLE:
        kept.restore(role, 0, "--replace")
        # What no start of ours does: pass over that the folder was restored.
        (kept.data / role / restoring.MARK).unlink()
    with Site(kept.data) as site:
        assert names(site, photos.probe) == {ERASED}


@pytest.mark.parametrize("role", PEOPLE)
def test_one_part_alone_is_restored_beside_those_that_went_on(
    kept: BackedUp, photos: Samples, ids: dict[str, str], role: Role
) -> None:
    kept.restore(role, 0, "--replace")
    with Site(kept.data) as site:
        _whole(site, photos, ids)


def test_a_dead_machine_comes_back_from_its_backups_and_its_operators_keys(
    kept: BackedUp, photos: Samples, ids: dict[str, str]
) -> None:
    tombstones = kept.folder / "tombstones.json"
    assert command("witness", "tombstones", tombstones, "--data", kept.data).code == 0
    shutil.rmtree(kept.data)
    for role in Role:
        number = -1 if role in PEOPLE else 0
        keys = kept.files(role, "keys")[0].path
        words: list[str | Path] = ["--keys", keys]
        if role in PEOPLE:
            words += ["--tombstones", tombstones]
        if role is Role.MINT:
            assert len(kept.files(role)) == 1
        kept.restore(role, number, *words)
    with Site(kept.data) as site:
        _whole(site, photos, ids)


def test_while_the_witness_is_away_a_restored_vault_does_not_serve(
    kept: BackedUp, photos: Samples, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tombstones = kept.folder / "tombstones.json"
    assert command("witness", "tombstones", tombstones, "--data", kept.data).code == 0
    # A witness that knows nothing of this installation's cards answers nobody.
    kept.restore(Role.VAULT_A, 0, "--replace")
    with pytest.raises(Unavailable, match="serves only once it knows who was erased since") as refused:
        _start_without_witness(kept.data)
    assert "--tombstones FILE" in str(refused.value)
    kept.restore(Role.VAULT_A, 0, "--replace", "--tombstones", tombstones)
    _start_without_witness(kept.data)
    with Site(kept.data) as site:
        _whole(site, photos, ids)
    del monkeypatch


def _start_without_witness(data: Path) -> None:
    """Start both vaults and the mint, and nothing else; the witness has an address at which nobody answers."""
    site = Site(data, (Role.MINT, Role.VAULT_B, Role.VAULT_A))
    try:
        site.start()
    finally:
        site.stop()


def test_who_was_enrolled_after_the_backup_is_listed_and_let_go(
    kept: BackedUp, photos: Samples, ids: dict[str, str]
) -> None:
    with Site(kept.data) as site:
        late = enrol(site, photos, ERASED)[ERASED]
    kept.restore(Role.VAULT_A, -1, "--replace")
    with Site(kept.data) as site:
        dry = site.cli("reconcile").json["galleries"][0]
        assert (dry["dropped"], dry["photo_lost"], dry["whole"]) == ([], [late], len(ids) - 1)
        assert (dry["at_vault_a"], dry["at_vault_b"]) == (0, len(photos.enrol[ERASED]))
        assert site.cli("reconcile").json["galleries"] == [dry]
        told = site.cli("reconcile", "--apply").json
        assert told["galleries"] == [dry]
        assert told["plan"] is None
        assert told["vaults"]["vault-b"] == {"rows": len(photos.enrol[ERASED]), "keys": 0}
        again = site.cli("reconcile").json["galleries"][0]
        assert (again["photo_lost"], again["at_vault_b"]) == ([], 0)
        assert names(site, photos.probe) == set()
        shown = site.cli("show", late, "--gallery", GALLERY, "--reason", "whom to enrol again").json
        assert shown["fields"]["reference"] == ERASED
        assert shown["photos"] == 0
        enrol(site, photos, ERASED)
        assert names(site, photos.probe) == {ERASED}
        site.holding().check_whole()


def test_a_gate_that_knows_nobody_of_later_lets_the_vaults_rows_go(kept: BackedUp, photos: Samples) -> None:
    with Site(kept.data) as site:
        enrol(site, photos, ERASED)
    kept.restore(Role.GATE, -1, "--replace")
    with Site(kept.data) as site:
        told = site.cli("reconcile", "--apply").json
        (found,) = told["galleries"]
        assert found["at_vault_a"] == found["at_vault_b"] == len(photos.enrol[ERASED])
        assert found["keys"] == 1
        assert told["vaults"] == {
            "vault-a": {"rows": len(photos.enrol[ERASED]), "keys": 0},
            "vault-b": {"rows": len(photos.enrol[ERASED]), "keys": 1},
        }
        site.holding().check_whole()
        enrol(site, photos, ERASED)
        assert names(site, photos.probe) == {ERASED}


def test_the_backups_of_all_parts_name_nobody_and_the_seeds_lie_apart(kept: BackedUp, ids: dict[str, str]) -> None:
    everything = b"".join(path.read_bytes() for path in kept.store.rglob("*") if path.is_file())
    for person in ids:
        for spelling, raw in spellings(person).items():
            assert raw not in everything, spelling
    for role in Role:
        notes = [json.loads(path.read_bytes()) for path in (kept.store / role).rglob("*.json")]
        assert {one["role"] for one in notes} == {role.value}
        assert all(one["files"] == {} for one in notes)
    seeds = kept.files(Role.VAULT_B, "seeds")
    assert {one.path.parent.name for one in seeds} == {"seeds"}
    assert {one.about.days for one in seeds} == {7}
    assert {one.about.days for one in kept.files(Role.VAULT_B)} == {30}


def test_a_list_says_what_there_is_and_after_how_many_days_all_is_gone(kept: BackedUp) -> None:
    told = command("backup", "list", kept.store, *(kept.store / role for role in Role), "--json").json
    assert told["erased_within_days"] == 8
    assert len(told["pairs"]) == 4
    newest = told["pairs"][0]
    assert newest["vault-a"] == kept.files(Role.VAULT_A)[-1].path.name
    assert newest["vault-b"] == kept.files(Role.VAULT_B)[-1].path.name
    assert all(one["opens"] for one in told["backups"])
    spoken = command("backup", "list", *(kept.store / role for role in Role)).out
    assert "erased everywhere within 8 days" in spoken


def test_the_tombstones_reach_the_witness_also_when_it_was_away(kept: BackedUp, ids: dict[str, str]) -> None:
    with Site(kept.data) as site:
        site.kill(Role.WITNESS)
        person = next(one for one in ids if one != ERASED)
        site.cli("erase", person, "--gallery", GALLERY, "--reason", "a test")
        before = len(site.read_file(Role.WITNESS, "tombstones.sqlite", "SELECT * FROM tombstone"))
        site.restart(Role.WITNESS)
        buried(site, before + 2)
