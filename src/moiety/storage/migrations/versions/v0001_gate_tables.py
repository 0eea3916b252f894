"""The first tables of the gate, and the triggers that keep the ledger as it was written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

from moiety.storage.migrations.append_only import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _blob(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def _seconds(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, _SECONDS, nullable=null)


def _galleries() -> None:
    op.create_table(
        "gallery",
        _text("id"),
        _text("name"),
        _text("purpose"),
        _text("model_name"),
        _text("model_sha256"),
        sa.Column("dim", sa.Integer(), nullable=False),
        _text("rotation_id"),
        _seconds("fmr_target"),
        _text("thresholds"),
        _text("bands"),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        _text("state"),
        sa.Column("next_seq", _BIG, nullable=False),
        _seconds("created_at"),
        sa.CheckConstraint("state IN ('pending', 'open', 'closed')", name=op.f("ck_gallery_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gallery")),
        sa.UniqueConstraint("name", name=op.f("uq_gallery_name")),
        sqlite_strict=True,
    )


def _subjects() -> None:
    op.create_table(
        "subject",
        _text("id"),
        _text("gallery_id"),
        _text("state"),
        _seconds("created_at"),
        _seconds("expires_at", null=True),
        sa.CheckConstraint("state IN ('pending', 'active', 'erasing')", name=op.f("ck_subject_state")),
        sa.ForeignKeyConstraint(["gallery_id"], ["gallery.id"], name=op.f("fk_subject_gallery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sa.UniqueConstraint("id", "gallery_id", name=op.f("uq_subject_id_gallery_id")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_subject_expires_at"), "subject", ["expires_at"])
    op.create_index(op.f("ix_subject_gallery_id_id"), "subject", ["gallery_id", "id"])
    op.create_index(op.f("ix_subject_gallery_id_state_id"), "subject", ["gallery_id", "state", "id"])
    op.create_table(
        "subject_field",
        _text("subject_id"),
        _text("name"),
        _text("klass"),
        _blob("wrapped_key"),
        _blob("ciphertext"),
        _blob("blind", null=True),
        _seconds("created_at"),
        sa.CheckConstraint("klass IN ('label', 'field')", name=op.f("ck_subject_field_klass")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_subject_field_subject_id")),
        sa.PrimaryKeyConstraint("subject_id", "name", name=op.f("pk_subject_field")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_subject_field_blind"), "subject_field", ["blind"])


def _templates() -> None:
    op.create_table(
        "template",
        _text("photo_id"),
        _text("gallery_id"),
        _text("subject_id"),
        _blob("row_id"),
        _blob("binding"),
        _blob("photo_mark"),
        _text("state"),
        sa.Column("seq", _BIG, nullable=True),
        _seconds("created_at"),
        sa.CheckConstraint("state IN ('pending', 'active', 'erasing')", name=op.f("ck_template_state")),
        sa.CheckConstraint("state != 'active' OR seq IS NOT NULL", name=op.f("ck_template_numbered")),
        sa.ForeignKeyConstraint(
            ["subject_id", "gallery_id"],
            ["subject.id", "subject.gallery_id"],
            name=op.f("fk_template_subject_id_gallery_id"),
        ),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_template")),
        sa.UniqueConstraint("row_id", name=op.f("uq_template_row_id")),
        sa.UniqueConstraint("gallery_id", "photo_mark", name=op.f("uq_template_gallery_id_photo_mark")),
        sa.UniqueConstraint("gallery_id", "seq", name=op.f("uq_template_gallery_id_seq")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_template_subject_id"), "template", ["subject_id"])
    op.create_index(op.f("ix_template_gallery_id_state"), "template", ["gallery_id", "state"])


def _intents_and_keys() -> None:
    op.create_table(
        "intent",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        _text("kind"),
        _text("gallery_id"),
        _text("subject_id", null=True),
        _blob("row_ids"),
        _text("state"),
        _seconds("created_at"),
        sa.CheckConstraint("kind IN ('enrol', 'erase', 'gallery')", name=op.f("ck_intent_kind")),
        sa.CheckConstraint("state IN ('preparing', 'committing', 'erasing')", name=op.f("ck_intent_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_key",
        _text("id"),
        _text("name"),
        _text("secret_hash"),
        _text("scopes"),
        _seconds("created_at"),
        _seconds("expires_at"),
        _seconds("revoked_at", null=True),
        _seconds("last_used_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sqlite_strict=True,
    )


def _ledger() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("seq", _BIG, autoincrement=False, nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        _text("kind"),
        _text("act"),
        _text("actor"),
        _text("purpose"),
        _text("gallery_id", null=True),
        _text("subject_id", null=True),
        _blob("reason_sealed", null=True),
        _text("detail"),
        _blob("prev_hash"),
        _blob("hash"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger_entry")),
        sqlite_strict=True,
    )
    append_only("ledger_entry", "seq", "the ledger is only added to")


def upgrade() -> None:
    """Make all tables; the caller's transaction makes it all or nothing."""
    _galleries()
    _subjects()
    _templates()
    _intents_and_keys()
    _ledger()
