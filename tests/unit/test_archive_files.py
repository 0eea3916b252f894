"""A backup file: sealed, checked, opened; every way in which it can be wrong is one plain line."""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import tarfile
from typing import TYPE_CHECKING

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.archive import age_keys, manifest, places
from moiety.archive.holdings import Holdings
from moiety.archive.packing import Sums, member, seal_file, tarred
from moiety.archive.reading import Unpacking, key_of
from moiety.archive.restoring import Expected, Folders, marked, refuse_interrupted, restore
from moiety.archive.writing import Order, Writer, remembered
from moiety.foundation.clock import HandClock
from moiety.foundation.disk import SYSTEM_DISK, SystemDisk, SystemFile
from moiety.foundation.errors import AlreadyThere, BadInput, DiskFull, Fault, NotFound, Unverified
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.archive.places import Backup

NAME = "Ada Canary"
TENANT = "ten_1"


class Shop:
    """One witness-like part in a folder (a database, a file, keys), and its operator."""

    def __init__(self, folder: Path, role: Role = Role.WITNESS) -> None:
        self.folder = folder
        self.role = role
        self.data = folder / "data"
        self.clock = HandClock(1_800_000_000.0)
        self.signing = Ed25519PrivateKey.generate()
        (self.data / role / "seeds").mkdir(parents=True)
        self.keys = folder / "keys" / role
        self.keys.mkdir(parents=True)
        (self.keys / "signing.key").write_bytes(self.signing.private_bytes_raw())
        (self.keys / "store-3.key").write_bytes(b"s" * 32)
        (self.data / role / "peers.json").write_text("[]")
        (self.data / role / "seeds" / "gal_1.1").write_bytes(os.urandom(400_000))
        with sqlite3.connect(self.data / role / "journal.sqlite") as db:
            db.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA user_version = 7;"
                "CREATE TABLE numbered (number INTEGER PRIMARY KEY AUTOINCREMENT, raw BLOB, word TEXT, x REAL) STRICT;"
                "CREATE TABLE nonce (nonce BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;"
                "CREATE TABLE person (handle BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;"
                "CREATE TABLE policy (gallery TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;"
                "CREATE TABLE row (row_id BLOB PRIMARY KEY, gallery TEXT, state TEXT, seq INTEGER) STRICT;"
                "CREATE INDEX words ON numbered (word);"
                "CREATE TRIGGER stays BEFORE DELETE ON numbered BEGIN SELECT raise(ABORT, 'no'); END;"
                "INSERT INTO policy VALUES ('gal_1', 4);"
                "INSERT INTO row VALUES (x'aa', 'gal_1', 'live', 1), (x'bb', 'gal_1', 'prepared', NULL);"
                "INSERT INTO nonce VALUES (x'00'); INSERT INTO person VALUES (x'0102');"
            )
            rows = [(bytes([n % 256]) * 5, f"{NAME} {n}" if n % 2 else None, n / 3) for n in range(5000)]
            db.executemany("INSERT INTO numbered (raw, word, x) VALUES (?, ?, ?)", rows)
            db.execute("INSERT INTO numbered (number, raw) VALUES (90000, x'')")
        db.close()
        self.operator = folder / "operator.key"
        self.recipient = age_keys.new_operator(self.operator)

    @property
    def holdings(self) -> Holdings:
        return Holdings(self.role, self.data / self.role, self.keys)

    def writer(self, disk: SystemDisk = SYSTEM_DISK) -> Writer:
        return Writer(TENANT, self.holdings, self.signing, self.clock, disk)

    def order(self, *, with_keys: bool = False) -> Order:
        to = self.folder / "backups"
        return Order(to, to / "seeds", to / "keys", self.recipient, 30, 7, with_keys)

    def take(self, *, with_keys: bool = False, disk: SystemDisk = SYSTEM_DISK) -> list[Backup]:
        self.clock.move(60)
        return self.writer(disk).take(self.order(with_keys=with_keys))

    def key(self, one: Backup, identity: Path | None = None) -> age_keys.Identity:
        return key_of(one.path, age_keys.operator(identity or self.operator), None)

    def back(self, *files: Backup, expected: Expected | None = None, replace: bool = False) -> Folders:
        folders = Folders(self.folder / "again", self.folder / "again-keys", self.role)
        folders.data.mkdir(exist_ok=True)
        pairs = [(one.path, self.key(one)) for one in files]
        restore(folders, pairs, expected or Expected(TENANT, ()), self.clock, SYSTEM_DISK, replace=replace)
        return folders

    def rows(self, folder: Path, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(folder / "journal.sqlite") as db:
            found = db.execute(query).fetchall()
        db.close()
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_what_was_there_is_there_again(shop: Shop) -> None:
    (made,) = shop.take()
    assert made.path.name == "moiety-witness-20270115T080100Z.age"
    folders = shop.back(made)
    old, new = shop.data / shop.role, folders.own
    everything = "SELECT * FROM numbered ORDER BY number"
    assert shop.rows(new, everything) == shop.rows(old, everything)
    assert shop.rows(new, "PRAGMA user_version") == [(7,)]
    schema = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    assert shop.rows(new, schema) == shop.rows(old, schema)
    assert shop.rows(new, "SELECT * FROM sqlite_sequence") == [("numbered", 90000)]
    assert (new / "seeds" / "gal_1.1").read_bytes() == (old / "seeds" / "gal_1.1").read_bytes()
    assert {path.stat().st_mode & 0o077 for path in new.rglob("*")} == {0}
    mark = marked(new)
    assert mark
    assert mark["run"] == made.about.run
    assert not folders.mark.exists()
    with pytest.raises(sqlite3.IntegrityError):
        shop.rows(new, "DELETE FROM numbered")


def test_rows_of_the_hour_are_left_out(shop: Shop) -> None:
    folders = shop.back(*shop.take())
    assert shop.rows(folders.own, "SELECT count(*) FROM nonce") == [(0,)]


def test_writers_may_write_while_a_backup_reads(shop: Shop) -> None:
    with shop.holdings.frozen() as frozen:
        with sqlite3.connect(shop.data / shop.role / "journal.sqlite") as db:
            db.execute("INSERT INTO numbered (word) VALUES ('later')")
        db.close()
        (moment,) = frozen.databases.values()
        assert list(moment.read("SELECT count(*) FROM numbered WHERE word = 'later'")) == [(0,)]


def test_nothing_in_the_store_is_in_the_clear_or_names_anybody(shop: Shop) -> None:
    shop.take(with_keys=True)
    seen = _everything(shop.folder / "backups")
    for word in (
        NAME.encode(),
        NAME.encode().hex().encode(),
        b"gal_1.1",
        b"numbered",
        shop.signing.private_bytes_raw(),
    ):
        assert word not in seen


def test_a_thief_of_the_store_with_the_operators_key_gets_nothing_once_the_small_key_is_destroyed(shop: Shop) -> None:
    (made,) = shop.take()
    stolen = made.path.read_bytes()
    identities = age_keys.operator(shop.operator)
    assert pyrage.decrypt(stolen, [shop.key(made)])
    made.destroy(SYSTEM_DISK)
    assert list((shop.folder / "backups").rglob("*.*")) == []
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(stolen, identities)
    made.path.write_bytes(stolen)
    with pytest.raises(NotFound, match="was destroyed"):
        shop.key(made)


def test_standard_tools_would_open_it(shop: Shop) -> None:
    (made,) = shop.take()
    plain = pyrage.decrypt(made.path.read_bytes(), [shop.key(made)])
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        names = tar.getnames()
        assert names[-2:] == ["manifest.json", "manifest.sig"]
        raw = tar.extractfile("manifest.json")
        assert raw
        told = json.loads(raw.read())
    assert set(told["files"]) == set(names[:-2])
    assert told["format"] == 1


# ---- what can be wrong with a file ----


def test_another_operators_key_is_refused(shop: Shop, tmp_path: Path) -> None:
    (made,) = shop.take()
    other = tmp_path / "other.key"
    age_keys.new_operator(other)
    with pytest.raises(Unverified, match="another operator"):
        shop.key(made, other)


@pytest.mark.parametrize("where", [0, 30, 200, 70_000, -5])
def test_a_changed_byte_is_refused_and_nothing_is_left(shop: Shop, where: int) -> None:
    (made,) = shop.take()
    key = shop.key(made)
    raw = bytearray(made.path.read_bytes())
    raw[where] ^= 1
    made.path.write_bytes(raw)
    with pytest.raises(Unverified, match="does not open"):
        _back_with(shop, made, key)
    assert list((shop.folder / "again").iterdir()) == []


@pytest.mark.parametrize("kept", [0, 10, 300, 70_000, -1])
def test_a_file_that_is_cut_short_is_refused_and_nothing_is_left(shop: Shop, kept: int) -> None:
    (made,) = shop.take()
    key = shop.key(made)
    made.path.write_bytes(made.path.read_bytes()[:kept])
    with pytest.raises(Unverified, match=r"does not open|cut short"):
        _back_with(shop, made, key)
    assert list((shop.folder / "again").iterdir()) == []


def _back_with(shop: Shop, made: Backup, key: age_keys.Identity) -> None:
    folders = Folders(shop.folder / "again", shop.folder / "again-keys", shop.role)
    folders.data.mkdir(exist_ok=True)
    restore(folders, [(made.path, key)], Expected(TENANT, ()), shop.clock, SYSTEM_DISK)


def test_a_forged_file_sealed_to_the_right_key_is_refused(shop: Shop) -> None:
    (made,) = shop.take()
    forger = Ed25519PrivateKey.generate()
    (forged,) = Writer(TENANT, shop.holdings, forger, HandClock(), SYSTEM_DISK).take(shop.order())
    own = Expected(TENANT, {shop.signing.public_key().public_bytes_raw().hex()})
    with pytest.raises(Unverified, match="not signed by this part"):
        shop.back(forged, expected=own)
    assert shop.back(made, expected=own).own.is_dir()


def test_another_installations_backup_is_refused(shop: Shop) -> None:
    (made,) = shop.take()
    with pytest.raises(BadInput, match="of the installation ten_1"):
        shop.back(made, expected=Expected("ten_2", ()))


def test_another_roles_backup_is_refused(shop: Shop) -> None:
    (made,) = shop.take()
    folders = Folders(shop.folder / "again", shop.folder / "again-keys", Role.GATE)
    folders.data.mkdir()
    with pytest.raises(BadInput, match="of witness, not of gate"):
        restore(folders, [(made.path, shop.key(made))], Expected(TENANT, ()), shop.clock, SYSTEM_DISK)


def test_a_newer_format_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = manifest.Manifest.encode
    monkeypatch.setattr(
        manifest.Manifest, "encode", lambda one: encode(one).replace(b'"format":1', b'"format":9'), raising=True
    )
    (made,) = shop.take()
    monkeypatch.undo()
    with pytest.raises(BadInput, match="format 9; this program knows 1"):
        shop.back(made)


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    key = age_keys.Identity.generate()
    for name in ("files/../../out", "/etc/out", "files/.hidden", "other/x"):
        path = tmp_path / "forged.age"
        seal_file(path, tarred([member(name, b"x")], Sums(), lambda _: []), key, SYSTEM_DISK)
        with Unpacking(tmp_path / "into", SYSTEM_DISK) as unpacking, pytest.raises(Unverified, match="not ours"):
            unpacking.add(path, key)
    assert not (tmp_path / "out").exists()


# ---- where it goes ----


def test_a_folder_that_holds_something_is_replaced_only_when_told(shop: Shop) -> None:
    (made,) = shop.take()
    folders = shop.back(made)
    (folders.own / "later.txt").write_text("newer")
    with pytest.raises(AlreadyThere, match="--replace"):
        shop.back(made)
    shop.back(made, replace=True)
    assert not (folders.own / "later.txt").exists()
    assert (folders.before / "later.txt").read_text() == "newer"


def test_an_interrupted_restore_is_said_and_can_be_repeated(shop: Shop) -> None:
    class Cut(Exception):  # noqa: N818 - a power cut is no error of ours
        pass

    (made,) = shop.take()
    renames = 0

    class Dying(SystemDisk):
        def rename(self, old: Path, new: Path) -> None:
            nonlocal renames
            if old.is_dir():
                renames += 1
                raise Cut
            super().rename(old, new)

    folders = shop.back(made)
    (folders.own / "later.txt").write_text("newer")
    pairs = [(made.path, shop.key(made))]
    with pytest.raises(Cut):
        restore(folders, pairs, Expected(TENANT, ()), shop.clock, Dying(), replace=True)
    assert renames == 1
    with pytest.raises(Fault, match="was interrupted; repeat it"):
        refuse_interrupted(folders.data, shop.role)
    shop.back(made)
    refuse_interrupted(folders.data, shop.role)
    assert (folders.before / "later.txt").read_text() == "newer"
    assert not (folders.own / "later.txt").exists()


def test_a_crash_while_unpacking_into_an_empty_folder_lets_no_part_start_there(shop: Shop) -> None:
    class Dying(SystemDisk):
        def open(self, path: Path, mode: int = 0o600) -> SystemFile:
            if path.name == "gal_1.1":
                os._exit(9)
            return super().open(path, mode)

    (made,) = shop.take()
    folders = Folders(shop.folder / "again", shop.folder / "again-keys", shop.role)
    folders.data.mkdir()
    pairs = [(made.path, shop.key(made))]
    child = os.fork()
    if not child:
        restore(folders, pairs, Expected(TENANT, ()), shop.clock, Dying())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with pytest.raises(Fault, match="interrupted"):
        refuse_interrupted(folders.data, shop.role)
    shop.back(made)
    refuse_interrupted(folders.data, shop.role)


# ---- full disks, crashes, times ----


class SmallDisk(SystemDisk):
    """Room for so many bytes in files that are written piece by piece."""

    def __init__(self, room: int) -> None:
        self.room = room

    def open(self, path: Path, mode: int = 0o600) -> SystemFile:
        super().open(path, mode).__exit__()
        disk = self

        class Small(SystemFile):
            def write(self, at: int, content: bytes | bytearray | memoryview) -> None:
                disk.room -= len(content)
                if disk.room < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                super().write(at, content)

        return Small(os.open(path, os.O_RDWR | os.O_CREAT, mode))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_full_disk_leaves_nothing_of_a_backup(shop: Shop, share: float) -> None:
    (made,) = shop.take()
    before = sorted((shop.folder / "backups").rglob("*"))
    room = int(share * made.size) + 100  # at 1.0 the first file has room, the second has not
    with pytest.raises(DiskFull):
        shop.take(disk=SmallDisk(room), with_keys=True)
    assert sorted((shop.folder / "backups").rglob("*")) == before


def test_what_a_crash_left_of_a_backup_is_tidied_up_by_the_next(shop: Shop) -> None:
    (made,) = shop.take()
    store = shop.folder / "backups"
    (store / "moiety-witness-20200101T000000Z.age.part").write_bytes(b"half")
    (store / "keys" / "moiety-witness-20200101T000000Z.key.age").write_bytes(b"key of nothing")
    note = places.beside(made.path)
    (store / "moiety-witness-20200101T000000Z.json").write_bytes(note.read_bytes())
    (later,) = shop.take()
    assert {path.name for path in store.iterdir()} == {
        "keys",
        "seeds",
        made.path.name,
        note.name,
        later.path.name,
        places.beside(later.path).name,
    }
    assert {path.name for path in (store / "keys").iterdir()} == {made.key.name, later.key.name}


def test_what_is_over_is_found_by_the_shorter_of_both_times(shop: Shop) -> None:
    (made,) = shop.take()
    at = made.about.at
    assert places.due([made], 30, at + 29 * 86_400) == []
    assert places.due([made], 30, at + 30 * 86_400) == [made]
    assert places.due([made], 3, at + 3 * 86_400) == [made]
    assert places.due([made], 99, at + 30 * 86_400) == [made]


def test_a_backup_is_found_by_its_note_wherever_the_folder_was_moved(shop: Shop, tmp_path: Path) -> None:
    (made,) = shop.take()
    moved = tmp_path / "elsewhere"
    made.path.parent.rename(moved)
    (found,) = places.found_in([moved])
    assert found.opens
    assert found.about == made.about.outside()
    assert found.recipient == shop.recipient
    assert remembered(shop.data / shop.role)["recipient"] == shop.recipient


def test_an_operators_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "me.key"
    recipient = age_keys.new_operator(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(age_keys.operator(path)[0].to_public()) == recipient
    with pytest.raises(AlreadyThere):
        age_keys.new_operator(path)
    only_public = tmp_path / "me.pub"
    only_public.write_text(f"# mine\n{recipient}\n")
    assert age_keys.recipient_in(only_public) == recipient
    with pytest.raises(BadInput, match="no secret key"):
        age_keys.operator(only_public)
    with pytest.raises(BadInput, match="public X25519 key"):
        age_keys.recipient("age1nonsense")
