"""How often somebody failed, one after the other, to pass for a subject: a count and a time, which one success ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from moiety.foundation.ids import SubjectId
from moiety.storage.guard_tables import FailedTryRow
from moiety.storage.tables import SubjectRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock


class FailedTryTable:
    """The failed tries of one transaction; they go with their subject. `way` is `face`, `pin` or `own`."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def of(self, way: str) -> dict[SubjectId, tuple[int, float]]:
        """Give how many failed last, and when the last of them did (seconds since 1970), by subject."""
        query = select(FailedTryRow.subject_id, FailedTryRow.failed, FailedTryRow.last_at)
        found = self._session.execute(query.where(FailedTryRow.way == way))
        return {SubjectId(subject): (failed, at) for subject, failed, at in found}

    def put(self, subject_id: SubjectId, way: str, failed: int) -> None:
        """Keep how many have failed now; 0 forgets them, and so does a subject who was erased meanwhile."""
        if failed and self._session.get(SubjectRow, subject_id) is not None:
            now = self._clock.now()
            self._session.merge(FailedTryRow(subject_id=subject_id, way=way, failed=failed, last_at=now))
        else:
            here = (FailedTryRow.subject_id == subject_id, FailedTryRow.way == way)
            self._session.execute(delete(FailedTryRow).where(*here))
        self._session.flush()
