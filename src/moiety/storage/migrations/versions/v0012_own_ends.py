"""Ends that were set for one person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "own_end",
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("gallery_id", sa.Text(), nullable=False),
        sa.Column("ends_at", _SECONDS, nullable=False),
        sa.Column("clock_at", _SECONDS, nullable=False),
        sa.CheckConstraint("ends_at <= clock_at", name=op.f("ck_own_end_earlier")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_own_end_subject_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_own_end")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_own_end_ends_at"), "own_end", ["ends_at"])
