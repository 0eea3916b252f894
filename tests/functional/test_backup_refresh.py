"""A refresh reaches into the backups: both vaults copy the new epoch, and no copy of the old one opens any more."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pyrage
import pytest

from backed_up import ERASED, GALLERY, PEOPLE, BackedUp, enrol, names
from harness import Site, command, eventually
from moiety.archive import age_keys, places
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

VAULTS = (Role.VAULT_A, Role.VAULT_B)


def _epochs(kept: BackedUp, role: Role) -> list[int]:
    """List the epochs of a vault's copies that open."""
    return [max(one.about.epochs().values()) for one in kept.files(role) if one.opens]


def test_a_refresh_ends_the_copies_of_the_old_epoch_and_the_new_ones_restore(
    tmp_path: Path, photos: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_CANARIES", "0")
    kept = BackedUp(tmp_path / "kept", photos)
    stolen = tmp_path / "stolen"
    with Site(kept.data) as site:
        site.cli("gallery", "create", GALLERY, "--purpose", "a test")
        enrol(site, photos, ERASED)
        kept.back_up(*PEOPLE)
        shutil.copytree(kept.store, stolen, ignore=shutil.ignore_patterns("keys"))
        wrapped = {one.key.name: one.key.read_bytes() for role in VAULTS for one in kept.files(role)}
        line = LocalClient(site.made.folder(Role.VAULT_A) / NAME, "vault-a")
        line.ask_now("refresh")
        # A copies first: B has nothing of the new epoch yet, so the pair of the old one stays.
        kept.back_up(Role.VAULT_A, words=["--after-refresh"])
        for _ in eventually("both vaults have copied the new epoch and let go of the old one"):
            if _epochs(kept, Role.VAULT_A) == [2] and _epochs(kept, Role.VAULT_B) == [2]:
                break
        assert kept.back_up(Role.VAULT_A, words=["--after-refresh"])[Role.VAULT_A].json["files"] == []
    _no_old_copy_opens(kept, stolen, wrapped)
    for role in VAULTS:
        shutil.rmtree(kept.data / role)
        kept.restore(role, -1)
    with Site(kept.data) as site:
        assert names(site, photos.probe) == {ERASED}


def _no_old_copy_opens(kept: BackedUp, stolen: Path, wrapped: dict[str, bytes]) -> None:
    """Try stolen files with every operator's key and every small key that is left; with those of before they open."""
    operators = [key for role in VAULTS for key in age_keys.operator(kept.operator(role))]
    left = [
        age_keys.unwrap(path.read_bytes(), operators) for path in kept.store.rglob("*.key.age") if "vault" in path.name
    ]
    old = [path for role in VAULTS for path in (stolen / role).rglob("*.age")]
    assert len(old) == 3
    for path in old:
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(path.read_bytes(), [*operators, *left])
    before = [age_keys.unwrap(raw, operators) for raw in wrapped.values()]
    opened = [path for path in old if _opens(path, before)]
    assert {path.name for path in opened} == {name.replace(".key.age", ".age") for name in wrapped}


def _opens(path: Path, keys: list[age_keys.Identity]) -> bool:
    try:
        pyrage.decrypt(path.read_bytes(), keys)
    except pyrage.DecryptError:
        return False
    return True


def test_until_both_have_copied_the_new_epoch_the_pair_of_the_old_one_stays(
    tmp_path: Path, photos: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_CANARIES", "0")
    kept = BackedUp(tmp_path / "kept", photos)
    with Site(kept.data) as site:
        site.cli("gallery", "create", GALLERY, "--purpose", "a test")
        enrol(site, photos, ERASED)
        kept.back_up(*PEOPLE)
        # The disk with B's copies is taken away: B cannot copy by itself.
        kept.store.joinpath("vault-b").rename(tmp_path / "away")
        LocalClient(site.made.folder(Role.VAULT_A) / NAME, "vault-a").ask_now("refresh")
        kept.back_up(Role.VAULT_A, words=["--after-refresh"])
        assert sorted(_epochs(kept, Role.VAULT_A)) == [1, 2]
        (tmp_path / "away").rename(kept.store / "vault-b")
        kept.back_up(Role.VAULT_B, words=["--after-refresh"])
        kept.back_up(Role.VAULT_A, words=["--after-refresh"])
        assert _epochs(kept, Role.VAULT_A) == _epochs(kept, Role.VAULT_B) == [2]
    listed = command("backup", "list", *(kept.store / role for role in VAULTS), "--json").json
    assert len(listed["pairs"]) == 1
    told = [json.loads(path.read_bytes()) for path in kept.store.rglob("*vault*.json")]
    assert {tuple(mark["epoch"] for mark in one["galleries"].values()) for one in told} == {(2,)}
    assert places.found_in([kept.store / Role.GATE])
