"""Subjects in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, cast, delete, func, select, update

from moiety.foundation.errors import AlreadyThere, OnHold, UnknownGallery, UnknownSubject
from moiety.foundation.ids import GalleryId, RowId, SubjectId
from moiety.storage.guard_tables import DecoyRow
from moiety.storage.owed import HELD_SUBJECTS
from moiety.storage.person_tables import ReleaseWaitRow
from moiety.storage.records import StateCounts, Subject, SubjectState, TemplateState
from moiety.storage.tables import CanaryRow, GalleryRow, SubjectFieldRow, SubjectRow, TemplateRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock


DAY_SECONDS = 86_400
_CANARIES = select(CanaryRow.subject_id)
_DECOYS = select(DecoyRow.subject_id)


def _record(row: SubjectRow) -> Subject:
    return Subject(
        id=SubjectId(row.id),
        gallery_id=GalleryId(row.gallery_id),
        state=SubjectState(row.state),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


class SubjectTable:
    """The subjects of one transaction. Every look-up names the gallery: an id of another gallery is unknown."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def add(self, gallery_id: GalleryId, subject_id: SubjectId, *, expires_at: float | None = None) -> Subject:
        """Add a `pending` subject; `expires_at` in seconds since 1970 UTC.

        Raises:
            UnknownGallery: there is no such gallery.
            AlreadyThere: the id is taken.

        """
        if self._session.get(GalleryRow, gallery_id) is None:
            raise UnknownGallery
        if self._session.get(SubjectRow, subject_id) is not None:
            raise AlreadyThere("There is a subject with this id already.")
        row = SubjectRow(
            id=subject_id,
            gallery_id=gallery_id,
            state=SubjectState.PENDING.value,
            created_at=self._clock.now(),
            expires_at=expires_at,
        )
        # A crash after the commit leaves a pending subject that no search or list shows; its enrolment's intent is
        # found at the next start, which activates the subject or deletes it.
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def _row(self, gallery_id: GalleryId, subject_id: SubjectId) -> SubjectRow:
        row = self._session.get(SubjectRow, subject_id)
        if row is None or row.gallery_id != gallery_id:
            raise UnknownSubject
        return row

    def get(self, gallery_id: GalleryId, subject_id: SubjectId) -> Subject:
        """Return one subject in any state.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """
        return _record(self._row(gallery_id, subject_id))

    def activate(self, gallery_id: GalleryId, subject_id: SubjectId) -> Subject:
        """Make a pending subject active; an active one stays so. A crash before the commit leaves it pending.

        Raises:
            UnknownSubject: the gallery has no such subject, or it is being erased.

        """
        row = self._row(gallery_id, subject_id)
        if row.state == SubjectState.ERASING.value:
            raise UnknownSubject("This subject is being erased.")
        row.state = SubjectState.ACTIVE.value
        self._session.flush()
        return _record(row)

    def page(
        self,
        gallery_id: GalleryId,
        *,
        after: SubjectId | None = None,
        limit: int = 100,
        state: SubjectState | None = SubjectState.ACTIVE,
        decoys: bool = True,
    ) -> tuple[Subject, ...]:
        """Return up to `limit` people whose id follows `after`, in the order of their (random) ids; no canaries.

        Decoys stand among them, but where they are not wanted.
        """
        query = select(SubjectRow).where(SubjectRow.gallery_id == gallery_id, SubjectRow.id.not_in(_CANARIES))
        if after is not None:
            query = query.where(SubjectRow.id > after)
        if state is not None:
            query = query.where(SubjectRow.state == state.value)
        if not decoys:
            query = query.where(SubjectRow.id.not_in(_DECOYS))
        return tuple(_record(row) for row in self._session.scalars(query.order_by(SubjectRow.id).limit(limit)))

    def ids(self, gallery_id: GalleryId) -> tuple[SubjectId, ...]:
        """Return the ids of all subjects of a gallery, in any state, canaries too."""
        found = self._session.scalars(select(SubjectRow.id).where(SubjectRow.gallery_id == gallery_id))
        return tuple(SubjectId(one) for one in found)

    def by_blind(self, gallery_id: GalleryId, field_name: str, blind: bytes) -> tuple[Subject, ...]:
        """Return the subjects of the gallery, in any state, whose field has this blind index; oldest first."""
        query = (
            select(SubjectRow)
            .join(SubjectFieldRow, SubjectFieldRow.subject_id == SubjectRow.id)
            .where(SubjectFieldRow.blind == blind, SubjectFieldRow.name == field_name)
            .where(SubjectRow.gallery_id == gallery_id)
            .order_by(SubjectRow.created_at, SubjectRow.id)
        )
        return tuple(_record(row) for row in self._session.scalars(query))

    def expired(self, now: float, *, limit: int = 100) -> tuple[Subject, ...]:
        """Return subjects of all galleries whose time is over at `now`, whose erasure has not begun; none on hold."""
        query = (
            select(SubjectRow)
            .where(SubjectRow.expires_at <= now, SubjectRow.state != SubjectState.ERASING.value)
            .where(SubjectRow.id.not_in(HELD_SUBJECTS))
            .order_by(SubjectRow.expires_at, SubjectRow.id)
            .limit(limit)
        )
        return tuple(_record(row) for row in self._session.scalars(query))

    def ends_by_day(self, gallery_ids: Collection[GalleryId], until: float) -> tuple[tuple[GalleryId, int, int], ...]:
        """Count whose time is over before `until`: (gallery, day, people), the day in days since 1970 UTC; no canaries.

        Decoys are counted, as lists show the days on which they end.
        Who is on hold is counted too: the hold's end lets the erasure go on.
        """
        day = cast(SubjectRow.expires_at, BigInteger) // DAY_SECONDS
        # Asked by the day, from both sides and not by gallery: else SQLite reads all people, not the index of ends.
        query = (
            select(SubjectRow.gallery_id, day, func.count())
            .where(SubjectRow.expires_at >= 0.0, SubjectRow.expires_at < until, SubjectRow.id.not_in(_CANARIES))
            .group_by(day, SubjectRow.gallery_id)
            .order_by(day, SubjectRow.gallery_id)
        )
        found = [(GalleryId(gallery), int(number), count) for gallery, number, count in self._session.execute(query)]
        return tuple(one for one in found if one[0] in gallery_ids)

    def mark_erasing(self, gallery_id: GalleryId, subject_id: SubjectId) -> tuple[RowId, ...]:
        """Take the subject and all its templates out of every search; return the rows that the vaults must drop.

        A crash after the commit leaves the subject erasing: its intent is found at the next start, which goes on
        with the vaults and then calls `delete`. Doing it twice returns the same rows.

        Raises:
            UnknownSubject: the gallery has no such subject.
            OnHold: a legal hold keeps it.

        """
        row = self._row(gallery_id, subject_id)
        if self.held(subject_id):
            raise OnHold
        row.state = SubjectState.ERASING.value
        # Nobody has to ask them anything any more.
        self._session.execute(delete(ReleaseWaitRow).where(ReleaseWaitRow.subject_id == subject_id))
        self._session.execute(
            update(TemplateRow)
            .where(TemplateRow.subject_id == subject_id)
            .values(state=TemplateState.ERASING.value)
            .execution_options(synchronize_session="fetch")
        )
        query = select(TemplateRow.row_id).where(TemplateRow.subject_id == subject_id).order_by(TemplateRow.row_id)
        return tuple(RowId(raw) for raw in self._session.scalars(query))

    def held(self, subject_id: SubjectId) -> bool:
        """Say whether a legal hold keeps a subject from erasure."""
        return self._session.scalar(HELD_SUBJECTS.where(HELD_SUBJECTS.selected_columns[0] == subject_id)) is not None

    def held_among(self, subject_ids: Collection[SubjectId]) -> frozenset[SubjectId]:
        """Say which of up to a thousand subjects a legal hold keeps from erasure."""
        query = HELD_SUBJECTS.where(HELD_SUBJECTS.selected_columns[0].in_(subject_ids))
        return frozenset(SubjectId(one) for one in self._session.scalars(query))

    def here_among(self, gallery_id: GalleryId, subject_ids: Collection[SubjectId]) -> frozenset[SubjectId]:
        """Say which of up to a thousand subjects are of this gallery, in any state."""
        query = select(SubjectRow.id).where(SubjectRow.gallery_id == gallery_id, SubjectRow.id.in_(subject_ids))
        return frozenset(SubjectId(one) for one in self._session.scalars(query))

    def delete(self, gallery_id: GalleryId, subject_id: SubjectId) -> None:
        """Remove the subject with its fields and templates; the freed pages are overwritten (`secure_delete`).

        A crash before the commit leaves all of it, still pending or erasing, and the next start deletes it again.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """
        row = self._row(gallery_id, subject_id)
        self._session.execute(delete(SubjectFieldRow).where(SubjectFieldRow.subject_id == subject_id))
        self._session.execute(delete(CanaryRow).where(CanaryRow.subject_id == subject_id))
        self._session.execute(delete(TemplateRow).where(TemplateRow.subject_id == subject_id))
        self._session.delete(row)
        self._session.flush()

    def count(self, gallery_id: GalleryId) -> StateCounts:
        """Count the gallery's people by state; canaries and decoys do not count."""
        query = (
            select(SubjectRow.state, func.count())
            .where(SubjectRow.gallery_id == gallery_id, SubjectRow.id.not_in(_CANARIES))
            .where(SubjectRow.id.not_in(_DECOYS))
            .group_by(SubjectRow.state)
        )
        found = {SubjectState(state): number for state, number in self._session.execute(query)}
        return StateCounts(
            pending=found.get(SubjectState.PENDING, 0),
            active=found.get(SubjectState.ACTIVE, 0),
            erasing=found.get(SubjectState.ERASING, 0),
        )
