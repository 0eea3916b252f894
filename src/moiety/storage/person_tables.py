"""Tables of what is owed to a person: rules, records, consents, holds, receipts, follow-ups. Nothing in the clear."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from moiety.storage.tables import BIG, SECONDS, STRICT, Base


class RuleRow(Base):
    """What a gallery asks before it keeps anybody; a gallery without a line has none."""

    __tablename__ = "gallery_rule"
    __table_args__ = (STRICT,)

    gallery_id: Mapped[str] = mapped_column(Text, ForeignKey("gallery.id", ondelete="CASCADE"), primary_key=True)
    consent: Mapped[int] = mapped_column(Integer)
    notice: Mapped[str] = mapped_column(Text)
    basis: Mapped[str] = mapped_column(Text)
    controller: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    keep_days: Mapped[int] = mapped_column(Integer)
    keep_photos: Mapped[int] = mapped_column(Integer)


class RecordRow(Base):
    """Why a subject is kept and by whom; when matching stopped for them. When it ends stands in `subject`."""

    __tablename__ = "subject_record"
    __table_args__ = (
        CheckConstraint("stopped_for IN ('objection', 'withdrawal')", name="stopped_for"),
        Index(None, "gallery_id", "stopped_at"),
        STRICT,
    )

    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    basis: Mapped[str] = mapped_column(Text)
    controller: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    minor: Mapped[int] = mapped_column(Integer)
    last_contact_at: Mapped[float] = mapped_column(SECONDS)
    stopped_at: Mapped[float | None] = mapped_column(SECONDS)
    stopped_for: Mapped[str | None] = mapped_column(Text)


class ConsentRow(Base):
    """One consent; the release itself is a sealed field of the subject, by the consent's id."""

    __tablename__ = "consent"
    __table_args__ = (CheckConstraint("kind IN ('drawn', 'passkey')", name="kind"), Index(None, "subject_id"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"))
    notice: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    by_guardian: Mapped[int] = mapped_column(Integer)
    given_at: Mapped[float] = mapped_column(SECONDS)
    ends_at: Mapped[float] = mapped_column(SECONDS)
    withdrawn_at: Mapped[float | None] = mapped_column(SECONDS)
    release_sha256: Mapped[bytes] = mapped_column(LargeBinary)


class ReleaseWaitRow(Base):
    """A subject of whom a written release is asked and who has given none; `declined_at` is when they said no."""

    __tablename__ = "release_wait"
    __table_args__ = (Index(None, "gallery_id", "declined_at", "asked_at", "subject_id"), STRICT)

    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[float] = mapped_column(SECONDS)
    declined_at: Mapped[float | None] = mapped_column(SECONDS)


class OwnEndRow(Base):
    """An end that was set for one person, before the gallery's clock (`clock_at`) would have ended the record."""

    __tablename__ = "own_end"
    __table_args__ = (CheckConstraint("ends_at <= clock_at", name="earlier"), Index(None, "ends_at"), STRICT)

    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text)
    ends_at: Mapped[float] = mapped_column(SECONDS)
    clock_at: Mapped[float] = mapped_column(SECONDS)


class OwnTemplateRow(Base):
    """The template that a subject keeps themselves: the hash by which it is known again."""

    __tablename__ = "own_template"
    __table_args__ = (STRICT,)

    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[float] = mapped_column(SECONDS)


class HoldRow(Base):
    """A legal hold. No foreign key: erasure asks this table, and what it held stays on record."""

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'released')", name="state"),
        Index(None, "subject_id"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str] = mapped_column(Text)
    approved_by: Mapped[str | None] = mapped_column(Text)
    release_by: Mapped[str | None] = mapped_column(Text)
    released_by: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(SECONDS)
    review_at: Mapped[float] = mapped_column(SECONDS)


class ReceiptRow(Base):
    """What was erased, in ids and counts, under the gate's signature."""

    __tablename__ = "receipt"
    __table_args__ = (Index(None, "subject_id"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    subject_id: Mapped[str] = mapped_column(Text)
    gallery_id: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(Text)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class FollowUpRow(Base):
    """One recipient who was told of a subject and has to know what changed since. No foreign keys: it outlives both."""

    __tablename__ = "follow_up"
    __table_args__ = (
        CheckConstraint("cause IN ('rectified', 'erased', 'objected', 'moved')", name="cause"),
        Index(None, "gallery_id", "done_at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    recipient: Mapped[str] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(BIG)
    act: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(SECONDS)
    done_at: Mapped[float | None] = mapped_column(SECONDS)
    done_by: Mapped[str | None] = mapped_column(Text)
