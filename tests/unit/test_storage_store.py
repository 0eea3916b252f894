"""The store: transactions, threads, damage, a full disk."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from databases import BOTH, at
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import DiskFull, Fault, NotFound, Unavailable
from moiety.foundation.ids import GalleryId, new_gallery_id, new_key_id, new_subject_id
from moiety.storage import FieldClass, IntentKind, Store, engine, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "gate.db"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Store]:
    with Store(at(tmp_path / FILE), HandClock()) as made:
        yield made


def make_gallery(gate: Store, name: str = "doors") -> GalleryId:
    gallery_id = new_gallery_id()
    with gate.begin() as tx:
        tx.galleries.create(
            gallery_id=gallery_id,
            name=name,
            purpose="open the door",
            model_name="m",
            model_sha256="0" * 64,
            dim=512,
            rotation_id="ab",
            fmr_target=1e-4,
            thresholds=(100, 200),
            bands=("possible", "strong"),
        )
    return gallery_id


@BOTH
def test_a_raised_error_rolls_everything_back(gate: Store) -> None:
    with suppress(NotFound), gate.begin() as tx:
        tx.intents.open(IntentKind.GALLERY, new_gallery_id())
        assert len(tx.intents.pending()) == 1
        tx.intents.close(99)
    with gate.read() as tx:
        assert tx.intents.pending() == ()


@BOTH
def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    with Store(at(tmp_path / FILE), HandClock()) as gate:
        gallery_id = make_gallery(gate)
    with Store(at(tmp_path / FILE), HandClock(), create=False) as gate, gate.read() as tx:
        assert tx.galleries.get(gallery_id).thresholds == (100, 200)


@BOTH
def test_reading_writes_nothing_and_the_same_connection_can_write_again(gate: Store) -> None:
    with pytest.raises(Fault, match="not ours to write"), gate.read() as tx:
        tx.intents.open(IntentKind.GALLERY, new_gallery_id())
    make_gallery(gate)
    with gate.read() as tx:
        assert len(tx.galleries.list()) == 1


@BOTH
def test_a_reader_does_not_wait_for_a_writer_and_sees_no_half(gate: Store) -> None:
    make_gallery(gate, "first")
    with gate.begin() as writer:
        writer.intents.open(IntentKind.GALLERY, new_gallery_id())
        with gate.read() as reader:
            assert reader.intents.pending() == ()


@BOTH
def test_a_second_transaction_in_one_thread_is_refused_instead_of_waiting_for_ever(gate: Store) -> None:
    with gate.begin(), pytest.raises(RuntimeError, match="open already"), gate.begin():
        pass
    make_gallery(gate)


@BOTH
def test_a_writer_that_waits_too_long_is_told_so(gate: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_TIMEOUT_MS", 20)
    refused: list[Exception] = []

    def other() -> None:
        try:
            make_gallery(gate)
        except Unavailable as error:
            refused.append(error)

    with gate.begin():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert [str(error) for error in refused] == ["The database is busy; try again."]


def test_another_process_that_holds_the_file_is_busy_not_a_crash(gate: Store, tmp_path: Path) -> None:
    with gate.engine.connect() as warm:
        warm.exec_driver_sql("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        make_gallery(gate)
    other.execute("ROLLBACK")
    make_gallery(gate)
    other.close()


def test_every_connection_has_the_settings_of_a_gate(gate: Store) -> None:
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "temp_store": 2,
        "busy_timeout": engine.BUSY_TIMEOUT_MS,
    }
    with gate.engine.connect() as one, gate.engine.execution_options(moiety_read_only=True).connect() as two:
        one.commit()
        for connection in (one, two):
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in expected}
            connection.commit()
            assert found == expected


def test_only_the_owner_can_read_the_files(gate: Store, tmp_path: Path) -> None:
    make_gallery(gate)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    with Store(tmp_path / FILE, HandClock()) as gate:
        make_gallery(gate)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_full_disk_says_so_and_keeps_nothing(gate: Store) -> None:
    with gate.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")

    def fill() -> None:
        with gate.begin() as tx:
            for _ in range(100):
                tx.api_keys.add(new_key_id(), "n", "h" * 1000, (), 2e9)

    with pytest.raises(DiskFull):
        fill()
    with gate.read() as tx:
        assert tx.api_keys.list() == ()
    with gate.begin() as tx:
        tx.api_keys.add(new_key_id(), "small", "h", (), 2e9)
    with gate.read() as tx:
        assert [key.name for key in tx.api_keys.list()] == ["small"]


def test_no_room_for_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", no_room)
    with pytest.raises(DiskFull):
        Store(tmp_path / FILE, HandClock())


@pytest.mark.parametrize("where", ["nowhere/gate.db", "."])
def test_a_place_that_cannot_hold_a_database_is_a_fault(tmp_path: Path, where: str) -> None:
    with pytest.raises(Fault, match="database"):
        Store(tmp_path / where, HandClock())


def test_a_missing_database_is_a_fault_when_it_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="missing"):
        Store(tmp_path / FILE, HandClock(), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(Fault):
        Store("sqlite://", HandClock())


def test_a_sqlite_url_gets_the_same_settings_as_a_path(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / FILE}", HandClock()) as gate, gate.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_something_that_is_no_database_is_a_fault_in_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, " * 1000)
    with pytest.raises(Fault) as caught:
        Store(tmp_path / FILE, HandClock())
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_damaged_pages_are_found_at_the_start(tmp_path: Path) -> None:
    with Store(tmp_path / FILE, HandClock()) as gate:
        make_gallery(gate)
    raw = bytearray((tmp_path / FILE).read_bytes())
    raw[4096:] = bytes(byte ^ 0x5A for byte in raw[4096:])
    (tmp_path / FILE).write_bytes(raw)
    with pytest.raises(Fault, match="damaged"):
        Store(tmp_path / FILE, HandClock())


def test_text_that_is_no_text_is_damage_too(gate: Store, tmp_path: Path) -> None:
    make_gallery(gate)
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("UPDATE gallery SET purpose = CAST(x'ff00ff' AS TEXT)")
    other.commit()
    other.close()
    with pytest.raises(Fault, match="damaged"), gate.read() as tx:
        tx.galleries.list()


@BOTH
def test_a_mistake_of_ours_shows_no_values(gate: Store) -> None:
    with pytest.raises(IntegrityError) as caught, gate.begin() as tx:
        tx.session.execute(text("INSERT INTO api_key (id) VALUES (:id)"), {"id": "a-very-private-value"})
    assert "a-very-private-value" not in str(caught.value)


def test_deleted_bytes_are_gone_from_the_files(tmp_path: Path) -> None:
    sealed = b"ciphertext-of-somebody-" * 40
    subject_id = new_subject_id()
    with Store(tmp_path / FILE, HandClock()) as gate:
        gallery_id = make_gallery(gate)
        with gate.begin() as tx:
            tx.subjects.add(gallery_id, subject_id)
            tx.fields.put(subject_id, "note", FieldClass.FIELD, wrapped_key=b"k", ciphertext=sealed)
    assert sealed in (tmp_path / FILE).read_bytes()
    with Store(tmp_path / FILE, HandClock()) as gate, gate.begin() as tx:
        tx.subjects.delete(gallery_id, subject_id)
    assert sealed[:23] not in (tmp_path / FILE).read_bytes()
