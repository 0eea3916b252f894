"""Emergencies, incidents, reports from outside, reports of drills."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")


def _columns(kind: Any, names: str, *, null: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=null) for name in names.split()]


def _pressed_and_open() -> None:
    op.create_table(
        "emergency",
        *_columns(sa.Text(), "id kind pressed_by"),
        *_columns(_SECONDS, "pressed_at"),
        *_columns(sa.Text(), "lifted_by", null=True),
        *_columns(_SECONDS, "lifted_at", null=True),
        sa.CheckConstraint("kind IN ('stop', 'kill')", name=op.f("ck_emergency_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency")),
        sqlite_strict=True,
    )
    op.create_table(
        "incident",
        *_columns(sa.Text(), "id opened_by"),
        *_columns(_SECONDS, "opened_at aware_at began_at ended_at"),
        *_columns(_SECONDS, "closed_at", null=True),
        *_columns(sa.Text(), "lost galleries done"),
        *_columns(sa.LargeBinary(), "content_sealed"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sqlite_strict=True,
    )


def upgrade() -> None:
    """Add the tables."""
    _pressed_and_open()
    op.create_table(
        "report",
        *_columns(sa.Text(), "id"),
        *_columns(sa.LargeBinary(), "secret_sha256 content_sealed"),
        *_columns(_SECONDS, "received_at"),
        *_columns(_SECONDS, "answered_at", null=True),
        *_columns(sa.Text(), "answered_by", null=True),
        *_columns(sa.LargeBinary(), "answer_sealed", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_report_answered_at_received_at"), "report", ["answered_at", "received_at"])
    op.create_table(
        "drill_report",
        *_columns(sa.Text(), "id"),
        *_columns(_SECONDS, "at"),
        *_columns(sa.Integer(), "drills failed"),
        *_columns(sa.Text(), "document"),
        *_columns(sa.LargeBinary(), "signature"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill_report")),
        sqlite_strict=True,
    )
