"""How each enrolment photo was taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the photos that are there nobody said it."""
    # A column's own check: SQLite adds one in place, without building the table anew.
    op.execute(
        sa.text(
            "ALTER TABLE template ADD COLUMN capture TEXT DEFAULT 'unsaid' NOT NULL "
            "CONSTRAINT ck_template_capture CHECK (capture IN ('attended', 'sent', 'unsaid'))"
        )
    )
