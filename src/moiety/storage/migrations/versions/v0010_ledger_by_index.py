"""On PostgreSQL: the ledger's triggers ask the index for the last number, however long the ledger is.

`EXISTS (… seq >= NEW.seq)` made the server read all entries at each one that was added, since it expects to find such a
row soon; `max` comes from the end of the index.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Write the functions anew; the triggers call them by name."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, key, alike in (("ledger_entry", "seq", ""), ("ledger_hash", "number", " WHERE level = NEW.level")):
        last = f"(SELECT max({key}) FROM {table}{alike})"  # noqa: S608 - fixed words
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_follows() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {last} >= NEW.{key} THEN "
            "RAISE EXCEPTION 'the ledger is only added to' USING ERRCODE = '23000'; END IF; RETURN NEW; END $$"
        )
