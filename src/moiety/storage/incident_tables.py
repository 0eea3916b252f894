"""Tables of emergencies, incidents, reports from outside, and drills. Words of people are sealed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from moiety.storage.tables import SECONDS, STRICT, Base, JsonList


class EmergencyRow(Base):
    """One pressing of stop or kill; it stands until two people have lifted it."""

    __tablename__ = "emergency"
    __table_args__ = (CheckConstraint("kind IN ('stop', 'kill')", name="kind"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    pressed_by: Mapped[str] = mapped_column(Text)
    pressed_at: Mapped[float] = mapped_column(SECONDS)
    lifted_by: Mapped[str | None] = mapped_column(Text)
    lifted_at: Mapped[float | None] = mapped_column(SECONDS)


class IncidentRow(Base):
    """One breach, from the moment at which somebody became aware of it."""

    __tablename__ = "incident"
    __table_args__ = (STRICT,)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    opened_by: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[float] = mapped_column(SECONDS)
    aware_at: Mapped[float] = mapped_column(SECONDS)
    began_at: Mapped[float] = mapped_column(SECONDS)
    ended_at: Mapped[float] = mapped_column(SECONDS)
    closed_at: Mapped[float | None] = mapped_column(SECONDS)
    lost: Mapped[tuple[str, ...]] = mapped_column(JsonList)
    galleries: Mapped[tuple[str, ...]] = mapped_column(JsonList)
    done: Mapped[tuple[str, ...]] = mapped_column(JsonList)
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary)


class ReportRow(Base):
    """What a stranger told us of a hole; nothing of the sender but what the text says."""

    __tablename__ = "report"
    __table_args__ = (Index(None, "answered_at", "received_at"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[float] = mapped_column(SECONDS)
    answered_at: Mapped[float | None] = mapped_column(SECONDS)
    answered_by: Mapped[str | None] = mapped_column(Text)
    answer_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)


class DrillRow(Base):
    """A report of drills under the gate's signature: names of drills, counts, a version and times."""

    __tablename__ = "drill_report"
    __table_args__ = (STRICT,)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[float] = mapped_column(SECONDS)
    drills: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    document: Mapped[str] = mapped_column(Text)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
