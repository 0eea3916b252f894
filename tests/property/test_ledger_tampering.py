"""Whatever a thief with the file does to the middle of the ledger, `verify` names the first number where it shows."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.foundation.clock import HandClock
from moiety.foundation.ids import new_gallery_id, new_subject_id
from moiety.ledger import Kind, Ledger, LedgerBroken, leaf_hash
from moiety.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 6
COLUMNS = (
    "at_us",
    "kind",
    "act",
    "actor",
    "purpose",
    "gallery_id",
    "subject_id",
    "reason_sealed",
    "detail",
    "prev_hash",
    "hash",
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)


def _fill(path: Path) -> None:
    clock = HandClock()
    with Store(path, clock) as gate:
        ledger = Ledger(gate, bytes(32))
        for number in range(SIZE):
            clock.move(1)
            with gate.begin() as tx:
                ledger.append(
                    tx,
                    list(Kind)[number % 6],
                    "act",
                    actor="owner",
                    purpose="door",
                    gallery=new_gallery_id() if number % 2 else None,
                    subject=new_subject_id() if number % 2 else None,
                    reason="because" if number % 3 else None,
                    number=number,
                )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ledger") / "gate.db"
    _fill(path)
    return path.read_bytes()


@contextmanager
def stolen(original: bytes) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """Give a copy of the file with its triggers taken off, as somebody who owns the disk would."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gate.db"
        path.write_bytes(original)
        with closing(sqlite3.connect(path, isolation_level=None)) as thief:
            for name in ("update", "delete", "replace"):
                thief.execute(f"DROP TRIGGER ledger_entry_no_{name}")
            yield path, thief


def first_bad(path: Path) -> int | None:
    with Store(path, HandClock()) as gate:
        try:
            Ledger(gate, bytes(32)).verify()
        except LedgerBroken as error:
            return error.seq
    return None


def new_value(column: str, data: st.DataObject) -> Any:
    if column == "at_us":
        return data.draw(st.integers(-(2**63), 2**63 - 1))
    if column in {"reason_sealed", "prev_hash", "hash"}:
        return data.draw(st.binary(max_size=40))
    return data.draw(TEXT)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_edit_is_named_exactly(original: bytes, data: st.DataObject) -> None:
    seq, column = data.draw(st.integers(1, SIZE)), data.draw(st.sampled_from(COLUMNS))
    with stolen(original) as (path, thief):
        query = f"SELECT {column} FROM ledger_entry WHERE seq = ?"  # noqa: S608 - a column of the list above
        (before,) = thief.execute(query, (seq,)).fetchone()
        nullable = column in {"gallery_id", "subject_id", "reason_sealed"}
        blank = nullable and data.draw(st.booleans())
        after = None if blank else new_value(column, data)
        edit = f"UPDATE ledger_entry SET {column} = ? WHERE seq = ?"  # noqa: S608 - as above
        thief.execute(edit, (after, seq))
        assert first_bad(path) == (None if before == after else seq)


@settings(max_examples=20, deadline=None)
@given(seq=st.integers(1, SIZE - 1), act=st.sampled_from(["other", "nothing"]))
def test_an_edit_with_its_hash_made_anew_shows_at_the_next_entry(original: bytes, seq: int, act: str) -> None:
    with stolen(original) as (path, thief):
        thief.execute("UPDATE ledger_entry SET act = ? WHERE seq = ?", (act, seq))
        with Store(path, HandClock()) as gate, gate.read() as tx:
            forged = leaf_hash(tx.ledger.get(seq))
        thief.execute("UPDATE ledger_entry SET hash = ? WHERE seq = ?", (forged, seq))
        assert first_bad(path) == seq + 1


@settings(max_examples=20, deadline=None)
@given(gone=st.sets(st.integers(1, SIZE - 1), min_size=1))
def test_a_removal_in_the_middle_is_named(original: bytes, gone: set[int]) -> None:
    with stolen(original) as (path, thief):
        thief.executemany("DELETE FROM ledger_entry WHERE seq = ?", [(seq,) for seq in gone])
        assert first_bad(path) == min(gone)


@settings(max_examples=20, deadline=None)
@given(gone=st.integers(1, SIZE - 1))
def test_a_removal_with_the_rest_moved_up_is_named(original: bytes, gone: int) -> None:
    with stolen(original) as (path, thief):
        thief.execute("DELETE FROM ledger_entry WHERE seq = ?", (gone,))
        for seq in range(gone + 1, SIZE + 1):
            thief.execute("UPDATE ledger_entry SET seq = ? WHERE seq = ?", (seq - 1, seq))
        assert first_bad(path) == gone


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(1, SIZE + 1)))
def test_another_order_is_named(original: bytes, order: list[int]) -> None:
    with stolen(original) as (path, thief):
        for place, seq in enumerate(order, start=1):
            thief.execute("UPDATE ledger_entry SET seq = ? WHERE seq = ?", (100 + place, seq))
        thief.execute("UPDATE ledger_entry SET seq = seq - 100")
        moved = [place for place, seq in enumerate(order, start=1) if place != seq]
        assert first_bad(path) == (moved[0] if moved else None)


@settings(max_examples=20, deadline=None)
@given(seq=st.one_of(st.integers(-5, 0), st.integers(SIZE + 1, SIZE + 5)))
def test_an_entry_slipped_in_is_named(original: bytes, seq: int) -> None:
    with stolen(original) as (path, thief):
        copy = f"INSERT INTO ledger_entry SELECT ?, {', '.join(COLUMNS)} FROM ledger_entry WHERE seq = 3"  # noqa: S608 - as above
        thief.execute(copy, (seq,))
        assert first_bad(path) == (1 if seq < 1 else SIZE + 1)
