"""Tombstones stay: each once, in order, through restarts, whatever anybody asks of the file."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, Fault
from moiety.witness import tombstones
from moiety.witness.tombstones import Tombstones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tombstones.sqlite"


@pytest.fixture
def kept(file: Path) -> Iterator[Tombstones]:
    made = Tombstones(file, HandClock())
    yield made
    made.close()


def rows(count: int) -> list[bytes]:
    return [os.urandom(16) for _ in range(count)]


def test_what_is_buried_is_given_back_in_order_and_once(kept: Tombstones) -> None:
    first, second, other = rows(3), rows(2), rows(1)
    kept.bury("gal_a", first)
    kept.bury("gal_b", other)
    kept.bury("gal_a", [first[1], *second, first[0]])
    assert kept.buried("gal_a") == ([*first, *second], None)
    assert kept.buried("gal_b") == (other, None)
    assert kept.buried("gal_c") == ([], None)


def test_many_are_given_in_pages(kept: Tombstones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "PAGE", 3)
    every = rows(7)
    kept.bury("gal_a", every)
    found: list[bytes] = []
    after: int | None = 0
    pages = 0
    while after is not None:
        page, after = kept.buried("gal_a", after)
        found += page
        pages += 1
    assert (found, pages) == (every, 3)


def test_they_are_there_after_a_restart_and_private(file: Path) -> None:
    one = rows(1)
    before = Tombstones(file, HandClock())
    before.bury("gal_a", one)
    before.close()
    after = Tombstones(file, HandClock())
    assert after.buried("gal_a") == (one, None)
    after.close()
    assert file.stat().st_mode & 0o077 == 0


def test_a_row_id_of_another_length_is_refused_and_nothing_of_it_kept(kept: Tombstones) -> None:
    with pytest.raises(BadInput):
        kept.bury("gal_a", [*rows(1), bytes(15)])
    assert kept.buried("gal_a") == ([], None)


def test_the_file_itself_lets_none_be_changed_or_removed(file: Path, kept: Tombstones) -> None:
    kept.bury("gal_a", rows(2))
    with sqlite3.connect(file) as db:
        for words in ("DELETE FROM tombstone", "UPDATE tombstone SET at = 0", "DELETE FROM tombstone WHERE number = 1"):
            with pytest.raises(sqlite3.IntegrityError, match="tombstones stay"):
                db.execute(words)
    db.close()
    assert len(kept.buried("gal_a")[0]) == 2


def test_a_damaged_file_and_one_of_another_version_stop_the_start(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(Fault, match="damaged"):
        Tombstones(file, HandClock())
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(Fault, match="version 9"):
        Tombstones(newer, HandClock())
