"""Failed tries to pass for somebody outlive a restart of the gate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "failed_try",
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("failed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_at", sa.Double().with_variant(REAL(), "sqlite"), nullable=False),
        sa.CheckConstraint("way IN ('face', 'pin', 'own')", name=op.f("ck_failed_try_way")),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name=op.f("fk_failed_try_subject_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subject_id", "way", name=op.f("pk_failed_try")),
        sqlite_strict=True,
    )
