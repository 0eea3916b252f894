"""When records end: by their gallery's clock, at once, or on an earlier day that was set for one person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, cast, delete, func, select, update

from moiety.foundation.ids import GalleryId, SubjectId
from moiety.storage.person_records import OwnEnd, as_columns, of_row
from moiety.storage.person_tables import OwnEndRow
from moiety.storage.subjects import DAY_SECONDS
from moiety.storage.tables import SubjectRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session


class EndTable:
    """The ends of one transaction; a crash before its commit leaves the old ones."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def own(self, subject_id: SubjectId) -> OwnEnd | None:
        """Return the end that was set for a subject, or None."""
        row = self._session.get(OwnEndRow, subject_id)
        return None if row is None else of_row(OwnEnd, row)

    def force(self, subject_id: SubjectId, expires_at: float) -> None:
        """End a record at a moment, whatever its clock or anybody said before."""
        self._session.execute(delete(OwnEndRow).where(OwnEndRow.subject_id == subject_id))
        self._expire(subject_id, expires_at)

    def renew(self, subject_id: SubjectId, clock_at: float) -> float:
        """Note what the gallery's clock says now; gives the end, which stays where somebody set an earlier one."""
        own = self.own(subject_id)
        if own is None or own.ends_at > clock_at:
            self.force(subject_id, clock_at)
            return clock_at
        self.put(OwnEnd(subject_id, own.gallery_id, own.ends_at, clock_at))
        return own.ends_at

    def put(self, own: OwnEnd) -> None:
        """Set an end for one person."""
        self._session.merge(OwnEndRow(**as_columns(own)))
        self._expire(own.subject_id, own.ends_at)

    def _expire(self, subject_id: SubjectId, expires_at: float) -> None:
        """Say when a subject's time is over."""
        self._session.execute(
            update(SubjectRow)
            .where(SubjectRow.id == subject_id)
            .values(expires_at=expires_at)
            .execution_options(synchronize_session="fetch")
        )
        self._session.flush()

    def own_by_day(self, gallery_ids: Collection[GalleryId], until: float) -> dict[tuple[GalleryId, int], int]:
        """Count the ends before `until` that were set for one person, by gallery and day since 1970 UTC."""
        day = cast(OwnEndRow.ends_at, BigInteger) // DAY_SECONDS
        query = (
            select(OwnEndRow.gallery_id, day, func.count())
            .where(OwnEndRow.ends_at >= 0.0, OwnEndRow.ends_at < until)
            .group_by(day, OwnEndRow.gallery_id)
        )
        found = self._session.execute(query)
        return {(GalleryId(one), int(number)): count for one, number, count in found if one in gallery_ids}
