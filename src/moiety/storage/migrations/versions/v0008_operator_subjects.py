"""Whom an organisation's provider names each operator."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "operator_subject",
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double().with_variant(REAL(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_operator_subject_operator_id")),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_operator_subject")),
        sa.UniqueConstraint("operator_id", name=op.f("uq_operator_subject_operator_id")),
        sqlite_strict=True,
    )
