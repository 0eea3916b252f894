"""The last checkpoint of the ledger that this witness has signed, in a file; it only ever grows.

Where the ledger itself has lost entries (its disk died, and the backup is older), people who stand for the witness
admit the loss: what was lost stays written here, and the next checkpoint begins a new era.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import DiskFull
from moiety.foundation.tables import opened
from moiety.tlog.merkle import EMPTY_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moiety.foundation.disk import Disk

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE head (
    origin TEXT NOT NULL, era INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (origin, era)
) STRICT;
CREATE TRIGGER never_smaller BEFORE UPDATE ON head
    WHEN NEW.size < OLD.size OR NEW.era <> OLD.era OR NEW.origin <> OLD.origin
        OR EXISTS (SELECT 1 FROM head WHERE origin = OLD.origin AND era > OLD.era)
    BEGIN SELECT raise(ABORT, 'a checkpoint only grows'); END;
CREATE TRIGGER never_removed BEFORE DELETE ON head BEGIN SELECT raise(ABORT, 'checkpoints stay'); END;
"""


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint that was signed: how many entries, the root, the log's own note, when (seconds since 1970 UTC)."""

    size: int
    root: bytes
    note: bytes
    at: int


_NOTHING = Head(0, EMPTY_ROOT, b"", 0)


class Heads:
    """The file. Its callers take turns."""

    def __init__(self, path: Path, disk: Disk = SYSTEM_DISK) -> None:
        """Open or create `path` on `disk`.

        Raises:
            Fault: it is damaged or of another version.

        """
        self._disk = disk
        self._db = opened(disk, path, "The file of checkpoints", SCHEMA_VERSION, _SCHEMA)

    def _last(self, origin: str) -> tuple[int, Head]:
        """Give the era and the last checkpoint of a log."""
        query = "SELECT era, size, root, note, at FROM head WHERE origin = ? ORDER BY era DESC LIMIT 1"
        found = self._db.execute(query, (origin,)).fetchone()
        return (found[0], Head(*found[1:])) if found else (0, _NOTHING)

    def last(self, origin: str) -> Head:
        """Give the last checkpoint that was signed; size 0 where there is none."""
        return self._last(origin)[1]

    def losses(self, origin: str) -> list[Head]:
        """List the checkpoints that were given up, oldest first."""
        query = "SELECT size, root, note, at FROM head WHERE origin = ? AND era < ? ORDER BY era"
        return [Head(*row) for row in self._db.execute(query, (origin, self._last(origin)[0]))]

    def keep(self, origin: str, head: Head) -> None:
        """Put a checkpoint that extends the last one in its place; it is on disk when this returns.

        Raises:
            DiskFull: there is no room; the last one stands.

        """
        era, _ = self._last(origin)
        # A crash before the commit leaves the last one; the log never saw the new signature, and asks again.
        query = (
            "INSERT INTO head (origin, era, size, root, note, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (origin, era) "
            "DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note, at = excluded.at"
        )
        self._write(lambda: self._db.execute(query, (origin, era, head.size, head.root, head.note, head.at)))

    def admit_loss(self, origin: str, at: int) -> Head:
        """Begin a new era with an empty log; gives the checkpoint that is given up.

        Raises:
            DiskFull: there is no room; nothing was given up.

        """
        era, last = self._last(origin)
        query = "INSERT INTO head (origin, era, size, root, note, at) VALUES (?, ?, 0, ?, ?, ?)"
        self._write(lambda: self._db.execute(query, (origin, era + 1, EMPTY_ROOT, b"", at)))
        return last

    def _write(self, work: Callable[[], object]) -> None:
        """Carry out one change as a transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            work()
            self._disk.commit(lambda: self._db.execute("COMMIT"))
        except BaseException as error:
            # Where SQLite has not rolled back already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            full = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode in full:
                raise DiskFull from None
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()
