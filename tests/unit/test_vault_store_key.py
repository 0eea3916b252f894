"""B's store key: everything opens after a rotation, nothing of the old key is left, a crash at any step is mended."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.clock import HandClock
from moiety.foundation.envelopes import KeyRing
from moiety.foundation.errors import DiskFull, Unverified
from moiety.vault import store_key
from moiety.vault.journal import Journal
from moiety.vault.store_key import TURN_SECONDS, StoreKey

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PEOPLE = [bytes([i]) * 16 for i in range(1, 8)]


class Shop:
    """A journal with personal keys, and the key that they are sealed under."""

    def __init__(self, folder: Path, clock: HandClock | None = None) -> None:
        self.folder = folder
        self.clock = clock or HandClock()
        self.journal = Journal(folder / "journal.sqlite")
        self.keys = KeyRing(folder / "keys")
        self.key = StoreKey(self.journal, self.keys, self.clock)

    def again(self) -> Shop:
        """Open it as the next process would."""
        self.journal.close()
        return Shop(self.folder, self.clock)

    def put(self, handle: bytes) -> None:
        with self.journal.transaction() as db:
            sealed = self.key.seal(handle * 2, handle)
            db.execute("INSERT INTO person VALUES (?, 'gal', 'live', ?)", (handle, sealed))

    @property
    def seals(self) -> list[bytes]:
        return [raw for (raw,) in self.journal.read("SELECT key FROM person ORDER BY handle")]

    @property
    def files(self) -> list[str]:
        return [name for name in self.keys.names() if name.startswith("store-")]

    def on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.iterdir() if path.is_file())

    def check(self) -> None:
        """Every personal key opens and is what it was; whoever reads one holds the journal until it is open."""
        with self.journal.alone():
            for handle, sealed in self.journal.read("SELECT handle, key FROM person"):
                assert self.key.unseal(sealed, handle) == handle * 2


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(store_key, "SEALED_ANEW_AT_ONCE", 3)
    made = Shop(tmp_path)
    for handle in PEOPLE:
        made.put(handle)
    yield made
    made.journal.close()


def test_after_a_rotation_everything_opens_and_the_old_key_is_gone(shop: Shop) -> None:
    old_key, old_seals = shop.key.current(), shop.seals
    assert all(raw in shop.on_disk() for raw in old_seals)
    shop.key.rotate()
    assert shop.files == ["store-2.key"]
    assert shop.key.current() != old_key
    assert not any(raw in shop.on_disk() for raw in old_seals), "a page or the log keeps what the old key opens"
    shop.check()
    shop.again().check()


def test_it_is_due_within_a_day_also_over_restarts(shop: Shop) -> None:
    shop.clock.move(TURN_SECONDS - 1)
    assert not shop.key.due()
    shop = shop.again()
    shop.clock.move(1)
    assert shop.key.due()
    shop.key.rotate()
    assert not shop.key.due()
    assert not shop.again().key.due()


class Crash(BaseException):
    """The process ends here."""


def failing(error: type[BaseException], at: int) -> Callable[[Journal], AbstractContextManager[sqlite3.Connection]]:
    """Make the transaction numbered `at` fail when all its statements have run."""
    real, seen = Journal.transaction, iter(range(1000))

    @contextmanager
    def transaction(self: Journal) -> Iterator[sqlite3.Connection]:
        with real(self) as db:
            yield db
            if next(seen) == at:
                raise error

    return transaction


def crash(*_: object, **__: object) -> None:
    raise Crash


@pytest.mark.parametrize("where", [0, 1, 2, 3, "scour", "forget"])
def test_a_crash_in_a_rotation_loses_nothing_and_the_next_ends_it(
    shop: Shop, where: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        if isinstance(where, int):
            patched.setattr(Journal, "transaction", failing(Crash, where))
        else:
            patched.setattr(KeyRing if where == "forget" else Journal, where, crash)
        with pytest.raises(Crash):
            shop.key.rotate()
    shop = shop.again()
    shop.check()
    shop.put(b"\xaa" * 16)
    shop.check()
    # Before the first commit nothing has begun; after it the rotation is due until it has ended.
    assert shop.key.due() == (where != 0)
    old = shop.seals
    shop.key.rotate()
    shop.check()
    assert shop.files == ["store-2.key"]
    assert not set(old[:-1]) & set(shop.seals)
    assert not shop.key.due()


def test_a_full_disk_leaves_the_old_key_in_use(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.clock.move(TURN_SECONDS)
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "transaction", failing(DiskFull, 0))
        with pytest.raises(DiskFull):
            shop.key.rotate()
    assert shop.key.due(), "it must be tried again"
    shop.put(b"\xaa" * 16)
    shop.check()
    shop.again().check()


def test_a_damaged_personal_key_keeps_no_rotation_from_ending(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with shop.journal.transaction() as db:
        db.execute("UPDATE person SET key = ? WHERE handle = ?", (bytes(60), PEOPLE[2]))
    shop.key.rotate()
    assert shop.files == ["store-2.key"]
    assert PEOPLE[2].hex() in caplog.text
    for handle, sealed in shop.journal.read("SELECT handle, key FROM person"):
        if handle == PEOPLE[2]:
            with pytest.raises(Unverified):
                shop.key.unseal(sealed, handle)
        else:
            assert shop.key.unseal(sealed, handle) == handle * 2


def test_new_people_come_while_the_key_rotates(shop: Shop) -> None:
    failed: list[BaseException] = []

    def work(act: Callable[[int], object], times: int) -> None:
        try:
            for number in range(times):
                act(number)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failed.append(error)

    threads = [
        threading.Thread(target=work, args=(lambda i: shop.put(i.to_bytes(16)), 60), daemon=True),
        threading.Thread(target=work, args=(lambda _: shop.key.rotate(), 12), daemon=True),
        threading.Thread(target=work, args=(lambda _: shop.check(), 30), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), "the journal and the store key wait for each other"
    assert failed == []
    shop.check()
    assert len(shop.again().seals) == len(PEOPLE) + 60
