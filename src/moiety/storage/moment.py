"""What a gate's database on a server holds at one moment, for a backup: read beside its writer, told as a SQLite file.

A backup holds SQLite tables whichever database the gate has, so it is restored onto either.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from moiety.foundation.errors import Fault
from moiety.storage import postgres
from moiety.storage.engine import open_file, plain_errors
from moiety.storage.moving import counted
from moiety.storage.schema import migrate
from moiety.storage.tables import Base

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

_THERE = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_VERSION = text("SELECT version_num FROM alembic_version")
_LAST = text(
    "SELECT last_value FROM pg_sequences "
    "WHERE format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence(:table, :column)"
)


class Moment:
    """A read transaction on a database on a server."""

    def __init__(self, connection: Connection) -> None:
        """Made by `moment_of` only."""
        self._connection = connection

    def read(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query of ours at that moment, with `?` for each parameter."""
        with plain_errors():
            found = self._connection.exec_driver_sql(query.replace("?", "%s"), tuple(parameters)).all()
        return iter([tuple(row) for row in found])

    def table(self, name: str, at_once: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        """Give a table's columns with some of its rows at a time, in the order of the first column."""
        query = f'SELECT * FROM "{name}" ORDER BY 1'  # noqa: S608 - a name from our own tables
        streaming = {"stream_results": True, "max_row_buffer": at_once}
        with plain_errors(), self._connection.exec_driver_sql(query, execution_options=streaming) as found:
            columns = list(found.keys())
            while rows := found.fetchmany(at_once):
                yield columns, [tuple(row) for row in rows]

    def last_number(self, name: str) -> int:
        """Give the last number that the database has given in a table; 0 where it gives none."""
        table = Base.metadata.tables.get(name)
        if table is None or not counted(table):
            return 0
        (column,) = table.primary_key.columns
        with plain_errors():
            return int(self._connection.scalar(_LAST, {"table": name, "column": column.name}) or 0)

    @contextmanager
    def as_file(self) -> Iterator[Path]:
        """Make an empty SQLite file with the tables of the same version."""
        with plain_errors():
            version = str(self._connection.scalar(_VERSION))
        with tempfile.TemporaryDirectory(prefix="moiety-tables-") as folder:
            path = Path(folder) / "gate.sqlite"
            empty = open_file(path, create=True)
            try:
                migrate(empty, version)
            finally:
                empty.dispose()
            yield path


@contextmanager
def moment_of(url: str) -> Iterator[Moment]:
    """See a gate's database at this moment, while the gate goes on writing.

    Raises:
        Fault: it cannot be used, or no gate has ever used it.
        Unavailable: it cannot be reached.

    """
    engine = postgres.open_readers(postgres.url_of(url))
    try:
        with plain_errors(), engine.connect() as connection:
            if not connection.scalar(_THERE):
                raise Fault("The database that MOIETY_DATABASE names holds no gate's tables yet.")
            yield Moment(connection)
    finally:
        engine.dispose()
