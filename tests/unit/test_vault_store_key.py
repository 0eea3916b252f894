"""B's store key: everything opens after a rotation, nothing of the old key is left, a crash at any step is mended."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.foundation.envelopes import KeyRing, unseal
from moiety.foundation.errors import DiskFull, Unverified
from moiety.vault.journal import Journal
from moiety.vault.store_key import DAY_SECONDS, StoreKey
from vault_samples import Sample, Store, policy, sample

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

POLICY = policy()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path, "b")
    yield made
    made.journal.close()


@pytest.fixture
def samples() -> list[Sample]:
    random = np.random.default_rng(1)
    return [sample(random, POLICY) for _ in range(5)]


def key(store: Store) -> StoreKey:
    assert store.store_key is not None
    return store.store_key


def key_files(store: Store) -> set[str]:
    return {path.name for path in (store.folder / "keys").iterdir() if path.name.startswith("store-")}


def lanes(store: Store, samples: list[Sample]) -> bytes:
    return store.halves.lanes(POLICY, [one.row_id for one in samples]).tobytes()


def filled(store: Store, samples: list[Sample]) -> bytes:
    """Keep seeds and a personal key; returns the pads."""
    store.halves.prepare(POLICY, [store.opened(POLICY, one) for one in samples])
    with store.journal.transaction() as db:
        sealed = key(store).seal(b"p" * 32, b"h" * 16)
        db.execute("INSERT INTO person VALUES (?, ?, 'live', ?)", (b"h" * 16, POLICY.gallery, sealed))
    return lanes(store, samples)


def personal(store: Store) -> bytes:
    ((sealed,),) = store.journal.read("SELECT key FROM person")
    return key(store).unseal(sealed, b"h" * 16)


def test_after_a_rotation_everything_opens_and_the_old_key_is_gone(store: Store, samples: list[Sample]) -> None:
    before = filled(store, samples)
    old_key = key(store).current()
    old_seals = [raw for (raw,) in store.journal.read("SELECT seed FROM row UNION ALL SELECT key FROM person")]
    assert all(raw in store.bytes_on_disk() for raw in old_seals)
    key(store).rotate()
    assert key_files(store) == {"store-2.key"}
    assert key(store).current() != old_key
    assert not any(raw in store.bytes_on_disk() for raw in old_seals), "a page or the log keeps what the old key opens"
    store = store.again()
    assert lanes(store, samples) == before
    assert personal(store) == b"p" * 32


def test_a_running_vault_goes_on_across_rotations(store: Store, samples: list[Sample]) -> None:
    before = filled(store, samples)
    for number in (2, 3, 4):
        key(store).rotate()
        assert key_files(store) == {f"store-{number}.key"}
        assert lanes(store, samples) == before
        assert personal(store) == b"p" * 32


def test_it_is_due_after_a_day_also_over_restarts(store: Store) -> None:
    assert not key(store).due()
    store.clock.move(DAY_SECONDS - 1)
    assert not key(store).due()
    store = store.again()
    store.clock.move(1)
    assert key(store).due()
    key(store).rotate()
    assert not key(store).due()
    assert not key(store.again()).due()


class Crash(BaseException):
    """The process ends here."""


def crash(*_: object, **__: object) -> None:
    raise Crash


@pytest.mark.parametrize(
    "where", ["before anything", "before the commit", "before the log is emptied", "before the old key goes"]
)
def test_a_crash_in_a_rotation_loses_nothing_and_leaves_one_key(
    store: Store, samples: list[Sample], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(store, samples)
    with monkeypatch.context() as patched:
        if where == "before anything":
            patched.setattr(KeyRing, "secret", crash)
        elif where == "before the commit":
            patched.setattr(Journal, "transaction", failing_at_commit(Crash))
        elif where == "before the log is emptied":
            patched.setattr(Journal, "scour", crash)
        else:
            patched.setattr(KeyRing, "forget", crash)
        with pytest.raises(Crash):
            key(store).rotate()
    store = store.again()
    committed = where in {"before the log is emptied", "before the old key goes"}
    assert key_files(store) == {"store-2.key" if committed else "store-1.key"}
    assert lanes(store, samples) == before
    assert personal(store) == b"p" * 32
    key(store).rotate()
    assert lanes(store, samples) == before


def failing_at_commit(error: type[BaseException]) -> Callable[[Journal], AbstractContextManager[sqlite3.Connection]]:
    """Make a transaction that fails when all its statements have run."""
    real = Journal.transaction

    @contextmanager
    def transaction(self: Journal) -> Iterator[sqlite3.Connection]:
        with real(self) as db:
            yield db
            raise error

    return transaction


def test_a_full_disk_leaves_the_old_key_in_use(
    store: Store, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(store, samples)
    store.clock.move(DAY_SECONDS)
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "transaction", failing_at_commit(DiskFull))
        with pytest.raises(DiskFull):
            key(store).rotate()
    assert key(store).due(), "it must be tried again"
    assert lanes(store, samples) == before
    more = sample(np.random.default_rng(9), POLICY)
    store.halves.prepare(POLICY, [store.opened(POLICY, more)])
    assert lanes(store.again(), [*samples, more])[: len(before)] == before


def test_enrolling_and_reading_while_the_key_rotates_neither_blocks_nor_fails(store: Store) -> None:
    random = np.random.default_rng(2)
    samples = [sample(random, POLICY) for _ in range(40)]
    failed: list[BaseException] = []

    def enrol() -> None:
        try:
            for one in samples:
                store.halves.prepare(POLICY, [store.opened(POLICY, one)])
                store.halves.lanes(POLICY, [one.row_id])
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failed.append(error)

    def rotate() -> None:
        try:
            for _ in range(15):
                key(store).rotate()
        except BaseException as error:  # noqa: BLE001 - as above
            failed.append(error)

    threads = [threading.Thread(target=work, daemon=True) for work in (enrol, rotate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), "the journal and the store key wait for each other"
    assert failed == []
    before = lanes(store, samples)
    assert lanes(store.again(), samples) == before


def test_what_is_sealed_for_one_row_does_not_open_as_anothers(store: Store, samples: list[Sample]) -> None:
    filled(store, samples)
    sealed = dict(store.journal.read("SELECT row_id, seed FROM row"))
    one, other = samples[0].row_id, samples[1].row_id
    with pytest.raises(Unverified):
        unseal(key(store).current(), sealed[one], other)
    with store.journal.transaction() as db:
        db.execute("UPDATE row SET seed = ? WHERE row_id = ?", (sealed[one], other))
    with pytest.raises(Unverified):
        lanes(store, samples)
