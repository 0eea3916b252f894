"""Which template a person keeps is in force: a hash of it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from moiety.storage.person_tables import OwnTemplateRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock
    from moiety.foundation.ids import SubjectId


class OwnTemplateTable:
    """The hashes of one transaction; they go with their subject."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def put(self, subject_id: SubjectId, digest: bytes) -> None:
        """Put a hash into force, in the place of the one before."""
        self._session.merge(OwnTemplateRow(subject_id=subject_id, digest=digest, created_at=self._clock.now()))
        self._session.flush()

    def digest(self, subject_id: SubjectId) -> bytes | None:
        """Return the hash that is in force, or None."""
        return self._session.scalar(select(OwnTemplateRow.digest).where(OwnTemplateRow.subject_id == subject_id))

    def since(self, subject_id: SubjectId) -> float | None:
        """Return since when one is in force, or None."""
        return self._session.scalar(select(OwnTemplateRow.created_at).where(OwnTemplateRow.subject_id == subject_id))

    def drop(self, subject_id: SubjectId) -> bool:
        """Remove what is in force; says whether anything was."""
        there = self.digest(subject_id) is not None
        self._session.execute(delete(OwnTemplateRow).where(OwnTemplateRow.subject_id == subject_id))
        self._session.flush()
        return there
