"""The tables of those who work here: operators, passkeys, ways in, approvals. Names and contents are sealed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from moiety.storage.tables import BIG, SECONDS, STRICT, Base, JsonList


class OperatorRow(Base):
    """One person who works here."""

    __tablename__ = "operator"
    __table_args__ = (CheckConstraint("state IN ('invited', 'active', 'disabled')", name="state"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    name_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    roles: Mapped[tuple[str, ...]] = mapped_column(JsonList)
    created_at: Mapped[float] = mapped_column(SECONDS)
    disabled_at: Mapped[float | None] = mapped_column(SECONDS)


class PasskeyRow(Base):
    """One passkey; `counter` is the highest that its device has shown."""

    __tablename__ = "passkey"
    __table_args__ = (STRICT,)

    credential: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    operator_id: Mapped[str] = mapped_column(Text, ForeignKey("operator.id"), index=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    counter: Mapped[int] = mapped_column(BIG)
    created_at: Mapped[float] = mapped_column(SECONDS)


class OperatorSubjectRow(Base):
    """Whom the organisation's provider names an operator: a keyed mark of the provider and of its name for them."""

    __tablename__ = "operator_subject"
    __table_args__ = (STRICT,)

    mark: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    operator_id: Mapped[str] = mapped_column(Text, ForeignKey("operator.id"), unique=True)
    created_at: Mapped[float] = mapped_column(SECONDS)


class WayInRow(Base):
    """A link that makes one passkey for one operator, kept as the hash of its secret."""

    __tablename__ = "way_in"
    __table_args__ = (STRICT,)

    code_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    operator_id: Mapped[str] = mapped_column(Text, ForeignKey("operator.id"), index=True)
    expires_at: Mapped[float] = mapped_column(SECONDS)


class ApprovalRow(Base):
    """One act that two people stand behind: what exactly it is, sealed; and who signed it."""

    __tablename__ = "approval"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'approved', 'done', 'refused', 'withdrawn')", name="state"),
        CheckConstraint("approver IS NULL OR approver != proposer", name="two_people"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    proposer: Mapped[str] = mapped_column(Text)
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[float] = mapped_column(SECONDS, index=True)
    expires_at: Mapped[float] = mapped_column(SECONDS)
    approver: Mapped[str | None] = mapped_column(Text)
    signer: Mapped[bytes | None] = mapped_column(LargeBinary)
    signature: Mapped[bytes | None] = mapped_column(LargeBinary)
    decided_at: Mapped[float | None] = mapped_column(SECONDS)
