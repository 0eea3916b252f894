"""Vault B's seeds: from the journal into a file once a day, under a new key each time; damage is said, row by row."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.foundation.envelopes import KeyRing
from moiety.foundation.errors import Fault
from moiety.vault import generations, seed_records, seeds
from moiety.vault.flat import Flat
from moiety.vault.seed_records import RECORD_BYTES, SEALED_BYTES
from moiety.vault.seeds import TURN_SECONDS
from moiety.vault.shelf import Shelf
from vault_samples import Sample, Store, policy, sample

if TYPE_CHECKING:
    from pathlib import Path

POLICY = policy()
G = POLICY.gallery


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path, "b")
    made.cabinet.set_policy(POLICY)
    return made


def enrolled(store: Store, count: int, seed: int = 1) -> list[Sample]:
    random = np.random.default_rng(seed)
    made = [sample(random, POLICY) for _ in range(count)]
    ids = store.prepare(POLICY, *made)
    first = len(store.cabinet.shelf(G)) + 1000 * seed
    store.cabinet.commit(G, [(row_id, first + i) for i, row_id in enumerate(ids)], [])
    return made


def files(store: Store) -> list[str]:
    return sorted(path.name for path in (store.folder / "seeds").iterdir())


def keys(store: Store) -> list[str]:
    return [name for name in store.keys.names() if name.startswith(f"store-{G}")]


def seed_file(store: Store) -> Path:
    (name,) = files(store)
    return store.folder / "seeds" / name


def test_a_day_brings_all_seeds_into_one_file_under_a_new_key(store: Store) -> None:
    made = enrolled(store, 5)
    pads = store.cabinet.shelf(G).lanes.copy()
    old = [raw for (raw,) in store.journal.read("SELECT sealed FROM fresh")]
    assert (files(store), keys(store)) == ([], [f"store-{G}.1.1.key"])
    store.turn_keys()
    assert (files(store), keys(store)) == ([f"{G}.1.2.seeds"], [f"store-{G}.1.2.key"])
    assert store.journal.read("SELECT count(*) FROM fresh") == [(0,)]
    assert not any(raw in store.bytes_on_disk() for raw in old), "a page or the log keeps what the old key opens"
    assert not any(one.to_b[:32] in store.bytes_on_disk() for one in made), "a seed stands there in clear"
    assert np.array_equal(store.again().cabinet.shelf(G).lanes, pads)


def test_rows_in_the_file_and_rows_behind_it_are_one_gallery_over_many_days(store: Store) -> None:
    first = enrolled(store, 4)
    store.turn_keys()
    store.cabinet.erase(G, [first[1].row_id])
    enrolled(store, 3, seed=2)
    before = store.cabinet.shelf(G).lanes.copy()
    for _ in range(3):
        assert np.array_equal(store.again().cabinet.shelf(G).lanes, before)
        store = store.again()
        store.turn_keys()
    assert len(store.again().cabinet.shelf(G)) == 6


def test_what_was_erased_is_in_no_file_after_a_day(store: Store) -> None:
    made = enrolled(store, 3)
    store.turn_keys()
    held = seed_file(store).read_bytes()
    slot = store.slots[made[1].row_id]
    record = held[slot * RECORD_BYTES : (slot + 1) * RECORD_BYTES]
    store.cabinet.erase(G, [made[1].row_id])
    store.turn_keys()
    assert record not in store.bytes_on_disk()
    after = seed_file(store).read_bytes()
    assert after[slot * RECORD_BYTES : (slot + 1) * RECORD_BYTES] == bytes(RECORD_BYTES)
    assert len(store.again().cabinet.shelf(G)) == 2


def test_rows_that_come_and_go_while_the_key_turns_are_neither_lost_nor_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = enrolled(store, 6)
    monkeypatch.setattr(seeds, "AT_ONCE", 2)
    store.clock.move(TURN_SECONDS)
    (of,) = store.seeds.due()
    reached, go_on = threading.Event(), threading.Event()
    real = seed_records.sealed

    def slowly(*given: object) -> object:
        reached.set()
        assert go_on.wait(10)
        return real(*given)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(seeds, "sealed", slowly)
    turning = threading.Thread(target=store.seeds.turn, args=(of,))
    turning.start()
    assert reached.wait(10)
    monkeypatch.setattr(seeds, "sealed", real)
    store.cabinet.erase(G, [first[0].row_id])
    fresh = enrolled(store, 2, seed=2)
    go_on.set()
    turning.join(10)
    assert not turning.is_alive()
    # The slot of the first was used again by a row that came meanwhile.
    assert store.slots[fresh[0].row_id] == 0
    before = store.cabinet.shelf(G).lanes.copy()
    assert np.array_equal(store.again().cabinet.shelf(G).lanes, before)


def test_a_generation_that_is_dropped_while_its_key_turns_stays_dropped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(store, 3)
    store.clock.move(TURN_SECONDS)
    (of,) = store.seeds.due()
    real = seed_records.sealed

    def dropped(*given: object) -> object:
        with store.journal.transaction() as db:
            generations.remove(db, G, of.epoch)
        store.seeds.drop(of)
        return real(*given)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(seeds, "sealed", dropped)
    store.seeds.turn(of)
    assert generations.all_held(store.journal) == []
    assert files(store) == []
    assert keys(store) == []
    store.seeds.turn(of)
    assert keys(store) == []


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "the disk is full")


def test_an_old_epoch_that_a_full_disk_kept_is_destroyed_when_it_is_let_go_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(store, 3)
    store.turn_keys()
    old = store.cabinet.generation(G)
    new = replace(old, epoch=old.epoch + 1, mark=bytes(range(16)), key=1, flat=0)
    store.seeds.make_key(new)
    store.cabinet.switch(new, Shelf.empty(new.epoch, POLICY.dim), [], keep=False)
    with monkeypatch.context() as patched:
        patched.setattr(KeyRing, "forget", full)
        with pytest.raises(OSError, match="full"):
            store.cabinet.let_go(G)
    assert sorted(store.cabinet.held(G)) == [new.epoch]
    assert len(files(store)) == 1
    store.cabinet.let_go(G)
    assert files(store) == []
    assert keys(store) == [f"store-{G}.{new.epoch}.1.key"]


class Crash(BaseException):
    """The process ends here."""


def crash(*_: object, **__: object) -> None:
    raise Crash


@pytest.mark.parametrize("where", ["sealed", "_switch", "scour", "remove"])
def test_a_crash_while_the_key_turns_loses_nothing_and_leaves_one_file_and_key(
    store: Store, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(store, 3)
    store.turn_keys()
    enrolled(store, 2, seed=2)
    before = store.cabinet.shelf(G).lanes.copy()
    with monkeypatch.context() as patched:
        owner = {"sealed": seeds, "_switch": seeds.SeedStore, "scour": type(store.journal), "remove": Flat}[where]
        patched.setattr(owner, where, crash)
        with pytest.raises(Crash):
            store.turn_keys()
    store = store.again()
    number = 2 if where in {"sealed", "_switch"} else 3
    assert (files(store), keys(store)) == ([f"{G}.1.{number}.seeds"], [f"store-{G}.1.{number}.key"])
    assert np.array_equal(store.cabinet.shelf(G).lanes, before)
    store.turn_keys()
    assert np.array_equal(store.again().cabinet.shelf(G).lanes, before)


# ---- damage ----


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("at", [0, 12, 40, SEALED_BYTES - 1, SEALED_BYTES, RECORD_BYTES - 1])
def test_an_altered_seed_or_commitment_is_excluded_and_named_and_nobody_else(
    store: Store, at: int, caplog: pytest.LogCaptureFixture, *, in_file: bool
) -> None:
    made = enrolled(store, 4)
    victim = made[2].row_id
    if in_file:
        store.turn_keys()
        raw = bytearray(seed_file(store).read_bytes())
        raw[store.slots[victim] * RECORD_BYTES + at] ^= 1
        seed_file(store).write_bytes(raw)
    else:
        ((sealed,),) = store.journal.read("SELECT sealed FROM fresh WHERE row_id = ?", (victim,))
        altered = bytearray(sealed)
        altered[at] ^= 1
        with store.journal.transaction() as db:
            db.execute("UPDATE fresh SET sealed = ? WHERE row_id = ?", (bytes(altered), victim))
    store = store.again()
    assert store.cabinet.excluded(G) == [victim]
    assert victim.hex() in caplog.text
    assert store.cabinet.shelf(G).row_ids == [one.row_id for one in made if one.row_id != victim]
    store = store.again()
    assert store.cabinet.excluded(G) == [victim]
    store.turn_keys()
    store.cabinet.erase(G, [victim])
    assert store.again().cabinet.excluded(G) == []


def test_a_seed_of_another_row_is_as_good_as_none(store: Store) -> None:
    made = enrolled(store, 3)
    store.turn_keys()
    raw = bytearray(seed_file(store).read_bytes())
    a, b = (store.slots[made[i].row_id] * RECORD_BYTES for i in (0, 1))
    raw[a : a + RECORD_BYTES], raw[b : b + RECORD_BYTES] = raw[b : b + RECORD_BYTES], raw[a : a + RECORD_BYTES]
    seed_file(store).write_bytes(raw)
    assert store.again().cabinet.excluded(G) == sorted(one.row_id for one in made[:2])


def test_a_file_that_was_cut_short_costs_the_rows_behind_the_cut(store: Store) -> None:
    made = enrolled(store, 4)
    store.turn_keys()
    with seed_file(store).open("r+b") as file:
        file.truncate(2 * RECORD_BYTES + 5)
    assert store.again().cabinet.excluded(G) == sorted(one.row_id for one in made[2:])


def test_a_missing_file_or_key_stops_the_process_and_excludes_nobody(store: Store) -> None:
    enrolled(store, 3)
    store.turn_keys()
    for path in (seed_file(store), store.keys.path(f"store-{G}.1.2.key")):
        content = path.read_bytes()
        path.unlink()
        store.journal.close()
        with pytest.raises(Fault, match="restore it from a backup"):
            Store(store.folder, "b", store.clock)
        path.write_bytes(content)
        path.chmod(0o600)
    assert store.again().cabinet.excluded(G) == []


def test_a_row_that_was_damaged_before_it_was_committed_is_excluded_at_its_place(store: Store) -> None:
    random = np.random.default_rng(5)
    one, other = sample(random, POLICY), sample(random, POLICY)
    store.prepare(POLICY, one, other)
    with store.journal.transaction() as db:
        db.execute("UPDATE fresh SET sealed = ? WHERE row_id = ?", (b"short", one.row_id))
    for _ in "once", "again":
        store.cabinet.commit(G, [(one.row_id, 1), (other.row_id, 2)], [])
        assert store.cabinet.shelf(G).row_ids == [other.row_id]
    assert store.cabinet.excluded(G) == [one.row_id]
    assert store.again().cabinet.shelf(G).row_ids == [other.row_id]
