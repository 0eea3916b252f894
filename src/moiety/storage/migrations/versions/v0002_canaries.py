"""Canaries: subjects whom the eye made up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "canary",
        sa.Column("gallery_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["gallery_id"], ["gallery.id"], name=op.f("fk_canary_gallery_id")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_canary_subject_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("gallery_id", "number", name=op.f("pk_canary")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_canary_subject_id")),
        sqlite_strict=True,
    )
