"""Who made an API key is kept beside it, so that a key ends with the one that made it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")
_BEFORE = "api_key_before"
_COLUMNS = "id, name, secret_hash, scopes, created_at, expires_at, revoked_at, last_used_at"


def _anew() -> None:
    """Write the table anew: SQLite would put a further column behind the constraints, where nobody looks for it."""
    op.rename_table("api_key", _BEFORE)
    op.create_table(
        "api_key",
        *[sa.Column(name, sa.Text(), nullable=False) for name in ("id", "name", "secret_hash", "scopes")],
        *[sa.Column(name, _SECONDS, nullable=False) for name in ("created_at", "expires_at")],
        *[sa.Column(name, _SECONDS, nullable=True) for name in ("revoked_at", "last_used_at")],
        sa.Column("made_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sqlite_strict=True,
    )
    op.execute(f"INSERT INTO api_key ({_COLUMNS}) SELECT {_COLUMNS} FROM {_BEFORE}")  # noqa: S608 - names of our own
    op.drop_table(_BEFORE)


def upgrade() -> None:
    """Add the column, and fill it with what the ledger says of keys that are there."""
    line = op.get_bind()
    if line.dialect.name == "sqlite":
        _anew()
    else:
        op.add_column("api_key", sa.Column("made_by", sa.Text()))
    key = sa.table("api_key", sa.column("id", sa.Text()), sa.column("made_by", sa.Text()))
    entry = sa.table("ledger_entry", *[sa.column(name, sa.Text()) for name in ("actor", "act", "detail")])
    for actor, detail in line.execute(sa.select(entry.c.actor, entry.c.detail).where(entry.c.act == "key-make")).all():
        made = json.loads(detail).get("operator")
        line.execute(sa.update(key).where(key.c.id == made).values(made_by=actor))
