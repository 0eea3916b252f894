"""What can go wrong with backups, as an operator sees it: one plain line, an exit code, and nothing changed."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness import MOIETY, Said, command
from moiety.archive import places
from moiety.cli import installation
from moiety.cli.starting import take_lock
from moiety.foundation.clock import SystemClock
from moiety.storage import Store
from moiety.vault.journal import Journal
from moiety.vault.policy import EPOCH_FIRST
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moiety.archive.places import Backup

GALLERY = "gal_abcdefghij234567"


class Resting:
    """An installation whose parts do not run, with databases of no rows, and two operators."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.store = folder / "store"
        made = installation.create(self.data)
        made.introduce()
        self.made = made
        Store(made.folder(Role.GATE) / "gate.sqlite", SystemClock()).close()
        for role in (Role.VAULT_A, Role.VAULT_B):
            Journal(made.folder(role) / "journal.sqlite").close()
        made.ring(Role.VAULT_B).secret("store-1.key")
        self.keys = {name: folder / f"{name}.key" for name in ("a", "b")}
        self.recipients = {
            name: command("backup", "key", "new", path, "--json").json["recipient"] for name, path in self.keys.items()
        }

    def epoch(self, role: Role, epoch: int) -> None:
        """Let a vault hold an epoch of a gallery without rows."""
        journal = Journal(self.made.folder(role) / "journal.sqlite")
        with journal.transaction() as db:
            db.execute("INSERT OR REPLACE INTO policy VALUES (?, x'00', ?)", (GALLERY, epoch))
        journal.close()

    def back_up(self, role: Role, name: str, *words: str | Path, to: Path | None = None) -> Said:
        told: list[str | Path] = ["--to", to or self.store, "--recipient", self.recipients[name], "--data", self.data]
        return command("backup", role, *told, *words, "--json")

    def newest(self, role: Role, part: str = "state", store: Path | None = None) -> Backup:
        found = places.found_in([store or self.store])
        return [one for one in found if (one.about.role, one.about.part) == (role, part)][-1]

    def restore(self, role: Role, name: str, *words: str | Path, data: Path | None = None) -> Said:
        told: list[str | Path] = ["--from", self.newest(role).path, "--identity", self.keys[name]]
        return command("restore", role, *told, "--data", data or self.data, *words, "--json")


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Resting:
    made = Resting(tmp_path_factory.mktemp("resting"))
    assert made.back_up(Role.GATE, "a").code == 0
    return made


@pytest.fixture
def copy(resting: Resting) -> Iterator[Backup]:
    """Give the gate's backup, and put it back as it was."""
    one = resting.newest(Role.GATE)
    sealed, key = one.path.read_bytes(), one.key.read_bytes()
    yield one
    one.path.write_bytes(sealed)
    one.key.write_bytes(key)


def _says(said: Said, code: int, problem: str, words: str) -> None:
    """Check the exit code, the problem and the one line for people."""
    assert (said.code, said.problem) == (code, problem), said
    lines = said.words.strip().splitlines()
    assert len(lines) == 1
    assert words in lines[0]


def test_another_operators_key(resting: Resting, copy: Backup) -> None:
    _says(resting.restore(Role.GATE, "b", "--replace"), 3, "unverified", "another operator's")
    assert copy.path.exists()


def test_a_file_that_is_cut_short(resting: Resting, copy: Backup) -> None:
    copy.path.write_bytes(copy.path.read_bytes()[:-1000])
    before = (resting.data / "gate" / "gate.sqlite").read_bytes()
    _says(resting.restore(Role.GATE, "a", "--replace"), 3, "unverified", "cut short")
    assert (resting.data / "gate" / "gate.sqlite").read_bytes() == before
    assert not list(resting.data.glob("gate.*"))


