"""Vault A's file: slots are used again, blanked when nobody owns them, and read in runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.foundation.errors import DiskFull, NotFound
from moiety.vault import register
from moiety.vault.rows import RowStore
from vault_samples import DIM, Sample, Store, policy, sample

if TYPE_CHECKING:
    from pathlib import Path

POLICY = policy()
ROW_BYTES = 2 * DIM


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path, "a")
    made.cabinet.set_policy(POLICY)
    return made


def prepared(store: Store, count: int, seed: int = 1) -> list[Sample]:
    random = np.random.default_rng(seed)
    made = [sample(random, POLICY) for _ in range(count)]
    store.prepare(POLICY, *made)
    return made


def rows_file(store: Store) -> Path:
    return store.folder / "rows" / f"{POLICY.gallery}.1.rows"


def slot(store: Store, number: int) -> bytes:
    return rows_file(store).read_bytes()[number * ROW_BYTES : (number + 1) * ROW_BYTES]


def test_slots_are_given_in_order_and_freed_ones_first(store: Store) -> None:
    first = prepared(store, 6)
    assert [store.slots[one.row_id] for one in first] == [0, 1, 2, 3, 4, 5]
    store.halves.destroy(POLICY, [first[1].row_id, first[4].row_id], 0.0)
    assert slot(store, 1) == slot(store, 4) == bytes(ROW_BYTES)
    second = prepared(store, 3, seed=2)
    assert [store.slots[one.row_id] for one in second] == [1, 4, 6]
    ids = [one.row_id for one in (*first[2:4], *second)]
    lanes = store.lanes(POLICY, ids)
    assert [row.tobytes() for row in lanes] == [one.to_a[32:] for one in (*first[2:4], *second)]


def test_when_the_last_slots_are_freed_they_are_next(store: Store) -> None:
    first = prepared(store, 3)
    store.halves.destroy(POLICY, [one.row_id for one in first[1:]], 0.0)
    assert [store.slots[one.row_id] for one in prepared(store, 2, seed=2)] == [1, 2]


def test_a_crash_before_the_journal_knows_leaves_free_slots(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = prepared(store, 2)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(register, "insert", crash)
        patched.setattr(RowStore, "_blank", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            prepared(store, 2, seed=2)
    assert slot(store, 3) != bytes(ROW_BYTES)
    store = store.again()
    assert slot(store, 2) == slot(store, 3) == bytes(ROW_BYTES)
    assert [slot(store, i) for i in (0, 1)] == [one.to_a[32:] for one in kept]
    assert sorted(store.slots.values()) == [0, 1]


def test_a_journal_without_room_leaves_nothing_in_the_slots(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFull

    with monkeypatch.context() as patched:
        patched.setattr(register, "insert", full)
        with pytest.raises(DiskFull):
            prepared(store, 2)
    assert slot(store, 0) == slot(store, 1) == bytes(ROW_BYTES)
    prepared(store, 2)
    assert sorted(store.slots.values()) == [0, 1]


def test_a_crash_between_journal_and_blanking_is_swept_at_the_next_start(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prepared(store, 3)
    with monkeypatch.context() as patched:
        patched.setattr(RowStore, "_blank", lambda *_: None)
        store.halves.destroy(POLICY, [made[0].row_id], 0.0)
    assert slot(store, 0) == made[0].to_a[32:]
    store = store.again()
    assert slot(store, 0) == bytes(ROW_BYTES)
    assert [slot(store, i) for i in (1, 2)] == [one.to_a[32:] for one in made[1:]]


def test_a_start_without_files_makes_none(store: Store) -> None:
    store = store.again()
    assert not rows_file(store).exists()


def test_a_file_that_is_too_short_is_said_to_be_and_not_read_past(store: Store) -> None:
    made = prepared(store, 3)
    with rows_file(store).open("r+b") as file:
        file.truncate(2 * ROW_BYTES + 10)
    with pytest.raises(NotFound, match="read no more"):
        store.lanes(POLICY, [one.row_id for one in made])
    assert len(store.lanes(POLICY, [made[0].row_id])) == 1


def test_rows_are_copied_into_memory_of_our_own(store: Store) -> None:
    made = prepared(store, 2)
    lanes = store.lanes(POLICY, [made[0].row_id])
    before = lanes.tobytes()
    with rows_file(store).open("r+b") as file:
        file.write(bytes(2 * ROW_BYTES))
    assert lanes.tobytes() == before
