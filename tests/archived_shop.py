"""One part in a folder, its operator, and its backups."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.archive import age_keys
from moiety.archive.holdings import Holdings
from moiety.archive.reading import key_of
from moiety.archive.restoring import Expected, Folders, restore
from moiety.archive.writing import Order, Writer
from moiety.foundation.clock import HandClock
from moiety.foundation.disk import SYSTEM_DISK, SystemDisk
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
