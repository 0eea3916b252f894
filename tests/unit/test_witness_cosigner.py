"""The witness signs a checkpoint only if it extends the last one, and never forgets which that was."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, Fault, Unverified
from moiety.tlog.asking import AddCheckpoint
from moiety.tlog.checkpoints import Checkpoint, cosigned_at
from moiety.tlog.merkle import Tree, leaf_hash
from moiety.tlog.names import log_key, witness_key
from moiety.tlog.notes import Note, sign, signature_lines
from moiety.witness.cosigner import Cosigner, Told
from moiety.witness.heads import Heads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TENANT = "ten_0001"
KEY, WITNESS = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
LOG = log_key(TENANT, KEY.public_key().public_bytes_raw())
SIGNER = witness_key(TENANT, WITNESS.public_key().public_bytes_raw())


@dataclass
class Log:
    """A log of up to 255 entries, and what it asks a witness."""

    entries: list[bytes]

    def tree(self, size: int | None = None) -> Tree:
        hashes = [leaf_hash(entry) for entry in self.entries]
        return Tree(lambda _, first, count: hashes[first : first + count], len(hashes) if size is None else size)

    def note(self, size: int | None = None, key: Ed25519PrivateKey = KEY, origin: str = LOG.name) -> Note:
        tree = self.tree(size)
        text = Checkpoint(origin, tree.size, tree.root()).text()
        return Note(text, (sign(text, origin, key),))

    def asked(self, old: int, size: int | None = None) -> bytes:
        return AddCheckpoint(old, tuple(self.tree(size).consistency(old)), self.note(size)).encode()


@pytest.fixture
def log() -> Log:
    return Log([b"entry %d" % number for number in range(20)])


@pytest.fixture
def cosigner(tmp_path: Path) -> Iterator[Cosigner]:
    with closing(Heads(tmp_path / "checkpoints.sqlite")) as heads:
        yield Cosigner(heads, LOG, SIGNER.name, WITNESS, HandClock(1_800_000_000.5))


def signed(log: Log, told: Told, size: int | None = None) -> bool:
    lines = signature_lines(told.lines) if told.lines else ()
    return told.status == 200 and cosigned_at(log.note(size).text, lines, SIGNER) == 1_800_000_000


def test_it_signs_what_extends(cosigner: Cosigner, log: Log) -> None:
    assert signed(log, cosigner.ask(log.asked(0, 7)), 7)
    assert signed(log, cosigner.ask(log.asked(7, 7)), 7)
    assert signed(log, cosigner.ask(log.asked(7)))
    assert cosigner.standing() == {"size": 20, "cosigned_at": 1_800_000_000, "losses": 0}


def test_it_tells_the_size_that_it_knows(cosigner: Cosigner, log: Log) -> None:
    cosigner.ask(log.asked(0, 7))
    assert cosigner.ask(log.asked(0)) == Told(409, 7)
    assert cosigner.ask(log.asked(6)) == Told(409, 7)
    # A log that was cut off.
    assert cosigner.ask(log.asked(5, 6)) == Told(409, 7)
    assert cosigner.standing()["size"] == 7


def test_it_refuses_a_fork(cosigner: Cosigner, log: Log) -> None:
    cosigner.ask(log.asked(0, 7))
    log.entries[3] = b"another"
    assert cosigner.ask(log.asked(7)) == Told(422, 7)
    assert cosigner.ask(log.asked(7, 7)) == Told(409, 7)
    assert cosigner.ask(AddCheckpoint(7, (), log.note()).encode()) == Told(422, 7)


def test_a_proof_from_nothing_is_empty(cosigner: Cosigner, log: Log) -> None:
    assert cosigner.ask(AddCheckpoint(0, (bytes(32),), log.note()).encode()) == Told(422, 0)


def test_it_knows_one_log_and_its_key(cosigner: Cosigner, log: Log) -> None:
    for note in (log.note(key=WITNESS), log.note(origin="elsewhere"), Note(log.note().text)):
        with pytest.raises(Unverified):
            cosigner.ask(AddCheckpoint(0, (), note).encode())
    with pytest.raises(BadInput, match="old size"):
        cosigner.ask(AddCheckpoint(21, (), log.note()).encode())
    with pytest.raises(BadInput, match="size"):
        cosigner.ask(bytes(1 << 17))


@pytest.mark.parametrize(
    "raw", [b"", b"\n\n", b"old 0\n", b"old 00\n\nx", b"new 0\n\nx\n\n", b"\xff\n\nx\n\n", b"old 0\nAA==\n\nx\n\n"]
)
def test_what_is_no_question_is_refused(cosigner: Cosigner, raw: bytes) -> None:
    with pytest.raises(Unverified):
        cosigner.ask(raw)


def test_it_remembers_across_starts(tmp_path: Path, log: Log) -> None:
    for old, size in ((0, 7), (7, 20)):
        with closing(Heads(tmp_path / "heads")) as heads:
            assert signed(log, Cosigner(heads, LOG, SIGNER.name, WITNESS, HandClock()).ask(log.asked(old, size)), size)


def test_two_who_ask_at_once_get_one_line_of_history(cosigner: Cosigner, log: Log) -> None:
    other = Log([*log.entries[:10], b"a fork", *log.entries[11:]])
    told: list[Told] = []
    start = threading.Barrier(2)

    def ask(one: Log) -> None:
        start.wait()
        told.append(cosigner.ask(one.asked(0)))

    threads = [threading.Thread(target=ask, args=(one,)) for one in (log, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in told) == [200, 409]


def test_a_loss_is_admitted_by_people_and_stays_on_record(tmp_path: Path, cosigner: Cosigner, log: Log) -> None:
    with pytest.raises(BadInput):
        cosigner.admit_loss()
    cosigner.ask(log.asked(0))
    lost = cosigner.admit_loss()
    assert (lost.size, lost.root) == (20, log.tree().root())
    shorter = Log(log.entries[:5])
    assert signed(shorter, cosigner.ask(shorter.asked(0)))
    assert cosigner.standing() == {"size": 5, "cosigned_at": 1_800_000_000, "losses": 1}
    with closing(sqlite3.connect(tmp_path / "checkpoints.sqlite")) as db:
        assert db.execute("SELECT era, size FROM head ORDER BY era").fetchall() == [(0, 20), (1, 5)]
        for statement in (
            "UPDATE head SET size = 4 WHERE era = 1",
            "UPDATE head SET size = 30 WHERE era = 0",
            "DELETE FROM head",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(statement)


def test_a_file_that_is_damaged_or_newer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "heads"
    Heads(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(Fault, match="version"):
        Heads(path)
    path.write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    with pytest.raises(Fault, match="damaged"):
        Heads(path)
