"""Many people at once, one photo each: what an import enters in one statement a table instead of five a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from moiety.foundation.errors import AlreadyThere, UnknownGallery
from moiety.storage.records import SubjectState, TemplateState
from moiety.storage.tables import GalleryRow, SubjectRow, TemplateRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock
    from moiety.foundation.ids import GalleryId, PhotoId, RowId, SubjectId


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A new subject with one photo."""

    subject_id: SubjectId
    photo_id: PhotoId
    row_id: RowId
    binding: bytes
    photo_mark: bytes


class BatchTable:
    """The batches of one transaction."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def enter(
        self, gallery_id: GalleryId, people: Sequence[Newcomer], *, expires_at: float | None = None
    ) -> list[tuple[RowId, int]]:
        """Add active subjects with an active template each; gives the places (row id, seq), in the order given.

        The vaults have prepared the rows, and an intent for them is in the same transaction: a crash before the commit
        leaves rows at the vaults that nobody here knows, which are let go; after it the vaults are told to commit.

        Raises:
            UnknownGallery: there is no such gallery.
            AlreadyThere: an id or a photo mark is taken; the transaction must be given up.

        """
        gallery = self._session.get(GalleryRow, gallery_id, with_for_update=True)
        if gallery is None:
            raise UnknownGallery
        first, now = gallery.next_seq, self._clock.now()
        gallery.next_seq += len(people)
        subjects = [
            {
                "id": one.subject_id,
                "gallery_id": gallery_id,
                "state": SubjectState.ACTIVE.value,
                "created_at": now,
                "expires_at": expires_at,
            }
            for one in people
        ]
        templates = [
            {
                "photo_id": one.photo_id,
                "gallery_id": gallery_id,
                "subject_id": one.subject_id,
                "row_id": one.row_id,
                "binding": one.binding,
                "photo_mark": one.photo_mark,
                "state": TemplateState.ACTIVE.value,
                "seq": seq,
                "created_at": now,
            }
            for seq, one in enumerate(people, first)
        ]
        try:
            if people:
                self._session.execute(insert(SubjectRow), subjects)
                self._session.execute(insert(TemplateRow), templates)
            self._session.flush()
        except IntegrityError:
            raise AlreadyThere("An id or a photo of this batch is there already.") from None
        return [(one.row_id, seq) for seq, one in enumerate(people, first)]
