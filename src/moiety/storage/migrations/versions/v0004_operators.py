"""Operators, passkeys, ways in, approvals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0004"
down_revision = "0003"
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


def _operators() -> None:
    op.create_table(
        "operator",
        _text("id"),
        _text("state"),
        _blob("name_sealed", null=True),
        _text("roles"),
        _seconds("created_at"),
        _seconds("disabled_at", null=True),
        sa.CheckConstraint("state IN ('invited', 'active', 'disabled')", name=op.f("ck_operator_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
        sqlite_strict=True,
    )
    op.create_table(
        "passkey",
        _blob("credential"),
        _text("operator_id"),
        _blob("public_key"),
        sa.Column("counter", _BIG, nullable=False),
        _seconds("created_at"),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_passkey_operator_id")),
        sa.PrimaryKeyConstraint("credential", name=op.f("pk_passkey")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_passkey_operator_id"), "passkey", ["operator_id"])
    op.create_table(
        "way_in",
        _blob("code_sha256"),
        _text("operator_id"),
        _seconds("expires_at"),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_way_in_operator_id")),
        sa.PrimaryKeyConstraint("code_sha256", name=op.f("pk_way_in")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_way_in_operator_id"), "way_in", ["operator_id"])


def upgrade() -> None:
    """Add the tables."""
    _operators()
    op.create_table(
        "approval",
        _text("id"),
        _text("kind"),
        _text("state"),
        _text("proposer"),
        _blob("content_sealed"),
        _blob("digest"),
        _seconds("created_at"),
        _seconds("expires_at"),
        _text("approver", null=True),
        _blob("signer", null=True),
        _blob("signature", null=True),
        _seconds("decided_at", null=True),
        sa.CheckConstraint(
            "state IN ('open', 'approved', 'done', 'refused', 'withdrawn')", name=op.f("ck_approval_state")
        ),
        sa.CheckConstraint("approver IS NULL OR approver != proposer", name=op.f("ck_approval_two_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_approval_created_at"), "approval", ["created_at"])
