"""Triggers by which a table is only added to, on either database.

Only the owner of the file or of the tables can take them off, and then the ledger's hashes show what was done.
"""

from __future__ import annotations

from alembic import op


def append_only(table: str, key: str, sentence: str, within: str = "") -> None:
    """Forbid UPDATE and DELETE on `table`, and an INSERT whose `key` does not follow all that are there.

    Where a column is given as `within`, the keys follow each other among rows that have the same value in it.
    """
    alike = f"{within} = NEW.{within} AND " if within else ""
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {alike}{key} >= NEW.{key})"  # noqa: S608 - fixed words
    if op.get_bind().dialect.name == "sqlite":
        _on_sqlite(table, there, sentence)
    else:
        _on_postgresql(table, there, sentence)


def _on_sqlite(table: str, there: str, sentence: str) -> None:
    # INSERT OR REPLACE fires no DELETE trigger, so an insert must also follow all that is there.
    for name, when in (
        ("update", f"BEFORE UPDATE ON {table}"),
        ("delete", f"BEFORE DELETE ON {table}"),
        ("replace", f"BEFORE INSERT ON {table} WHEN {there}"),
    ):
        op.execute(f"CREATE TRIGGER {table}_no_{name} {when} BEGIN SELECT RAISE(ABORT, '{sentence}'); END")


def _on_postgresql(table: str, there: str, sentence: str) -> None:
    # The code is that of a broken constraint (23000), as on SQLite.
    refuse = f"RAISE EXCEPTION '{sentence}' USING ERRCODE = '23000'"
    op.execute(f"CREATE FUNCTION {table}_refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refuse}; END $$")
    op.execute(
        f"CREATE FUNCTION {table}_follows() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {there} THEN {refuse}; END IF; RETURN NEW; END $$"
    )
    for name, when, what in (
        ("update", "BEFORE UPDATE", "refused"),
        ("delete", "BEFORE DELETE", "refused"),
        ("truncate", "BEFORE TRUNCATE", "refused"),
        ("replace", "BEFORE INSERT", "follows"),
    ):
        each = "STATEMENT" if name == "truncate" else "ROW"
        op.execute(
            f"CREATE TRIGGER {table}_no_{name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {table}_{what}()"
        )
