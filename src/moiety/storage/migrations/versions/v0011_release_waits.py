"""Of whom a written release is asked; whoever is there without one is asked from now on."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ASK = """
INSERT INTO release_wait (subject_id, gallery_id, asked_at)
SELECT subject.id, subject.gallery_id, :now
FROM subject JOIN gallery_rule ON gallery_rule.gallery_id = subject.gallery_id AND gallery_rule.consent = 1
WHERE subject.state = 'active'
AND subject.id NOT IN (SELECT subject_id FROM canary)
AND subject.id NOT IN (SELECT subject_id FROM decoy)
AND subject.id NOT IN (SELECT subject_id FROM consent WHERE withdrawn_at IS NULL)
AND subject.id NOT IN (SELECT subject_id FROM subject_record WHERE stopped_at IS NOT NULL)
"""


def upgrade() -> None:
    """Add the table, and whoever has to answer."""
    seconds: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")
    op.create_table(
        "release_wait",
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("gallery_id", sa.Text(), nullable=False),
        sa.Column("asked_at", seconds, nullable=False),
        sa.Column("declined_at", seconds, nullable=True),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name=op.f("fk_release_wait_subject_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_release_wait")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_release_wait_gallery_id_declined_at_asked_at_subject_id"),
        "release_wait",
        ["gallery_id", "declined_at", "asked_at", "subject_id"],
    )
    op.execute(sa.text(_ASK).bindparams(now=time.time()))
