"""What keeps lookers in bounds: alerts, locks, what was spent, decoys, deployments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")


def _text(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=null) for name in names]


def _seconds(*names: str, null: bool = False) -> list[sa.Column[float]]:
    return [sa.Column(name, _SECONDS, nullable=null) for name in names]


def _goes_with(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [other], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def _watched() -> None:
    op.create_table(
        "alert",
        *_text("id", "kind", "actor"),
        *_text("gallery_id", "subject_id", null=True),
        sa.Column("times", _BIG, nullable=False),
        *_seconds("created_at", "last_at"),
        *_seconds("seen_at", null=True),
        *_text("seen_by", null=True),
        sa.CheckConstraint("kind IN ('canary', 'repeated', 'budget', 'contested')", name=op.f("ck_alert_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_alert_seen_at_created_at"), "alert", ["seen_at", "created_at"])
    op.create_index(op.f("ix_alert_actor_kind"), "alert", ["actor", "kind"])
    op.create_table(
        "account_lock",
        *_text("actor", "alert_id"),
        *_seconds("since"),
        sa.PrimaryKeyConstraint("actor", name=op.f("pk_account_lock")),
        sqlite_strict=True,
    )
    op.create_table(
        "spent",
        *_text("actor", "meter"),
        sa.Column("hour", _BIG, nullable=False),
        sa.Column("count", _BIG, nullable=False),
        sa.CheckConstraint("meter IN ('label', 'field')", name=op.f("ck_spent_meter")),
        sa.PrimaryKeyConstraint("actor", "meter", "hour", name=op.f("pk_spent")),
        sqlite_strict=True,
    )
    op.create_table(
        "decoy",
        *_text("subject_id"),
        *_seconds("planted_at"),
        _goes_with("decoy", "subject_id", "subject.id"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_decoy")),
        sqlite_strict=True,
    )


def upgrade() -> None:
    """Add the tables."""
    _watched()
    op.create_table(
        "deployment",
        *_text("gallery_id", "assessment"),
        *_seconds("review_at"),
        sa.Column("police", sa.Integer(), nullable=False),
        sa.Column("two_to_search", sa.Integer(), nullable=False),
        _goes_with("deployment", "gallery_id", "gallery.id"),
        sa.PrimaryKeyConstraint("gallery_id", name=op.f("pk_deployment")),
        sqlite_strict=True,
    )
