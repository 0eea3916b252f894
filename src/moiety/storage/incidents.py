"""Emergencies, incidents, reports from outside and drills in the database. No row goes; texts of reports end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select, update

from moiety.foundation.errors import NotFound
from moiety.storage.access_tables import WayInRow
from moiety.storage.incident_records import DrillReport, Incident, Pressed, Report, Switch
from moiety.storage.incident_tables import DrillRow, EmergencyRow, IncidentRow, ReportRow
from moiety.storage.person_records import as_columns, of_row
from moiety.storage.tables import ApiKeyRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

LISTED_MAX = 200


class EmergencyTable:
    """The switches of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, pressed: Pressed) -> None:
        """Write a pressing, or its end; a crash before the commit leaves it as it was."""
        self._session.merge(EmergencyRow(**as_columns(pressed)))
        self._session.flush()

    def on(self, switch: Switch) -> Pressed | None:
        """Return the pressing of a switch that stands, or None."""
        query = select(EmergencyRow).where(EmergencyRow.kind == switch.value, EmergencyRow.lifted_at.is_(None))
        row = self._session.scalars(query.order_by(EmergencyRow.pressed_at).limit(1)).first()
        return None if row is None else of_row(Pressed, row)

    def list(self) -> tuple[Pressed, ...]:
        """Return the newest pressings, newest first."""
        query = select(EmergencyRow).order_by(EmergencyRow.pressed_at.desc(), EmergencyRow.id).limit(LISTED_MAX)
        return tuple(of_row(Pressed, row) for row in self._session.scalars(query))

    def kills(self) -> int:
        """Count how often the kill switch was ever pressed: whoever came in before the last time is out."""
        query = select(func.count()).select_from(EmergencyRow).where(EmergencyRow.kind == Switch.KILL.value)
        return self._session.scalar(query) or 0

    def standing(self, switch: Switch) -> int:
        """Count the pressings of a switch that stand."""
        query = select(func.count()).where(EmergencyRow.kind == switch.value, EmergencyRow.lifted_at.is_(None))
        return self._session.scalar(query) or 0

    def lift(self, switch: Switch, by: str, at: float) -> None:
        """End every pressing of a switch that stands; a crash before the commit leaves them all."""
        pressed = (EmergencyRow.kind == switch.value, EmergencyRow.lifted_at.is_(None))
        self._session.execute(update(EmergencyRow).where(*pressed).values(lifted_by=by, lifted_at=at))
        self._session.flush()

    def revoke(self, at: float) -> int:
        """Revoke every API key and every link of an invitation, with the same commit; gives how many keys."""
        alive = list(self._session.scalars(select(ApiKeyRow.id).where(ApiKeyRow.revoked_at.is_(None))))
        self._session.execute(update(ApiKeyRow).where(ApiKeyRow.id.in_(alive)).values(revoked_at=at))
        self._session.execute(delete(WayInRow))
        self._session.flush()
        return len(alive)


class IncidentTable:
    """The incidents of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, incident: Incident) -> None:
        """Write an incident; a crash before the commit leaves it as it was."""
        self._session.merge(IncidentRow(**as_columns(incident)))
        self._session.flush()

    def get(self, incident_id: str) -> Incident:
        """Return one.

        Raises:
            NotFound: there is no such incident.

        """
        row = self._session.get(IncidentRow, incident_id)
        if row is None:
            raise NotFound("There is no such incident.")
        return of_row(Incident, row)

    def list(self) -> tuple[Incident, ...]:
        """Return open ones first, then by time, newest first."""
        order = (IncidentRow.closed_at.is_not(None), IncidentRow.opened_at.desc(), IncidentRow.id)
        rows = self._session.scalars(select(IncidentRow).order_by(*order).limit(LISTED_MAX))
        return tuple(of_row(Incident, row) for row in rows)

    def open(self) -> tuple[Incident, ...]:
        """Return those that nobody has closed, by the end of their clocks."""
        query = (
            select(IncidentRow).where(IncidentRow.closed_at.is_(None)).order_by(IncidentRow.aware_at, IncidentRow.id)
        )
        return tuple(of_row(Incident, row) for row in self._session.scalars(query.limit(LISTED_MAX)))


def _with_texts(before: float) -> tuple[ColumnElement[bool], ...]:
    """Select reports that hold a text, and were answered before a time, or came before it and were never answered."""
    held = or_(ReportRow.content_sealed != b"", ReportRow.answer_sealed.is_not(None))
    return func.coalesce(ReportRow.answered_at, ReportRow.received_at) < before, held


class ReportTable:
    """The reports from outside of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, report: Report) -> None:
        """Write a report or its answer; a crash before the commit leaves it as it was."""
        self._session.merge(ReportRow(**as_columns(report)))
        self._session.flush()

    def find(self, report_id: str) -> Report | None:
        """Return one, or None."""
        row = self._session.get(ReportRow, report_id)
        return None if row is None else of_row(Report, row)

    def list(self) -> tuple[Report, ...]:
        """Return those without an answer first, each by time, oldest first."""
        order = (ReportRow.answered_at.is_not(None), ReportRow.received_at, ReportRow.id)
        rows = self._session.scalars(select(ReportRow).order_by(*order).limit(LISTED_MAX))
        return tuple(of_row(Report, row) for row in rows)

    def waiting(self, before: float = float("inf")) -> int:
        """Count the reports without an answer that came before a time."""
        query = select(func.count()).select_from(ReportRow).where(ReportRow.answered_at.is_(None))
        if before != float("inf"):
            query = query.where(ReportRow.received_at < before)
        return self._session.scalar(query) or 0

    def oldest(self) -> float | None:
        """Say when the oldest report without an answer came."""
        return self._session.scalar(select(func.min(ReportRow.received_at)).where(ReportRow.answered_at.is_(None)))

    def outlived(self, before: float) -> bool:
        """Whether there is a report that was answered, or came and never was, before a time and has a text yet."""
        return self._session.scalar(select(ReportRow.id).where(*_with_texts(before)).limit(1)) is not None

    def erase_texts(self, before: float) -> dict[str, bool]:
        """Erase the texts of every report that was answered, or came and never was, before a time.

        Gives the number of each that had one, and whether it was answered. Number, times and who answered stay, and
        who was never answered goes on to wait. A crash before the commit leaves all texts.
        """
        query = select(ReportRow.id, ReportRow.answered_at).where(*_with_texts(before)).order_by(ReportRow.id)
        due = {number: answered is not None for number, answered in self._session.execute(query)}
        emptied = update(ReportRow).where(ReportRow.id.in_(due)).values(content_sealed=b"", answer_sealed=None)
        self._session.execute(emptied)
        self._session.flush()
        return due


class DrillTable:
    """The reports of drills of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def add(self, report: DrillReport) -> None:
        """Keep a report; a crash before the commit leaves none."""
        self._session.add(DrillRow(**as_columns(report)))
        self._session.flush()

    def list(self, limit: int = LISTED_MAX) -> tuple[DrillReport, ...]:
        """Return the newest, newest first."""
        query = select(DrillRow).order_by(DrillRow.at.desc(), DrillRow.id).limit(limit)
        return tuple(of_row(DrillReport, row) for row in self._session.scalars(query))
