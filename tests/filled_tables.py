"""A row for every table that has none, by what the tables say of themselves: no list of tables that grows old."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Float, Integer, LargeBinary, Table, insert, select

from moiety.storage.tables import Base, JsonList

if TYPE_CHECKING:
    from sqlalchemy import Column

    from moiety.storage import Transaction

_ONE_OF = re.compile(r"^(\w+) IN \('([^']*)'")


def fill_what_is_empty(tx: Transaction) -> None:
    """Put one row into each empty table, parents first."""
    for table in Base.metadata.sorted_tables:
        if tx.session.execute(select(table).limit(1)).first() is None:
            row = {column.name: _value(tx, table, column) for column in table.columns}
            tx.session.execute(insert(table).values(row))


def _value(tx: Transaction, table: Table, column: Column[Any]) -> Any:
    """Make a value that the column takes: a parent's key, one of the allowed words, or anything of its type."""
    for key in column.foreign_keys:
        return tx.session.execute(select(key.column).limit(1)).scalar_one()
    words = _words(table).get(column.name)
    if words is not None:
        return words
    if isinstance(column.type, JsonList):
        return ("a", "ü")
    if isinstance(column.type, LargeBinary):
        return bytes(range(256))
    if isinstance(column.type, Integer):
        return 1
    return 1_800_000_000.123456 if isinstance(column.type, Float) else f"{table.name} {column.name} ü"


def _words(table: Table) -> dict[str, str]:
    """Read the first allowed word of each column that has a list of them."""
    rules = [str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint)]
    return {found[1]: found[2] for found in map(_ONE_OF.match, rules) if found}
