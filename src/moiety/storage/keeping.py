"""Rules of galleries, and the records that say why a subject is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from moiety.foundation.ids import GalleryId, SubjectId
from moiety.storage.person_records import Rule, SubjectRecord, as_columns, of_row
from moiety.storage.person_tables import RecordRow, RuleRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session


class RuleTable:
    """The galleries' rules of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, rule: Rule) -> None:
        """Set a gallery's rule; a crash before the commit leaves the old one."""
        self._session.merge(RuleRow(**as_columns(rule)))
        self._session.flush()

    def get(self, gallery_id: GalleryId) -> Rule | None:
        """Return a gallery's rule, or None where nobody has set any."""
        row = self._session.get(RuleRow, gallery_id)
        return None if row is None else of_row(Rule, row)


class RecordTable:
    """The records of one transaction; each goes with its subject."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, record: SubjectRecord) -> None:
        """Write a subject's record, over the old one; a crash before the commit leaves the old one."""
        self._session.merge(RecordRow(**as_columns(record)))
        self._session.flush()

    def get(self, subject_id: SubjectId) -> SubjectRecord | None:
        """Return a subject's record, or None for one from before there were records."""
        row = self._session.get(RecordRow, subject_id)
        return None if row is None else of_row(SubjectRecord, row)

    def of_several(self, subject_ids: Collection[SubjectId]) -> dict[SubjectId, SubjectRecord]:
        """Return the records of up to a thousand subjects; those without one are left out."""
        rows = self._session.scalars(select(RecordRow).where(RecordRow.subject_id.in_(subject_ids)))
        return {SubjectId(row.subject_id): of_row(SubjectRecord, row) for row in rows}

    def stopped(self, gallery_id: GalleryId) -> frozenset[SubjectId]:
        """Return all subjects of a gallery for whom matching has stopped."""
        query = select(RecordRow.subject_id).where(
            RecordRow.gallery_id == gallery_id, RecordRow.stopped_at.is_not(None)
        )
        return frozenset(SubjectId(one) for one in self._session.scalars(query))
