"""Canaries in the database: which made-up face of the eye is which subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from moiety.foundation.ids import GalleryId, RowId, SubjectId
from moiety.storage.records import Canary, TemplateState
from moiety.storage.tables import CanaryRow, TemplateRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class CanaryTable:
    """The canaries of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def add(self, gallery_id: GalleryId, number: int, subject_id: SubjectId) -> None:
        """Say that a subject is a canary; a crash before the commit leaves neither it nor its subject."""
        self._session.add(CanaryRow(gallery_id=gallery_id, number=number, subject_id=subject_id))
        self._session.flush()

    def searchable(self, gallery_id: GalleryId) -> tuple[Canary, ...]:
        """Return the canaries whose rows a search finds, by number."""
        query = (
            select(CanaryRow.number, CanaryRow.subject_id, TemplateRow.row_id)
            .join(TemplateRow, TemplateRow.subject_id == CanaryRow.subject_id)
            .where(CanaryRow.gallery_id == gallery_id, TemplateRow.state == TemplateState.ACTIVE.value)
            .order_by(CanaryRow.number)
        )
        return tuple(
            Canary(number, SubjectId(subject), RowId(row)) for number, subject, row in self._session.execute(query)
        )

    def subjects(self, gallery_id: GalleryId) -> frozenset[SubjectId]:
        """Return all subjects of the gallery who are canaries, in any state."""
        query = select(CanaryRow.subject_id).where(CanaryRow.gallery_id == gallery_id)
        return frozenset(SubjectId(subject) for subject in self._session.scalars(query))

    def numbers(self, gallery_id: GalleryId) -> frozenset[int]:
        """Return the numbers that are taken, in any state."""
        return frozenset(self._session.scalars(select(CanaryRow.number).where(CanaryRow.gallery_id == gallery_id)))
