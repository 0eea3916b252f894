"""PostgreSQL: how it is opened, what its errors mean to us, and that one gate alone writes to a database.

All writes go through one connection, which holds an advisory lock for as long as it lives. Where it is lost the lock
is lost with it, and so is the transaction: no write can slip in beside another gate's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import psycopg
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from moiety.foundation.errors import BadInput, DiskFull, Fault, Refusal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

CONNECT_SECONDS = 10
POOL_SECONDS = 10
READERS = 20
VERSION_MIN = 15
_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg"}
# The first 8 bytes of SHA-256("moiety/gate/1"), signed: no other program on the database uses this number by accident.
LOCK = 2899157073675070330
BUSY = "The database is busy; try again."
LOST = "The database cannot be reached; try again."
# SQLSTATE codes and classes: PostgreSQL documentation, appendix A.
_FULL = ("53100",)
_BUSY = ("53", "55P03", "40001", "40P01", "57014", "25P03", "25P04")
_LOST = ("08", "57P")
_LOCKED_OUT = ("28", "3D", "42501", "3F")
_BROKEN = ("XX", "58", "F0", "25006", "22021")
_NOT_TEXT = "22P05"
_SET_UP = (
    # A commit that is told is on the disk; what is stricter stays.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    "SELECT set_config('lock_timeout', '{milliseconds}', false)",
    "SELECT set_config('client_min_messages', 'error', false)",
)
_ABOUT = (
    "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), "
    "CASE datlocprovider WHEN 'c' THEN datcollate WHEN 'b' THEN 'C' ELSE 'of a language' END, pg_is_in_recovery() "
    "FROM pg_database WHERE datname = current_database()"
)
# Of a value that does not fit (class 22) even the server's first line repeats the value.
_QUOTES_VALUES = "22"


def url_of(text: str) -> URL:
    """Read a database URL of ours.

    Raises:
        Fault: it is none, or of another kind of database; the message never repeats it.

    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Fault("MOIETY_DATABASE is no database URL, such as postgresql://user@host/moiety.") from None
    if url.drivername not in _SCHEMES:
        raise Fault("MOIETY_DATABASE must begin with postgresql://; where it is empty the gate keeps a SQLite file.")
    return url.set(drivername="postgresql+psycopg")


def answer_to(error: BaseException | None) -> Refusal | Fault | None:
    """Say in our own words what the server said; None for a mistake of ours, which stays as it is."""
    code = getattr(error, "sqlstate", None) or ""
    for codes, answer in (
        (_FULL, DiskFull()),
        (_BUSY, Unavailable(BUSY)),
        (_LOST, Unavailable(LOST)),
        (_LOCKED_OUT, Fault("The database does not let the gate in: look at its user, password and rights.")),
        (_BROKEN, Fault(f"The gate's database cannot be used ({code}); it is damaged, missing or not ours to write.")),
    ):
        if code.startswith(codes):
            return answer
    if not code and isinstance(error, psycopg.OperationalError):
        return Unavailable(LOST)  # the connection broke before the server could say a word
    if isinstance(error, psycopg.DataError) and code in {"", _NOT_TEXT}:
        return BadInput("Text for the database must not hold a zero byte.")
    return None


@contextmanager
def _opening() -> Iterator[None]:
    """Let nothing of a URL or of a server's words out while a database is opened."""
    try:
        yield
    except (Refusal, Fault):
        raise
    except DBAPIError as error:
        raise (answer_to(error.orig) or _unusable()) from None
    except Exception:  # noqa: BLE001 - the library's own text may repeat the URL, with the password in it
        raise _unusable() from None


def _unusable() -> Fault:
    return Fault("The database that MOIETY_DATABASE names cannot be opened as it is written there.")


class Holder:
    """Takes the gate's lock for each new connection that writes."""

    def __init__(self, milliseconds: int) -> None:
        """Wait for other locks at most `milliseconds`."""
        self._set_up = [statement.format(milliseconds=milliseconds) for statement in _SET_UP]
        self._opened = False

    def __call__(self, raw: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        """Set a connection up, or give it back.

        Raises:
            Fault: at the start: another gate has the lock.
            Unavailable: later: another session has it, be it our own, which the server has not missed yet.

        """
        del entry
        connection = cast("psycopg.Connection[tuple[object, ...]]", raw)
        try:
            connection.autocommit = True
            for statement in self._set_up:
                connection.execute(statement.encode())
            held = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
            connection.autocommit = False
        except psycopg.Error as error:
            connection.close()
            raise (answer_to(error) or Unavailable(LOST)) from None
        if held != (True,):
            connection.close()
            if self._opened:
                raise Unavailable("Another session holds the gate's database; try again.")
            raise Fault("Another gate works on this database; stop it first.")
        self._opened = True


def open_writers(url: URL, milliseconds: int) -> Engine:
    """Open the one connection that writes, and look at what is at the other end.

    Raises:
        Fault: another gate has it, or it cannot be used as it is.
        Unavailable: the server cannot be reached.

    """
    with _opening():
        engine = _engine(url, "moiety gate, writing", pool_size=1, max_overflow=0)
        event.listen(engine, "connect", Holder(milliseconds))
        try:
            with engine.connect() as connection:
                version, encoding, collation, standby = connection.exec_driver_sql(_ABOUT).one()
            _check(version, encoding, collation, standby=standby)
        except BaseException:
            engine.dispose()
            raise
    return engine


def open_readers(url: URL) -> Engine:
    """Open the connections that read: each transaction sees one moment and can write nothing."""
    with _opening():
        engine = _engine(url, "moiety gate, reading", pool_size=5, max_overflow=READERS - 5)
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _engine(url: URL, name: str, **pool: int) -> Engine:
    told = {"connect_timeout": CONNECT_SECONDS, "application_name": name, "client_encoding": "utf8"}
    # Values never stand in an error message or a log line.
    engine = create_engine(
        url, hide_parameters=True, pool_pre_ping=True, pool_timeout=POOL_SECONDS, connect_args=told, **pool
    )
    event.listen(engine, "handle_error", _without_values)
    return engine


def _without_values(context: ExceptionContext) -> None:
    """Keep of an error which rule was broken, and not the row that broke it, which the server's second line repeats."""
    server = context.original_exception
    if isinstance(server, psycopg.Error) and server.sqlstate:
        quotes = server.sqlstate.startswith(_QUOTES_VALUES)
        server.args = (server.sqlstate if quotes else server.diag.message_primary,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(server).__name__}) {server.args[0]}",)


def _check(version: int, encoding: str, collation: str, *, standby: bool) -> None:
    """Refuse a database in which text would sort or be kept otherwise than in SQLite.

    Text sorted by a language's rules comes into another order when the server's system is upgraded, and an index that
    was built before then misses rows.
    """
    if version < VERSION_MIN:
        raise Fault(f"The gate needs PostgreSQL {VERSION_MIN} or newer; this server is {version}.")
    if standby:
        raise Fault("This PostgreSQL server is a standby, which takes no writes; name the one that leads.")
    plain = collation in {"C", "POSIX"} or collation.upper().startswith("C.UTF")
    if encoding != "UTF8" or not plain:
        raise Fault("Make the gate's database with: createdb -T template0 -E UTF8 --locale=C NAME")
