"""Counts beside the ledger's entries, by day; and the gallery beside each field, which an index then counts."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_DAY_US = 86_400_000_000
_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SAME = ("kind", "act", "actor", "purpose", "gallery_id", "band")
_COUNTS = ("times", "first_seq", "last_seq", "first_us", "last_us")
_AT_ONCE = 5000


def upgrade() -> None:
    """Count what is in the ledger, and say of each field in which gallery its subject is."""
    op.create_table(
        "ledger_day",
        sa.Column("day", _NUMBER, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _SAME),
        *(sa.Column(name, _NUMBER, nullable=False) for name in _COUNTS),
        sa.PrimaryKeyConstraint("day", *_SAME, name=op.f("pk_ledger_day")),
        sqlite_strict=True,
    )
    _count()
    if op.get_bind().dialect.name == "sqlite":
        _fields_anew()
    else:
        _fields_wider()
    op.create_index(
        op.f("ix_subject_field_gallery_id_name_subject_id"), "subject_field", ["gallery_id", "name", "subject_id"]
    )


def _count() -> None:
    bind = op.get_bind()
    names = ("seq", "at_us", *_SAME[:5], "detail")
    told = sa.table("ledger_entry", *(sa.column(name) for name in names))
    found: dict[tuple[object, ...], list[int]] = {}
    for seq, at_us, *same, gallery, detail in bind.execute(
        sa.select(*told.c).order_by(told.c.seq).execution_options(yield_per=_AT_ONCE)
    ):
        band = str(json.loads(detail).get("band", "")) if '"band"' in detail else ""
        line = found.setdefault((at_us // _DAY_US, *same, gallery or "", band), [0, seq, seq, at_us, at_us])
        line[:] = [line[0] + 1, line[1], seq, min(line[3], at_us), max(line[4], at_us)]
    into = sa.table("ledger_day", *(sa.column(name) for name in ("day", *_SAME, *_COUNTS)))
    rows = [dict(zip(("day", *_SAME, *_COUNTS), (*key, *line), strict=True)) for key, line in found.items()]
    for start in range(0, len(rows), _AT_ONCE):
        bind.execute(sa.insert(into), rows[start : start + _AT_ONCE])


def _fields_wider() -> None:
    op.add_column("subject_field", sa.Column("gallery_id", sa.Text()))
    op.execute(
        "UPDATE subject_field SET gallery_id = subject.gallery_id FROM subject "
        "WHERE subject.id = subject_field.subject_id"
    )
    op.alter_column("subject_field", "gallery_id", nullable=False)
    # In the order of bytes, as SQLite has it: names that begin alike are then found by the index.
    op.alter_column("subject_field", "name", type_=sa.Text(collation="C"))
    op.drop_constraint(op.f("fk_subject_field_subject_id"), "subject_field", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_subject_field_subject_id_gallery_id"),
        "subject_field",
        "subject",
        ["subject_id", "gallery_id"],
        ["id", "gallery_id"],
    )


def _fields_anew() -> None:
    """Make the table anew: SQLite changes no constraint of one that is there."""
    op.drop_index(op.f("ix_subject_field_blind"), "subject_field")
    op.rename_table("subject_field", "subject_field_before")
    op.create_table(
        "subject_field",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("subject_id", "name", "klass")),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("wrapped_key", "ciphertext")),
        sa.Column("blind", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", _SECONDS, nullable=False),
        sa.Column("gallery_id", sa.Text(), nullable=False),
        sa.CheckConstraint("klass IN ('label', 'field')", name=op.f("ck_subject_field_klass")),
        sa.ForeignKeyConstraint(
            ["subject_id", "gallery_id"],
            ["subject.id", "subject.gallery_id"],
            name=op.f("fk_subject_field_subject_id_gallery_id"),
        ),
        sa.PrimaryKeyConstraint("subject_id", "name", name=op.f("pk_subject_field")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO subject_field (subject_id, name, klass, wrapped_key, ciphertext, blind, created_at, gallery_id) "
        "SELECT f.subject_id, f.name, f.klass, f.wrapped_key, f.ciphertext, f.blind, f.created_at, s.gallery_id "
        "FROM subject_field_before f JOIN subject s ON s.id = f.subject_id"
    )
    op.drop_table("subject_field_before")
    op.create_index(op.f("ix_subject_field_blind"), "subject_field", ["blind"])
