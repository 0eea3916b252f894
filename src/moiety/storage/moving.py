"""A gate's SQLite file into its database on a server: after a restore, or when the gate moves there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, text

from moiety.foundation.errors import Fault
from moiety.storage.belonging import note, note_of
from moiety.storage.engine import open_file, plain_errors
from moiety.storage.schema import migrate
from moiety.storage.tables import Base

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Table

    from moiety.storage.store import Store

AT_ONCE = 2000
_SEQUENCE = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")


def bring_in(file: Path, into: Store) -> None:
    """Copy a gate's SQLite file into its empty database on a server, all or nothing; the caller destroys the file.

    A crash before the commit leaves the database empty, one after it a note of the file, by which the next start knows
    that it has all of it.

    Raises:
        Fault: the database holds something that is not from this file, or the file is damaged.
        Unavailable: the server was lost.

    """
    source = open_file(file, create=False)
    try:
        migrate(source)
        mark = _mark(source)
        with plain_errors(), source.connect() as rows, into.begin() as tx:
            there = tx.session.connection()
            if note_of(there).get("brought") == mark:
                return
            if any(there.scalar(select(select(table).exists())) for table in Base.metadata.sorted_tables):
                raise Fault(
                    "The gate has a file gate.sqlite, and tables in the database that MOIETY_DATABASE names: take the "
                    "file away, or empty the database (dropdb, createdb) to have it filled from the file."
                )
            for table in Base.metadata.sorted_tables:
                _copy(table, rows, there)
            note(there, brought=mark)
            # All of it came at once: till the server's own rounds its plans would be for empty tables.
            there.execute(text(f"ANALYZE {', '.join(Base.metadata.tables)}"))
    finally:
        source.dispose()


def _mark(source: Engine) -> str:
    """Hash all rows: the bytes of a file change whenever it is opened."""
    digest = hashlib.sha256()
    with plain_errors(), source.connect() as connection:
        for table in Base.metadata.sorted_tables:
            digest.update(table.name.encode())
            for row in connection.execute(_all_of(table)):
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def _all_of(table: Table) -> Any:
    return select(table).order_by(*table.primary_key.columns)


def _copy(table: Table, source: Connection, into: Connection) -> None:
    """Copy a table's rows in the order of its key, which the ledger's triggers insist on."""
    found = source.execute(_all_of(table))
    while rows := found.mappings().fetchmany(AT_ONCE):
        into.execute(insert(table), [dict(row) for row in rows])
    if counted(table):
        ((column,), last) = table.primary_key.columns, _last_number(table, source)
        if last:
            into.execute(_SEQUENCE, {"table": table.name, "column": column.name, "last": last})


def counted(table: Table) -> bool:
    """Whether the database itself gives numbers, none of them twice."""
    return bool(table.dialect_options["sqlite"]["autoincrement"])


def _last_number(table: Table, source: Connection) -> int:
    """Read the last number that a SQLite file has given."""
    query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return int(source.scalar(query, {"name": table.name}) or 0)
