"""Migrations: from nothing to what the tables say, all or nothing."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from moiety.foundation.clock import HandClock
from moiety.foundation.errors import DiskFull, Fault
from moiety.storage import Store, schema
from moiety.storage.engine import open_file
from moiety.storage.tables import Base

if TYPE_CHECKING:
    from pathlib import Path

FILE = "gate.db"


def _shape(path: Path) -> dict[str, set[str]]:
    """Every table and index, as the set of its parts: order within a table does not matter."""
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL "
        "AND name NOT LIKE 'sqlite_%' AND name != 'alembic_version'"
    ).fetchall()
    connection.close()
    return {name: _parts(sql) for name, sql in rows}


def _parts(sql: str) -> set[str]:
    """Take a table apart: a column that was added later stands behind the others, and carries its own check."""
    one_line = " ".join(sql.split())
    start, end = one_line.index("(") + 1, one_line.rindex(")")
    parts = re.split(r", (?![^()]*\))| (?=CONSTRAINT )", one_line[start:end])
    return {one_line[: start - 1].strip(), one_line[end:], *(part.strip() for part in parts)}


def test_the_migrations_make_exactly_what_the_tables_say(tmp_path: Path) -> None:
    with Store(tmp_path / FILE, HandClock()) as gate, gate.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    plain = create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    Base.metadata.create_all(plain)
    plain.dispose()
    assert _shape(tmp_path / FILE) == _shape(tmp_path / "plain.db")


def test_every_table_is_strict(tmp_path: Path) -> None:
    Store(tmp_path / FILE, HandClock()).close()
    connection = sqlite3.connect(tmp_path / FILE)
    strict = {
        name: bool(flag) for _, name, kind, _, _, flag in connection.execute("PRAGMA table_list") if kind == "table"
    }
    connection.close()
    assert {name for name, flag in strict.items() if flag} == set(Base.metadata.tables)


def test_migrating_twice_does_nothing(tmp_path: Path) -> None:
    Store(tmp_path / FILE, HandClock()).close()
    before = _shape(tmp_path / FILE)
    Store(tmp_path / FILE, HandClock()).close()
    assert _shape(tmp_path / FILE) == before


def test_a_database_of_a_newer_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    Store(tmp_path / FILE, HandClock()).close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(Fault, match="another version"):
        Store(tmp_path / FILE, HandClock())


def test_a_disk_that_fills_during_the_migration_leaves_an_empty_database(tmp_path: Path) -> None:
    engine = open_file(tmp_path / FILE, create=True)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 10")
    with pytest.raises(DiskFull):
        schema.migrate(engine)
    engine.dispose()
    assert _shape(tmp_path / FILE) == {}
    Store(tmp_path / FILE, HandClock()).close()
    assert "ledger_entry" in _shape(tmp_path / FILE)


def test_a_folder_name_with_a_percent_sign_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / "50%full"
    folder.mkdir()
    Store(folder / FILE, HandClock()).close()
    assert "gallery" in _shape(folder / FILE)
