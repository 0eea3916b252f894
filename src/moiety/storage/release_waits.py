"""Of whom a written release is asked: rows of their own, so that counting them reads one short index and no person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, literal, null, select, update

from moiety.foundation.ids import GalleryId, SubjectId
from moiety.storage.guard_tables import DecoyRow
from moiety.storage.person_tables import ConsentRow, RecordRow, ReleaseWaitRow
from moiety.storage.records import SubjectState
from moiety.storage.tables import SECONDS, CanaryRow, SubjectRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

_COLUMNS = ("subject_id", "gallery_id", "asked_at", "declined_at")
# Whom nobody has to ask: who is made up, who stands for nobody, who is asked already, who released, who said no.
_OTHERS = (
    select(CanaryRow.subject_id),
    select(DecoyRow.subject_id),
    select(ReleaseWaitRow.subject_id),
    select(ConsentRow.subject_id).where(ConsentRow.withdrawn_at.is_(None)),
    select(RecordRow.subject_id).where(RecordRow.stopped_at.is_not(None)),
)


class ReleaseWaitTable:
    """Who waits, in one transaction; each row goes with its subject."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def ask(self, gallery_id: GalleryId, subject_id: SubjectId, now: float) -> None:
        """Ask one subject; a crash before the commit asks nobody."""
        self._session.merge(ReleaseWaitRow(subject_id=subject_id, gallery_id=gallery_id, asked_at=now))
        self._session.flush()

    def ask_all(self, gallery_id: GalleryId, now: float) -> None:
        """Ask everybody of a gallery who has given no release and has not been asked, in one statement."""
        query = select(SubjectRow.id, SubjectRow.gallery_id, literal(now, SECONDS), null()).where(
            SubjectRow.gallery_id == gallery_id, SubjectRow.state == SubjectState.ACTIVE.value
        )
        for others in _OTHERS:
            query = query.where(SubjectRow.id.not_in(others))
        self._session.execute(insert(ReleaseWaitRow).from_select(_COLUMNS, query))

    def decline(self, subject_id: SubjectId, now: float) -> bool:
        """Note that a subject said no; False if nothing is asked of them, or they said so before."""
        query = update(ReleaseWaitRow).where(
            ReleaseWaitRow.subject_id == subject_id, ReleaseWaitRow.declined_at.is_(None)
        )
        changed = self._session.execute(query.values(declined_at=now).returning(ReleaseWaitRow.subject_id))
        return changed.first() is not None

    def drop(self, subject_id: SubjectId) -> None:
        """Ask nothing more of a subject: the release is there, or nobody may ask."""
        self._session.execute(delete(ReleaseWaitRow).where(ReleaseWaitRow.subject_id == subject_id))

    def among(self, subject_ids: Collection[SubjectId]) -> frozenset[SubjectId]:
        """Say which of up to a thousand subjects still have to answer."""
        query = select(ReleaseWaitRow.subject_id).where(
            ReleaseWaitRow.subject_id.in_(subject_ids), ReleaseWaitRow.declined_at.is_(None)
        )
        return frozenset(SubjectId(one) for one in self._session.scalars(query))

    def counts(self, gallery_ids: Collection[GalleryId], at_most: int) -> dict[GalleryId, int]:
        """Count who still has to answer, by gallery, up to `at_most` in each; galleries without any are left out."""
        counts = {}
        for one in gallery_ids:
            found = select(ReleaseWaitRow.subject_id).where(
                ReleaseWaitRow.gallery_id == one, ReleaseWaitRow.declined_at.is_(None)
            )
            counts[one] = self._session.scalar(select(func.count()).select_from(found.limit(at_most).subquery())) or 0
        return {one: count for one, count in counts.items() if count}

    def oldest(self, gallery_id: GalleryId, limit: int) -> tuple[tuple[SubjectId, float], ...]:
        """Return up to `limit` who still have to answer, with since when they are asked, the longest first."""
        query = (
            select(ReleaseWaitRow.subject_id, ReleaseWaitRow.asked_at)
            .where(ReleaseWaitRow.gallery_id == gallery_id, ReleaseWaitRow.declined_at.is_(None))
            .order_by(ReleaseWaitRow.asked_at, ReleaseWaitRow.subject_id)
            .limit(limit)
        )
        return tuple((SubjectId(subject), asked_at) for subject, asked_at in self._session.execute(query))
