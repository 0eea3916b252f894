"""Small SQLite files of a part's own, of one version each."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from moiety.foundation.errors import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.foundation.disk import Disk


def opened(disk: Disk, path: Path, what: str, version: int, schema: str) -> sqlite3.Connection:
    """Open a file, or make it with the tables of `schema`; `what` names its content in errors.

    Raises:
        Fault: it is damaged or of another version.

    """
    try:
        db = disk.database(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        # Nothing of it, however short-lived, lies in a file elsewhere.
        db.execute("PRAGMA temp_store = MEMORY")
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            # One transaction: a crash leaves an empty file, and the next start comes here again.
            db.executescript(f"BEGIN; {schema} PRAGMA user_version = {version};")
            disk.commit(lambda: db.execute("COMMIT"))
    except sqlite3.DatabaseError:
        raise Fault(f"{what} {path.name!r} is damaged; restore it from a backup.") from None
    if found not in {0, version}:
        raise Fault(
            f"{what} {path.name!r} has version {found}; this program knows {version} and brings no other version over: "
            "enrol into a new installation, or run the program that made it."
        )
    return db
