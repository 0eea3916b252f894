"""Which of the ledger's entries tell of a thing that pages show; a hold is active or released, and nothing else."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.sqlite import REAL

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double().with_variant(REAL(), "sqlite")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# In which line of its detail an entry of which acts names what it is about.
_ABOUT = {
    "approval": "approval-sign approval-confirm approval-carry-out approval-refuse approval-withdraw "
    "stop-lift kill-lift",
    "alert": "alert-seen",
    "hold": "hold",
    "emergency": "stop-press kill-press",
}
_STATES = "state IN ('active', 'released')"
_HOLD = "id gallery_id subject_id state proposed_by approved_by release_by released_by created_at review_at"


def upgrade() -> None:
    """Add the table, fill it from the ledger, and let holds have the two states that there are."""
    op.create_table(
        "ledger_about",
        sa.Column("about_id", sa.Text(), nullable=False),
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("about_id", "seq", name=op.f("pk_ledger_about")),
        sqlite_strict=True,
    )
    _fill()
    # Nobody ever made one of these two: what two people had begun to release held until they had.
    op.execute("UPDATE hold SET state = 'active' WHERE state = 'releasing'")
    op.execute("DELETE FROM hold WHERE state = 'proposed'")
    if op.get_bind().dialect.name == "sqlite":
        _hold_anew()
    else:
        op.drop_constraint(op.f("ck_hold_state"), "hold", type_="check")
        op.create_check_constraint(op.f("ck_hold_state"), "hold", _STATES)


def _fill() -> None:
    bind = op.get_bind()
    told = sa.table("ledger_entry", sa.column("seq"), sa.column("act"), sa.column("detail"))
    into = sa.table("ledger_about", sa.column("about_id"), sa.column("seq"))
    for name, act in ((name, act) for name, acts in _ABOUT.items() for act in acts.split()):
        found = bind.execute(sa.select(told.c.seq, told.c.detail).where(told.c.act == act)).all()
        rows = [(json.loads(detail).get(name), seq) for seq, detail in found]
        known = [{"about_id": about, "seq": seq} for about, seq in rows if isinstance(about, str)]
        if known:
            bind.execute(sa.insert(into), known)


def _hold_anew() -> None:
    """Make the table anew: SQLite changes no constraint of one that is there."""
    op.drop_index(op.f("ix_hold_subject_id"), "hold")
    op.rename_table("hold", "hold_before")
    names = _HOLD.split()
    op.create_table(
        "hold",
        *(sa.Column(name, sa.Text(), nullable=name in names[5:8]) for name in names[:8]),
        *(sa.Column(name, _SECONDS, nullable=False) for name in names[8:]),
        sa.CheckConstraint(_STATES, name=op.f("ck_hold_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sqlite_strict=True,
    )
    columns = ", ".join(names)
    op.execute(f"INSERT INTO hold ({columns}) SELECT {columns} FROM hold_before")  # noqa: S608 - fixed words
    op.drop_table("hold_before")
    op.create_index(op.f("ix_hold_subject_id"), "hold", ["subject_id"])
