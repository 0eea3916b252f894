"""A SQLite file as data: what stands in it at one moment, read beside its writers, and put into a new file again.

Rows travel as JSON: numbers and null as they are, a text as "t…", a blob as "x…" in hex. No row is ever run as SQL.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, Self

from moiety.foundation.errors import Unverified

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from moiety.foundation.disk import Disk

ROWS_AT_ONCE = 2000
BUSY_SECONDS = 30.0
_MAY_BE_MADE = ("CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX ", "CREATE TRIGGER ")
Value = str | int | float | None


class Tables(Protocol):
    """What a backup reads of a database."""

    def read(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query at that moment."""
        ...

    def schema(self) -> dict[str, Any]:
        """Describe the tables."""
        ...

    def names(self) -> list[str]:
        """List the tables."""
        ...

    def batches(self, table: str, where: str = "") -> Iterator[bytes]:
        """Give a table's rows, some thousands at a time."""
        ...


class Snapshot:
    """A read transaction on a file that others may write meanwhile: it sees one moment."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Made by `snapshot` only."""
        self._db = db

    def read(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query at that moment."""
        return iter(self._db.execute(query, parameters))

    def schema(self) -> dict[str, Any]:
        """Describe the file: version, statements that make it, tables."""
        made = list(self.read("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"))
        own = [(kind, name, sql) for kind, name, sql in made if not name.startswith("sqlite_")]
        return {
            "version": next(self.read("PRAGMA user_version"))[0],
            "tables": [sql for kind, _, sql in own if kind == "table"],
            "later": [sql for kind, _, sql in own if kind != "table"],
            "sequences": list(self.read("SELECT name, seq FROM sqlite_sequence")) if self._has_sequences() else [],
        }

    def _has_sequences(self) -> bool:
        return any(self.read("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"))

    def names(self) -> list[str]:
        """List the tables."""
        found = self.read("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        return [name for (name,) in found if not name.startswith("sqlite_")]

    def batches(self, table: str, where: str = "") -> Iterator[bytes]:
        """Give a table's rows, some thousands at a time: all of them, or those that meet a condition of ours."""
        columns = [name for (name,) in self.read("SELECT name FROM pragma_table_info(?)", (table,))]
        tagged = [
            f"CASE typeof({c}) WHEN 'blob' THEN 'x' || hex({c}) WHEN 'text' THEN 't' || {c} ELSE {c} END"
            for c in map(_quoted, columns)
        ]
        condition = f" WHERE {where}" if where else ""
        cursor = self._db.execute(f"SELECT {', '.join(tagged)} FROM {_quoted(table)}{condition}")  # noqa: S608 - quoted names, conditions of ours
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield json.dumps({"columns": columns, "rows": rows}, separators=(",", ":")).encode()


@contextmanager
def snapshot(path: Path) -> Iterator[Snapshot]:
    """Open a file for reading at this moment."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(
        sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    ) as db:
        db.execute("BEGIN")
        # A transaction sees the moment of its first read, not of its BEGIN.
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield Snapshot(db)


def _quoted(name: str) -> str:
    """Write a name so that it is nothing but a name."""
    return '"' + name.replace('"', '""') + '"'


def _plain(value: Value) -> Any:
    """Undo the tagging of one value."""
    if not isinstance(value, str):
        return value
    return bytes.fromhex(value[1:]) if value[:1] == "x" else value[1:]


class Rebuilding:
    """A new SQLite file that is being filled; whole once `finish` has returned."""

    def __init__(self, path: Path, disk: Disk) -> None:
        """Begin the new file `path`."""
        self._disk = disk
        self._db = disk.database(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._later: list[str] = []
        self._sequences: list[list[Any]] = []
        self._db.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def schema(self, raw: bytes) -> None:
        """Make the tables."""
        found = json.loads(raw)
        statements = [*found["tables"], *found["later"]]
        if not all(sql.upper().startswith(_MAY_BE_MADE) for sql in statements):
            raise Unverified("The backup would make something in a database that is no table, index or trigger.")
        for sql in found["tables"]:
            self._db.execute(sql)
        self._later = found["later"]
        self._db.execute(f"PRAGMA user_version = {int(found['version'])}")
        self._sequences = found["sequences"]

    def rows(self, table: str, raw: bytes) -> None:
        """Put rows into a table."""
        found = json.loads(raw)
        columns = ", ".join(map(_quoted, found["columns"]))
        marks = ", ".join("?" * len(found["columns"]))
        self._db.executemany(
            f"INSERT INTO {_quoted(table)} ({columns}) VALUES ({marks})",  # noqa: S608 - quoted names
            [[_plain(value) for value in row] for row in found["rows"]],
        )

    def finish(self) -> None:
        """Make indexes and triggers, check the whole, and make it last.

        Raises:
            Unverified: the rows do not fit their tables.

        """
        for sql in self._later:
            self._db.execute(sql)
        if self._sequences:
            # The rows' own numbers have set it; a number that was given to a row since gone is not given again.
            self._db.execute("DELETE FROM sqlite_sequence")
            self._db.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", self._sequences)
        # A crash before the commit leaves an empty file in a folder that no part uses yet.
        self._disk.commit(lambda: self._db.execute("COMMIT"))
        if self._db.execute("PRAGMA foreign_key_check").fetchall():
            raise Unverified("Rows of the backup belong to nothing.")
        if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise Unverified("The restored database is damaged.")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
