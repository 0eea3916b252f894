"""A gate's database on a server, told as `tables.Snapshot` tells a SQLite file, so that backups of both are alike."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moiety.archive.tables import ROWS_AT_ONCE, snapshot
from moiety.storage.moment import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moiety.storage.moment import Moment


class ServerSnapshot:
    """A read transaction on a server, which others may write to meanwhile: it sees one moment."""

    def __init__(self, moment: Moment) -> None:
        """Made by `server_snapshot` only."""
        self._moment = moment
        with moment.as_file() as path, snapshot(path) as empty:
            self._schema, self._names = empty.schema(), empty.names()

    def read(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query at that moment."""
        return self._moment.read(query, parameters)

    def schema(self) -> dict[str, Any]:
        """Describe the tables as a SQLite file has them."""
        numbers = {name: self._moment.last_number(name) for name in self._names}
        return {**self._schema, "sequences": [[name, last] for name, last in numbers.items() if last]}

    def names(self) -> list[str]:
        """List the tables."""
        return self._names

    def batches(self, table: str, where: str = "") -> Iterator[bytes]:
        """Give all rows of a table, some thousands at a time."""
        if where:
            raise ValueError("The gate's tables are copied whole.")
        for columns, rows in self._moment.table(table, ROWS_AT_ONCE):
            tagged = [[_tagged(value) for value in row] for row in rows]
            yield json.dumps({"columns": columns, "rows": tagged}, separators=(",", ":")).encode()


def _tagged(value: Any) -> Any:
    """Write a value as `tables` does."""
    if isinstance(value, bytes):
        return "x" + value.hex().upper()
    return f"t{value}" if isinstance(value, str) else value


@contextmanager
def server_snapshot(url: str) -> Iterator[ServerSnapshot]:
    """Open a database on a server for reading at this moment.

    Raises:
        Fault: it cannot be used.
        Unavailable: it cannot be reached.

    """
    with moment_of(url) as moment:
        yield ServerSnapshot(moment)
