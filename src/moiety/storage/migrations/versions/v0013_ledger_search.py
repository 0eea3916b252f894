"""Searches of the ledger by actor, act, kind and gallery ask an index, however long the ledger is."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    for name, columns in (
        ("actor", ["actor", "seq", "act", "kind", "gallery_id"]),
        ("gallery", ["gallery_id", "seq", "act", "kind"]),
        ("act", ["act", "seq", "kind"]),
        ("kind", ["kind", "seq", "act", "actor", "gallery_id"]),
    ):
        op.create_index(f"ix_ledger_entry_by_{name}", "ledger_entry", columns)
