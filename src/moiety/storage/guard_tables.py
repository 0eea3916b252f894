"""Tables of what keeps lookers in bounds: alerts, locks, what was spent, failed tries, decoys, deployments."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from moiety.storage.tables import BIG, SECONDS, STRICT, Base


class AlertRow(Base):
    """One notice for another unit. No foreign keys: it outlives whom it is about."""

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint("kind IN ('canary', 'repeated', 'budget', 'contested')", name="kind"),
        Index(None, "seen_at", "created_at"),
        Index(None, "actor", "kind"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    gallery_id: Mapped[str | None] = mapped_column(Text)
    subject_id: Mapped[str | None] = mapped_column(Text)
    times: Mapped[int] = mapped_column(BIG)
    created_at: Mapped[float] = mapped_column(SECONDS)
    last_at: Mapped[float] = mapped_column(SECONDS)
    seen_at: Mapped[float | None] = mapped_column(SECONDS)
    seen_by: Mapped[str | None] = mapped_column(Text)


class LockRow(Base):
    """An account or key that is locked, and the alert that it is for."""

    __tablename__ = "account_lock"
    __table_args__ = (STRICT,)

    actor: Mapped[str] = mapped_column(Text, primary_key=True)
    alert_id: Mapped[str] = mapped_column(Text)
    since: Mapped[float] = mapped_column(SECONDS)


class SpentRow(Base):
    """What one actor opened in one hour since 1970."""

    __tablename__ = "spent"
    __table_args__ = (CheckConstraint("meter IN ('label', 'field')", name="meter"), STRICT)

    actor: Mapped[str] = mapped_column(Text, primary_key=True)
    meter: Mapped[str] = mapped_column(Text, primary_key=True)
    hour: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(BIG)


class DecoyRow(Base):
    """A subject who is nobody: no one has a reason to open it. It goes with its subject."""

    __tablename__ = "decoy"
    __table_args__ = (STRICT,)

    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    planted_at: Mapped[float] = mapped_column(SECONDS)


class FailedTryRow(Base):
    """How often somebody failed, one after the other, to pass for a subject in one way. It goes with its subject."""

    __tablename__ = "failed_try"
    __table_args__ = (CheckConstraint("way IN ('face', 'pin', 'own')", name="way"), STRICT)

    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    way: Mapped[str] = mapped_column(Text, primary_key=True)
    failed: Mapped[int] = mapped_column(BIG)
    last_at: Mapped[float] = mapped_column(SECONDS)


class LookRow(Base):
    """How the last newcomers of a gallery look; `settled` is how many had come when no decoy was missing."""

    __tablename__ = "look"
    __table_args__ = (STRICT,)

    gallery_id: Mapped[str] = mapped_column(Text, ForeignKey("gallery.id", ondelete="CASCADE"), primary_key=True)
    came: Mapped[int] = mapped_column(BIG)
    settled: Mapped[int] = mapped_column(BIG)
    looks_sealed: Mapped[bytes] = mapped_column(LargeBinary)


class DeploymentRow(Base):
    """What a gallery is used under."""

    __tablename__ = "deployment"
    __table_args__ = (STRICT,)

    gallery_id: Mapped[str] = mapped_column(Text, ForeignKey("gallery.id", ondelete="CASCADE"), primary_key=True)
    assessment: Mapped[str] = mapped_column(Text)
    review_at: Mapped[float] = mapped_column(SECONDS)
    police: Mapped[int] = mapped_column(Integer)
    two_to_search: Mapped[int] = mapped_column(Integer)
