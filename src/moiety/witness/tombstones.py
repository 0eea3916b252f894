"""Which rows were erased: row ids, galleries and times, in a file that is only added to. A restore asks for them.

A row id is 16 random bytes that mean nothing outside the vaults; whose row it was stands nowhere.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import BadInput, DiskFull
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.foundation.tables import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk

SCHEMA_VERSION = 1
PAGE = 65_536
_SCHEMA = """
CREATE TABLE tombstone (
    number INTEGER PRIMARY KEY AUTOINCREMENT, gallery TEXT NOT NULL, row_id BLOB NOT NULL, at INTEGER NOT NULL,
    UNIQUE (gallery, row_id)
) STRICT;
CREATE TRIGGER never_changed BEFORE UPDATE ON tombstone BEGIN SELECT raise(ABORT, 'tombstones stay'); END;
CREATE TRIGGER never_removed BEFORE DELETE ON tombstone BEGIN SELECT raise(ABORT, 'tombstones stay'); END;
"""


class Tombstones:
    """The file; when `bury` returns, it is on disk."""

    def __init__(self, path: Path, clock: Clock, disk: Disk = SYSTEM_DISK) -> None:
        """Open or create `path` on `disk`.

        Raises:
            Fault: it is damaged or of another version.

        """
        self._clock = clock
        self._lock = threading.Lock()
        self._disk = disk
        self._db = opened(disk, path, "The file of tombstones", SCHEMA_VERSION, _SCHEMA)

    def bury(self, gallery: str, row_ids: Sequence[bytes]) -> None:
        """Keep row ids of 16 bytes for ever; one that lies here already keeps its first time.

        Raises:
            BadInput: a row id has another length.
            DiskFull: there is no room; none of them was kept.

        """
        if any(len(row_id) != ROW_ID_BYTES for row_id in row_ids):
            raise BadInput(f"A row id has {ROW_ID_BYTES} bytes.")
        now = int(self._clock.now())
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                # A crash before the commit leaves none of them; the vault tells them again until it is answered.
                query = "INSERT OR IGNORE INTO tombstone (gallery, row_id, at) VALUES (?, ?, ?)"
                self._db.executemany(query, [(gallery, row_id, now) for row_id in row_ids])
                self._disk.commit(lambda: self._db.execute("COMMIT"))
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

    def buried(self, gallery: str, after: int = 0) -> tuple[list[bytes], int | None]:
        """Give up to 65,536 row ids behind number `after`, oldest first, and the number to go on behind, or None."""
        query = "SELECT number, row_id FROM tombstone WHERE gallery = ? AND number > ? ORDER BY number LIMIT ?"
        with self._lock:
            found = self._db.execute(query, (gallery, after, PAGE)).fetchall()
        return [row_id for _, row_id in found], found[-1][0] if len(found) == PAGE else None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
