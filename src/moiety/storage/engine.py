"""Opening the database: the one place that knows which database it is; `postgres` beside it knows the other one.

SQLite is set up for a gate whose disk may be taken at any moment: WAL with `synchronous = FULL` (a commit survives a
power cut), `secure_delete` (freed pages are zeroed), temporary tables in memory, foreign keys checked.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from moiety.foundation.errors import DiskFull, Fault, Refusal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 10_000
READ_ONLY = "moiety_read_only"

_SET_UP = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
)
# SQLite reports a full disk as FULL, except while it grows the shared-memory file of the WAL.
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_PERM")


def _answer_to(error: DBAPIError) -> Refusal | Fault | None:
    """Say in our own words what the database said; None for a mistake of ours, which stays as it is."""
    if not isinstance(error.orig, sqlite3.Error):
        from moiety.storage import postgres  # noqa: PLC0415 - loads a driver that SQLite does without

        return postgres.answer_to(error.orig)
    name = getattr(error.orig, "sqlite_errorname", "")
    if not name and isinstance(error.orig, sqlite3.OperationalError):
        # Only text that is not UTF-8 comes without a code, and its message would quote the text.
        name = "SQLITE_CORRUPT"
    if name.startswith(_FULL):
        return DiskFull()
    if name.startswith(_BUSY):
        return Unavailable("The database is busy; try again.")
    if name.startswith(_BROKEN):
        return Fault(f"The gate's database cannot be used ({name}); it is damaged, missing or not ours to write.")
    return None


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the database's own errors into ours.

    Raises:
        DiskFull: there is no room; the transaction was rolled back.
        Unavailable: another process holds the database for longer than `BUSY_TIMEOUT_MS`, or it cannot be reached.
        Fault: the file is damaged, missing or not writable.
        BadInput: PostgreSQL alone: a text with a zero byte in it.

    """
    try:
        yield
    except PoolTimeoutError:
        raise Unavailable("The database is busy; try again.") from None
    except DBAPIError as error:
        answer = _answer_to(error)
        if answer is None:
            raise
        raise answer from None


def _set_up(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    """Give each new SQLite connection its settings, and leave BEGIN to `_begin`."""
    del entry
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None
    cursor = connection.cursor()
    for statement in _SET_UP:
        cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes later could be turned away half-way."""
    reads = bool(connection.get_execution_options().get(READ_ONLY))
    connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if reads else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _make_file(path: Path, *, create: bool) -> None:
    """Make an empty file that only its owner may read; the WAL beside it inherits the mode.

    A crash here leaves an empty file, which is what a first start finds and fills.
    """
    if path.exists():
        return
    if not create:
        raise Fault(f"The gate's database {path.name!r} is missing.")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull from None
        raise Fault(f"The gate's database {path.name!r} cannot be made ({error.strerror}).") from None


def _check_pages(engine: Engine) -> None:
    """Read every page of a SQLite file once, so that damage is found at the start and not in the middle of a search."""
    with engine.connect() as connection:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if verdict != "ok":
        raise Fault("The gate's database is damaged; restore it from a backup.")


@dataclass(frozen=True, slots=True)
class Engines:
    """Where to write, and where to read at one moment without being able to write."""

    writers: Engine
    readers: Engine

    def close(self) -> None:
        """Close all connections."""
        self.readers.dispose()
        self.writers.dispose()


def open_engines(where: Path | str, *, create: bool) -> Engines:
    """Open a SQLite file (a path or `sqlite:///` URL) or a PostgreSQL database (a `postgresql://` URL).

    Raises:
        Fault: it is missing (a file, and `create` is false), damaged, cannot be made or used, or is another gate's.
        DiskFull: there is no room to make it.
        Unavailable: the server cannot be reached.

    """
    if isinstance(where, str) and "://" in where and not where.startswith("sqlite"):
        from moiety.storage import postgres  # noqa: PLC0415 - loads a driver that SQLite does without

        url = postgres.url_of(where)
        return Engines(postgres.open_writers(url, BUSY_TIMEOUT_MS), postgres.open_readers(url))
    engine = open_file(where, create=create)
    return Engines(engine, engine.execution_options(**{READ_ONLY: True}))


def open_file(where: Path | str, *, create: bool) -> Engine:
    """Open a SQLite file, checked page by page.

    Raises:
        Fault: the file is missing (and `create` is false), damaged, or cannot be made.
        DiskFull: there is no room to make it.

    """
    path = Path(make_url(where).database or "") if isinstance(where, str) and "://" in where else Path(where)
    _make_file(path, create=create)
    engine = create_engine(URL.create("sqlite+pysqlite", database=str(path)), hide_parameters=True)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    with plain_errors():
        _check_pages(engine)
    return engine
