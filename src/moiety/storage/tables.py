"""The tables of the gate. Nothing about a person stands here in the clear: `tests/contract/test_house_columns.py`."""

from __future__ import annotations

import json

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.sqlite import REAL
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STRICT = {"sqlite_strict": True}


class JsonList(TypeDecorator[tuple[object, ...]]):
    """A tuple of numbers or strings, kept as JSON text; text is what STRICT tables of SQLite accept."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[object, ...] | None, dialect: Dialect) -> str | None:
        """Write compact JSON."""
        del dialect
        return None if value is None else json.dumps(list(value), separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[object, ...] | None:
        """Read it back as a tuple."""
        del dialect
        return None if value is None else tuple(json.loads(value))


# STRICT tables know INTEGER (up to 64 bits) and REAL (a double) only; elsewhere these are BIGINT and DOUBLE PRECISION.
BIG = BigInteger().with_variant(Integer(), "sqlite")
SECONDS: Double[float] = Double().with_variant(REAL(), "sqlite")
# In the order of bytes on a server too, whatever the language of its database.
BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """All tables share one naming of constraints, so that a later migration can name what it drops."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class GalleryRow(Base):
    """One gallery; `next_seq` counts committed templates and never goes back, so an erased seq is not given again."""

    __tablename__ = "gallery"
    __table_args__ = (CheckConstraint("state IN ('pending', 'open', 'closed')", name="state"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    purpose: Mapped[str] = mapped_column(Text)
    model_name: Mapped[str] = mapped_column(Text)
    model_sha256: Mapped[str] = mapped_column(Text)
    dim: Mapped[int] = mapped_column(Integer)
    rotation_id: Mapped[str] = mapped_column(Text)
    fmr_target: Mapped[float] = mapped_column(SECONDS)
    thresholds: Mapped[tuple[int, ...]] = mapped_column(JsonList)
    bands: Mapped[tuple[str, ...]] = mapped_column(JsonList)
    retention_days: Mapped[int | None] = mapped_column(Integer)
    policy_version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    next_seq: Mapped[int] = mapped_column(BIG)
    created_at: Mapped[float] = mapped_column(SECONDS)


class SubjectRow(Base):
    """One person within one gallery: nothing links the same person in two galleries."""

    __tablename__ = "subject"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'active', 'erasing')", name="state"),
        UniqueConstraint("id", "gallery_id"),
        Index(None, "gallery_id", "id"),
        Index(None, "gallery_id", "state", "id"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text, ForeignKey("gallery.id"))
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(SECONDS)
    expires_at: Mapped[float | None] = mapped_column(SECONDS, index=True)


class CanaryRow(Base):
    """A subject whom the eye made up, so that the vaults can be asked what is known; `number` tells the eye which."""

    __tablename__ = "canary"
    __table_args__ = (STRICT,)

    gallery_id: Mapped[str] = mapped_column(Text, ForeignKey("gallery.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    subject_id: Mapped[str] = mapped_column(Text, ForeignKey("subject.id", ondelete="CASCADE"), unique=True)


class SubjectFieldRow(Base):
    """One sealed value about a subject, who is of its gallery: a gallery's can be counted by an index alone."""

    __tablename__ = "subject_field"
    __table_args__ = (
        ForeignKeyConstraint(["subject_id", "gallery_id"], ["subject.id", "subject.gallery_id"]),
        CheckConstraint("klass IN ('label', 'field')", name="klass"),
        Index(None, "gallery_id", "name", "subject_id"),
        STRICT,
    )

    subject_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(BYTEWISE, primary_key=True)
    klass: Mapped[str] = mapped_column(Text)
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    blind: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    created_at: Mapped[float] = mapped_column(SECONDS)
    gallery_id: Mapped[str] = mapped_column(Text)


class TemplateRow(Base):
    """One photo's row at the vaults; the pair (subject, gallery) is one key, so that it cannot stray."""

    __tablename__ = "template"
    __table_args__ = (
        ForeignKeyConstraint(["subject_id", "gallery_id"], ["subject.id", "subject.gallery_id"]),
        CheckConstraint("state IN ('pending', 'active', 'erasing')", name="state"),
        CheckConstraint("state != 'active' OR seq IS NOT NULL", name="numbered"),
        CheckConstraint("capture IN ('attended', 'sent', 'unsaid')", name="capture"),
        UniqueConstraint("gallery_id", "photo_mark"),
        UniqueConstraint("gallery_id", "seq"),
        Index(None, "subject_id"),
        Index(None, "gallery_id", "state"),
        STRICT,
    )

    photo_id: Mapped[str] = mapped_column(Text, primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    row_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    binding: Mapped[bytes] = mapped_column(LargeBinary)
    photo_mark: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(BIG)
    created_at: Mapped[float] = mapped_column(SECONDS)
    capture: Mapped[str] = mapped_column(Text, server_default="unsaid")


class IntentRow(Base):
    """The two-phase journal. No foreign keys: a line may outlive, or be older than, what it speaks of."""

    __tablename__ = "intent"
    __table_args__ = (
        CheckConstraint("kind IN ('enrol', 'erase', 'gallery')", name="kind"),
        CheckConstraint("state IN ('preparing', 'committing', 'erasing')", name="state"),
        {"sqlite_strict": True, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(Text)
    gallery_id: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str | None] = mapped_column(Text)
    row_ids: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(SECONDS)


class ApiKeyRow(Base):
    """One API key; the token itself is shown once and never kept."""

    __tablename__ = "api_key"
    __table_args__ = (STRICT,)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[str] = mapped_column(Text)
    scopes: Mapped[tuple[str, ...]] = mapped_column(JsonList)
    created_at: Mapped[float] = mapped_column(SECONDS)
    expires_at: Mapped[float] = mapped_column(SECONDS)
    revoked_at: Mapped[float | None] = mapped_column(SECONDS)
    last_used_at: Mapped[float | None] = mapped_column(SECONDS)
    made_by: Mapped[str | None] = mapped_column(Text)


BY_ACTOR, BY_GALLERY, BY_ACT, BY_KIND = (f"ix_ledger_entry_by_{one}" for one in ("actor", "gallery", "act", "kind"))


class LedgerRow(Base):
    """One entry of the ledger. No foreign keys: it outlives those it speaks of. Triggers forbid UPDATE and DELETE."""

    __tablename__ = "ledger_entry"
    # What a search asks about, newest first, and behind it what else is asked: the index alone then says what fits.
    __table_args__ = (
        Index(BY_ACTOR, "actor", "seq", "act", "kind", "gallery_id"),
        Index(BY_GALLERY, "gallery_id", "seq", "act", "kind"),
        Index(BY_ACT, "act", "seq", "kind"),
        Index(BY_KIND, "kind", "seq", "act", "actor", "gallery_id"),
        STRICT,
    )

    seq: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    at_us: Mapped[int] = mapped_column(BIG)
    kind: Mapped[str] = mapped_column(Text)
    act: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    gallery_id: Mapped[str | None] = mapped_column(Text)
    subject_id: Mapped[str | None] = mapped_column(Text, index=True)
    reason_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    detail: Mapped[str] = mapped_column(Text)
    prev_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerAboutRow(Base):
    """Which entry tells of a thing that pages show, by its id; the entry itself says it, and is what is proven."""

    __tablename__ = "ledger_about"
    __table_args__ = (STRICT,)

    about_id: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)


class LedgerDayRow(Base):
    """How many entries of one day (in days since 1970 UTC) are alike, between which numbers and moments."""

    __tablename__ = "ledger_day"
    __table_args__ = (STRICT,)

    day: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    act: Mapped[str] = mapped_column(Text, primary_key=True)
    actor: Mapped[str] = mapped_column(Text, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    gallery_id: Mapped[str] = mapped_column(Text, primary_key=True)
    band: Mapped[str] = mapped_column(Text, primary_key=True)
    times: Mapped[int] = mapped_column(BIG)
    first_seq: Mapped[int] = mapped_column(BIG)
    last_seq: Mapped[int] = mapped_column(BIG)
    first_us: Mapped[int] = mapped_column(BIG)
    last_us: Mapped[int] = mapped_column(BIG)


class LedgerHashRow(Base):
    """The root of a full subtree of 256**level entries of the ledger, from level 1 on; added to only, as they are."""

    __tablename__ = "ledger_hash"
    __table_args__ = (STRICT,)

    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerCosignedRow(Base):
    """The newest checkpoint of the ledger that the witness has signed; one row."""

    __tablename__ = "ledger_cosigned"
    __table_args__ = (CheckConstraint("id = 1", name="single"), STRICT)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BIG)
    note: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int] = mapped_column(BIG)
