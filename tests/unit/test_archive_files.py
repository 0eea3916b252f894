"""A backup file: sealed, checked, opened; every way in which it can be wrong is one plain line."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
from typing import TYPE_CHECKING

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archived_shop import NAME, TENANT, Shop
from moiety.archive import age_keys, manifest
from moiety.archive.packing import Sums, member, seal_file, tarred
from moiety.archive.reading import Unpacking
from moiety.archive.restoring import Expected, Folders, marked, restore
from moiety.archive.writing import Writer
from moiety.foundation.clock import HandClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import AlreadyThere, BadInput, NotFound, Unverified
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.archive.places import Backup


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


# ---- operators' keys ----


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
