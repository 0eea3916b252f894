"""Whose database on a server it is: a note of ours beside the tables, since such a database lies in nobody's folder.

The note is the comment of the table of versions, so it changes with the rows, in one transaction, and wants no table.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from moiety.foundation.errors import Fault

if TYPE_CHECKING:
    from sqlalchemy import Connection

_READ = text("SELECT obj_description('alembic_version'::regclass, 'pg_class')")
_WORD = text("SELECT format('COMMENT ON TABLE alembic_version IS %L', CAST(:note AS text))")


def note_of(connection: Connection) -> dict[str, str]:
    """Read what is noted; nothing where there is no note of ours."""
    try:
        found = json.loads(connection.scalar(_READ) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def note(connection: Connection, **told: str) -> None:
    """Add to the note, in the caller's transaction: a crash before its commit leaves the old note."""
    raw = json.dumps({**note_of(connection), **told}, sort_keys=True)
    connection.exec_driver_sql(str(connection.scalar(_WORD, {"note": raw})))


def claim(connection: Connection, owner: str) -> None:
    """Note the installation to which a new database belongs, or check it.

    Raises:
        Fault: it is another installation's.

    """
    found = note_of(connection).get("installation")
    if found is None:
        note(connection, installation=owner)
    elif found != owner:
        raise Fault("The database that MOIETY_DATABASE names belongs to another installation.")
