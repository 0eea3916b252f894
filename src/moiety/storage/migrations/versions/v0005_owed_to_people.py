"""What is owed to a person: rules, records, consents, holds, receipts, follow-ups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")


def _text(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=null) for name in names]


def _seconds(*names: str, null: bool = False) -> list[sa.Column[float]]:
    return [sa.Column(name, _SECONDS, nullable=null) for name in names]


def _whole(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _goes_with(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [other], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def _why_kept() -> None:
    op.create_table(
        "gallery_rule",
        *_text("gallery_id"),
        *_whole("consent"),
        *_text("notice", "basis", "controller", "source"),
        *_whole("keep_days", "keep_photos"),
        _goes_with("gallery_rule", "gallery_id", "gallery.id"),
        sa.PrimaryKeyConstraint("gallery_id", name=op.f("pk_gallery_rule")),
        sqlite_strict=True,
    )
    op.create_table(
        "subject_record",
        *_text("subject_id", "gallery_id", "purpose", "basis", "controller", "source"),
        *_whole("minor"),
        *_seconds("last_contact_at"),
        *_seconds("stopped_at", null=True),
        *_text("stopped_for", null=True),
        sa.CheckConstraint("stopped_for IN ('objection', 'withdrawal')", name=op.f("ck_subject_record_stopped_for")),
        _goes_with("subject_record", "subject_id", "subject.id"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_subject_record")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_subject_record_gallery_id_stopped_at"), "subject_record", ["gallery_id", "stopped_at"])


def _consents() -> None:
    op.create_table(
        "consent",
        *_text("id", "subject_id", "notice", "purpose", "kind"),
        *_whole("by_guardian"),
        *_seconds("given_at", "ends_at"),
        *_seconds("withdrawn_at", null=True),
        _blob("release_sha256"),
        sa.CheckConstraint("kind IN ('drawn', 'passkey')", name=op.f("ck_consent_kind")),
        _goes_with("consent", "subject_id", "subject.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_consent_subject_id"), "consent", ["subject_id"])


def _holds_and_receipts() -> None:
    op.create_table(
        "hold",
        *_text("id", "gallery_id", "subject_id", "state", "proposed_by"),
        *_text("approved_by", "release_by", "released_by", null=True),
        *_seconds("created_at", "review_at"),
        sa.CheckConstraint("state IN ('proposed', 'active', 'releasing', 'released')", name=op.f("ck_hold_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_hold_subject_id"), "hold", ["subject_id"])
    op.create_table(
        "receipt",
        *_text("id", "subject_id", "gallery_id", "document"),
        _blob("signature"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_receipt_subject_id"), "receipt", ["subject_id"])


def _follow_ups() -> None:
    op.create_table(
        "follow_up",
        *_text("id", "gallery_id", "subject_id", "recipient"),
        sa.Column("seq", _BIG, nullable=False),
        *_text("act", "cause"),
        *_seconds("created_at"),
        *_seconds("done_at", null=True),
        *_text("done_by", null=True),
        sa.CheckConstraint("cause IN ('rectified', 'erased', 'objected', 'moved')", name=op.f("ck_follow_up_cause")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_up")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_follow_up_gallery_id_done_at"), "follow_up", ["gallery_id", "done_at"])
    op.create_index(op.f("ix_ledger_entry_subject_id"), "ledger_entry", ["subject_id"])


def upgrade() -> None:
    """Add the tables, and find a subject's entries in the ledger by an index."""
    _why_kept()
    _consents()
    _holds_and_receipts()
    _follow_ups()