def test_a_file_that_was_changed(resting: Resting, copy: Backup) -> None:
    raw = bytearray(copy.path.read_bytes())
    raw[len(raw) // 2] ^= 1
    copy.path.write_bytes(raw)
    _says(resting.restore(Role.GATE, "a", "--replace"), 3, "unverified", "was changed")


def test_a_backup_whose_own_key_was_destroyed(resting: Resting, copy: Backup) -> None:
    copy.key.unlink()
    _says(resting.restore(Role.GATE, "a", "--replace"), 4, "not-found", "it was destroyed")


def test_another_installations_backup(resting: Resting, tmp_path: Path) -> None:
    other = installation.create(tmp_path / "other")
    said = resting.restore(Role.GATE, "a", "--replace", data=other.data)
    _says(said, 3, "bad-input", f"of the installation {resting.made.tenant}")


def test_a_folder_that_is_not_empty(resting: Resting) -> None:
    _says(resting.restore(Role.GATE, "a"), 5, "already-there", "--replace")


def test_a_part_that_runs(resting: Resting) -> None:
    with take_lock(resting.made.run):
        _says(resting.restore(Role.GATE, "a", "--replace"), 3, "bad-input", "stop it first")


def test_a_key_file_that_is_none(resting: Resting, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hello\n")
    told: list[str | Path] = [
        "--from",
        resting.newest(Role.GATE).path,
        "--identity",
        tmp_path / "key",
        "--data",
        resting.data,
    ]
    _says(command("restore", "gate", *told, "--json"), 3, "bad-input", "holds no secret key")
    said = command("backup", "key", "new", tmp_path / "key", "--json")
    _says(said, 5, "already-there", "never overwritten")


def test_a_recipient_that_is_none(resting: Resting) -> None:
    told: list[str | Path] = ["--to", resting.store, "--recipient", "age1nobody", "--data", resting.data, "--json"]
    _says(command("backup", "eye", *told), 3, "bad-input", "public X25519 key")
    _says(command("backup", "eye", "--data", resting.data, "--json"), 3, "bad-input", "--to DIR")


def test_both_vaults_under_one_operator(resting: Resting) -> None:
    assert resting.back_up(Role.VAULT_A, "a").code == 0
    said = resting.back_up(Role.VAULT_B, "a", to=resting.folder / "elsewhere")
    _says(said, 3, "bad-input", "opens the backups of vault-a")
    assert resting.back_up(Role.VAULT_B, "b").code == 0


def test_seeds_of_another_run(resting: Resting, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert resting.back_up(Role.VAULT_B, "b", to=store).code == 0
    seeds = resting.newest(Role.VAULT_B, "seeds", store)
    shutil.copytree(store, tmp_path / "first")
    for path in [*store.glob("*.age"), *store.glob("*.json"), *store.glob("seeds/*")]:
        path.unlink()
    subprocess.run(["sleep", "1.1"], check=True)
    assert resting.back_up(Role.VAULT_B, "b", to=store).code == 0
    state = resting.newest(Role.VAULT_B, store=store)
    told: list[str | Path] = [
        "--from",
        state.path,
        "--identity",
        resting.keys["b"],
        "--data",
        resting.data,
        "--replace",
        "--json",
    ]
    old = tmp_path / "first" / "seeds" / seeds.path.name
    said = command("restore", "vault-b", *told, "--seeds", old, "--keys-from", tmp_path / "first" / "keys")
    assert said.code in {3, 4}, said
    resting.newest(Role.VAULT_B, "seeds", store).path.unlink()
    _says(command("restore", "vault-b", *told), 3, "bad-input", "--seeds FILE")


def test_halves_of_different_epochs_and_the_last_pair_that_fits(tmp_path: Path) -> None:
    resting = Resting(tmp_path)
    resting.epoch(Role.VAULT_A, EPOCH_FIRST)
    resting.epoch(Role.VAULT_B, EPOCH_FIRST)
    assert resting.back_up(Role.VAULT_A, "a").code == 0
    assert resting.back_up(Role.VAULT_B, "b").code == 0
    pair = resting.newest(Role.VAULT_A).path.name, resting.newest(Role.VAULT_B).path.name
    resting.epoch(Role.VAULT_B, EPOCH_FIRST + 1)
    said = resting.restore(Role.VAULT_A, "a", "--replace")
    _says(said, 3, "bad-input", "this backup holds epoch 1")
    assert "The last verified pair is" in said.words
    assert all(name in said.words for name in pair)
    assert resting.restore(Role.VAULT_A, "a", "--replace", "--old-pair").code == 0
    assert resting.restore(Role.VAULT_B, "b", "--replace", "--old-pair").code == 0


def test_a_full_disk(resting: Resting, tmp_path: Path) -> None:
    store = tmp_path / "small"
    store.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(store)]
    if subprocess.run(line, capture_output=True, check=False).returncode:
        # Where nothing may be mounted: files that cannot grow.
        told = ["sh", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "sh"]
    else:
        told = []
    try:
        (store / "filler").write_bytes(bytes(40_000))
        args: list[str | Path] = [
            "--to",
            store,
            "--recipient",
            resting.recipients["a"],
            "--data",
            resting.data,
            "--with-keys",
            "--json",
        ]
        said = command("backup", "gate", *args) if not told else _within(told, args)
        _says(said, 7, "disk-full", "The disk is full; nothing was kept.")
        assert [path.name for path in store.rglob("*") if path.is_file()] == ["filler"]
    finally:
        if not told:
            subprocess.run(["umount", str(store)], check=True)


def _within(before: list[str], args: list[str | Path]) -> Said:
    done = subprocess.run(
        [*before, MOIETY, "backup", "gate", *map(str, args)], capture_output=True, text=True, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def test_copies_whose_time_is_over_go_with_the_next_one(tmp_path: Path) -> None:
    resting = Resting(tmp_path)
    assert resting.back_up(Role.VAULT_B, "b").code == 0
    old = resting.newest(Role.VAULT_B, "seeds")
    for note in (places.beside(old.path), places.beside(resting.newest(Role.VAULT_B).path)):
        text = note.read_text()
        note.write_text(text.replace(f'"at": {old.about.at}', f'"at": {old.about.at - 8 * 86_400}'))
    subprocess.run(["sleep", "1.1"], check=True)
    told = resting.back_up(Role.VAULT_B, "b").json
    assert told["destroyed"] == [old.path.name]
    assert not old.path.exists()
    assert not old.key.exists()
    assert len(list(resting.store.glob("moiety-vault-b-2*.age"))) == 2
