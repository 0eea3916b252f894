"""The ledger's tree: roots of full subtrees over the entries that are there, and the last cosigned checkpoint."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

from moiety.storage.migrations.append_only import append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WIDTH = 256


def _fold(row: list[bytes]) -> bytes:
    """Hash 256 hashes to one as RFC 6962 does; written out here, since a migration never changes."""
    while len(row) > 1:
        row = [hashlib.sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)]
    return row[0]


def _fill(table: sa.Table) -> None:
    """Hash what the ledger holds; the entries themselves are not touched."""
    bind = op.get_bind()
    entries = sa.text("SELECT seq, hash FROM ledger_entry WHERE seq BETWEEN :first AND :last ORDER BY seq")
    last = bind.execute(sa.text("SELECT max(seq) FROM ledger_entry")).scalar() or 0
    above: list[bytes] = []
    for first in range(1, last - _WIDTH + 2, _WIDTH):
        found = bind.execute(entries, {"first": first, "last": first + _WIDTH - 1}).all()
        if len(found) < _WIDTH:
            break  # entries are missing: `moiety ledger verify` says where
        above.append(_fold([row.hash for row in found]))
    level = 1
    while above:
        rows = [{"level": level, "number": number, "hash": one} for number, one in enumerate(above)]
        bind.execute(sa.insert(table), rows)
        above = [_fold(above[at : at + _WIDTH]) for at in range(0, len(above) - _WIDTH + 1, _WIDTH)]
        level += 1


def upgrade() -> None:
    """Add the tables, and hash what is there."""
    hashes = op.create_table(
        "ledger_hash",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", _BIG, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_ledger_hash")),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_cosigned",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_cosigned_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_cosigned")),
        sqlite_strict=True,
    )
    _fill(hashes)
    append_only("ledger_hash", "number", "the ledger is only added to", within="level")
