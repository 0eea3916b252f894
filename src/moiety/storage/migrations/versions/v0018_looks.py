"""How newcomers look, kept sealed, so that a gate that starts anew knows after whom decoys are made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    number: sa.BigInteger = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "look",
        sa.Column("gallery_id", sa.Text(), nullable=False),
        sa.Column("came", number, nullable=False),
        sa.Column("settled", number, nullable=False),
        sa.Column("looks_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["gallery_id"], ["gallery.id"], name=op.f("fk_look_gallery_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("gallery_id", name=op.f("pk_look")),
        sqlite_strict=True,
    )
