"""A half's SQLite file: row states, policies, used nonces, budgets, tombstones, and at B fresh seeds and personal keys.

One writer, full synchronisation: when a call returns, it is on disk. Nothing here is a template.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import DiskFull
from moiety.foundation.tables import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from moiety.foundation.disk import Disk

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE policy (gallery TEXT PRIMARY KEY, raw BLOB NOT NULL, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE generation (
    gallery TEXT NOT NULL, epoch INTEGER NOT NULL, mark BLOB NOT NULL, sealing INTEGER NOT NULL,
    sealed_at REAL NOT NULL, flat INTEGER NOT NULL, PRIMARY KEY (gallery, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE row (
    row_id BLOB NOT NULL UNIQUE, gallery TEXT NOT NULL, slot INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('prepared', 'live', 'excluded')), seq INTEGER,
    PRIMARY KEY (gallery, slot)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX row_order ON row (gallery, seq);
CREATE INDEX row_unlike ON row (gallery, state) WHERE state <> 'live';
CREATE TABLE fresh (
    row_id BLOB PRIMARY KEY, gallery TEXT NOT NULL, epoch INTEGER NOT NULL, sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fresh_of ON fresh (gallery, epoch);
CREATE TABLE upkeep (
    gallery TEXT NOT NULL, work TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (gallery, work)
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (row_id BLOB PRIMARY KEY, gallery TEXT NOT NULL, at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE nonce (nonce BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX nonce_expires ON nonce (expires);
CREATE TABLE budget (
    signer BLOB NOT NULL, gallery TEXT NOT NULL, meter TEXT NOT NULL, hour INTEGER NOT NULL, spent INTEGER NOT NULL,
    PRIMARY KEY (signer, gallery, meter, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE passkey_count (credential BLOB PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE session (opened BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE person (
    handle BLOB PRIMARY KEY, gallery TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('prepared', 'live')),
    key BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE store_key (number INTEGER PRIMARY KEY, made_at REAL NOT NULL) STRICT;
"""


class Journal:
    """The file, and transactions on it from any thread, one at a time."""

    def __init__(self, path: Path, disk: Disk = SYSTEM_DISK) -> None:
        """Open or create `path` on `disk`.

        Raises:
            Fault: it is damaged or of another version.

        """
        self._lock = threading.RLock()
        self.disk = disk
        self._db = opened(disk, path, "The journal", SCHEMA_VERSION, _SCHEMA)
        path.chmod(0o600)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all other threads from the file for several steps, of which each may be a transaction or a read."""
        with self._lock:
            yield

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside one transaction; it is durable when the block ends and undone when it raises.

        Raises:
            DiskFull: there is no room; nothing was kept.

        """
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self.disk.commit(lambda: self._db.execute("COMMIT"))
            except sqlite3.OperationalError as error:
                self._undo()
                if error.sqlite_errorcode in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}:
                    raise DiskFull from None
                raise
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        """Roll back where SQLite has not done so already."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def read(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one query and give all its rows."""
        with self._lock:
            return self._db.execute(query, parameters).fetchall()

    def scour(self) -> None:
        """Empty the write-ahead log, so that what was deleted stands in no file."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
