"""Templates in the database: which row at the vaults is whose. The rows themselves are at the vaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import delete, func, select, update

from moiety.foundation.errors import AlreadyThere, DuplicatePhoto, NotFound, UnknownGallery, UnknownSubject
from moiety.foundation.ids import GalleryId, PhotoId, RowId, SubjectId
from moiety.storage.records import ActiveRow, StateCounts, Template, TemplateState
from moiety.storage.tables import GalleryRow, SubjectRow, TemplateRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock

# Databases bound the number of parameters of one statement; 500 is below every bound.
CHUNK = 500
Item = TypeVar("Item")


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _record(row: TemplateRow) -> Template:
    return Template(
        photo_id=PhotoId(row.photo_id),
        gallery_id=GalleryId(row.gallery_id),
        subject_id=SubjectId(row.subject_id),
        row_id=RowId(row.row_id),
        binding=row.binding,
        photo_mark=row.photo_mark,
        state=TemplateState(row.state),
        seq=row.seq,
        created_at=row.created_at,
        capture=row.capture,
    )


class TemplateTable:
    """The templates of one transaction."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def add(
        self,
        *,
        photo_id: PhotoId,
        gallery_id: GalleryId,
        subject_id: SubjectId,
        row_id: RowId,
        binding: bytes,
        photo_mark: bytes,
        capture: str = "unsaid",
    ) -> Template:
        """Add a `pending` template, which no search finds.

        Raises:
            UnknownSubject: the gallery has no such subject.
            DuplicatePhoto: the gallery has a template with this photo mark, in any state.
            AlreadyThere: the photo id or the row id is taken.

        """
        subject = self._session.get(SubjectRow, subject_id)
        if subject is None or subject.gallery_id != gallery_id:
            raise UnknownSubject
        if self.by_mark(gallery_id, photo_mark) is not None:
            raise DuplicatePhoto
        taken = (TemplateRow.photo_id == photo_id) | (TemplateRow.row_id == row_id)
        if self._session.scalar(select(TemplateRow.photo_id).where(taken).limit(1)) is not None:
            raise AlreadyThere("There is a template with this photo or row id already.")
        row = TemplateRow(
            photo_id=photo_id,
            gallery_id=gallery_id,
            subject_id=subject_id,
            row_id=row_id,
            binding=binding,
            photo_mark=photo_mark,
            state=TemplateState.PENDING.value,
            seq=None,
            created_at=self._clock.now(),
            capture=capture,
        )
        # A crash after the commit leaves a pending template; the enrolment's intent is found at the next start,
        # which activates it if both vaults have committed the row and deletes it if not.
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def activate(self, gallery_id: GalleryId, photo_ids: Sequence[PhotoId]) -> tuple[Template, ...]:
        """Make pending templates searchable and number them, in the order given; active ones keep their number.

        Numbers start at 1, have no gaps at the time they are drawn and are never given twice in a gallery.
        A crash before the commit leaves them pending and the counter where it was.

        Raises:
            UnknownGallery: there is no such gallery.
            NotFound: one of them is not in the gallery, or is being erased; nothing is changed.

        """
        # FOR UPDATE orders writers on databases with several; SQLite's write lock does it there.
        gallery = self._session.get(GalleryRow, gallery_id, with_for_update=True)
        if gallery is None:
            raise UnknownGallery
        rows = [self._session.get(TemplateRow, photo_id) for photo_id in photo_ids]
        found = [row for row in rows if row is not None and row.gallery_id == gallery_id]
        if len(found) != len(rows) or any(row.state == TemplateState.ERASING.value for row in found):
            raise NotFound("One of these templates is not in the gallery or is being erased.")
        for row in found:
            if row.state == TemplateState.PENDING.value:
                row.state = TemplateState.ACTIVE.value
                row.seq = gallery.next_seq
                gallery.next_seq += 1
        self._session.flush()
        return tuple(_record(row) for row in found)

    def get(self, photo_id: PhotoId) -> Template:
        """Return the template of one photo, in any state.

        Raises:
            NotFound: there is none.

        """
        row = self._session.get(TemplateRow, photo_id)
        if row is None:
            raise NotFound("There is no such photo.")
        return _record(row)

    def of_subject(self, subject_id: SubjectId) -> tuple[Template, ...]:
        """Return a subject's templates in any state, in order of photo id."""
        query = select(TemplateRow).where(TemplateRow.subject_id == subject_id).order_by(TemplateRow.photo_id)
        return tuple(_record(row) for row in self._session.scalars(query))

    def active_of(self, subject_ids: Sequence[SubjectId]) -> dict[SubjectId, int]:
        """Count the searchable templates of each of these subjects; those without any are left out."""
        found: dict[SubjectId, int] = {}
        for chunk in _chunks(subject_ids):
            query = (
                select(TemplateRow.subject_id, func.count())
                .where(TemplateRow.subject_id.in_(chunk), TemplateRow.state == TemplateState.ACTIVE.value)
                .group_by(TemplateRow.subject_id)
            )
            found.update((SubjectId(subject), number) for subject, number in self._session.execute(query))
        return found

    def active_rows(self, gallery_id: GalleryId) -> tuple[ActiveRow, ...]:
        """Return the searchable rows of the gallery in the order in which they were committed."""
        query = (
            select(TemplateRow.seq, TemplateRow.row_id)
            .where(TemplateRow.gallery_id == gallery_id, TemplateRow.state == TemplateState.ACTIVE.value)
            .order_by(TemplateRow.seq)
        )
        found = self._session.execute(query)
        return tuple(ActiveRow(seq, RowId(raw)) for seq, raw in found if seq is not None)

    def by_rows(self, gallery_id: GalleryId, row_ids: Sequence[RowId]) -> tuple[Template, ...]:
        """Return those of the gallery's templates, in any state, that have one of these row ids; in no order."""
        found: list[Template] = []
        for chunk in _chunks(row_ids):
            # Asked by row id alone: with the gallery in the question a planner may read the whole gallery.
            query = select(TemplateRow).where(TemplateRow.row_id.in_(chunk))
            found.extend(_record(row) for row in self._session.scalars(query) if row.gallery_id == gallery_id)
        return tuple(found)

    def by_mark(self, gallery_id: GalleryId, photo_mark: bytes) -> Template | None:
        """Return the template, in any state, that was made from the photo with this mark."""
        query = select(TemplateRow).where(TemplateRow.gallery_id == gallery_id, TemplateRow.photo_mark == photo_mark)
        row = self._session.scalar(query)
        return None if row is None else _record(row)

    def mark_erasing(self, photo_ids: Sequence[PhotoId]) -> None:
        """Take templates out of every search.

        A crash after the commit leaves them erasing; the erasure's intent is found at the next start, which goes
        on with the vaults and then calls `delete`.
        """
        for chunk in _chunks(photo_ids):
            self._session.execute(
                update(TemplateRow)
                .where(TemplateRow.photo_id.in_(chunk))
                .values(state=TemplateState.ERASING.value)
                .execution_options(synchronize_session="fetch")
            )

    def move(self, photo_id: PhotoId, subject_id: SubjectId, binding: bytes) -> None:
        """Give a template to another subject of the same gallery; a crash before the commit leaves it where it was.

        Raises:
            NotFound: there is no such photo.

        """
        row = self._session.get(TemplateRow, photo_id)
        if row is None:
            raise NotFound("There is no such photo.")
        row.subject_id, row.binding = subject_id, binding
        self._session.flush()

    def delete(self, photo_ids: Sequence[PhotoId]) -> None:
        """Remove templates; those that are gone already do no harm. A crash before the commit leaves all of them."""
        for chunk in _chunks(photo_ids):
            self._session.execute(
                delete(TemplateRow)
                .where(TemplateRow.photo_id.in_(chunk))
                .execution_options(synchronize_session="fetch")
            )

    def count(self, gallery_id: GalleryId) -> StateCounts:
        """Count the gallery's templates by state."""
        query = (
            select(TemplateRow.state, func.count())
            .where(TemplateRow.gallery_id == gallery_id)
            .group_by(TemplateRow.state)
        )
        found = {TemplateState(state): number for state, number in self._session.execute(query)}
        return StateCounts(
            pending=found.get(TemplateState.PENDING, 0),
            active=found.get(TemplateState.ACTIVE, 0),
            erasing=found.get(TemplateState.ERASING, 0),
        )
