"""Lists of subjects and photos: ids, dates and counts, nothing personal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import Unavailable, UnknownSubject
from moiety.storage import SubjectState, TemplateState
from moiety.warrants.warrant import Act

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.foundation.ids import PhotoId, SubjectId
    from moiety.matching.desk import Desk
    from moiety.storage import Gallery, Subject


@dataclass(frozen=True, slots=True)
class SubjectInfo:
    """One active subject; times in seconds since 1970."""

    id: SubjectId
    created_at: float
    expires_at: float | None
    photos: int


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """One enrolled photo, of which only the halves of its template are kept.

    `capture` says how it was taken. An `excluded` one is in no search: one of its halves was damaged at a vault.
    An `added` one is not the oldest.
    """

    id: PhotoId
    created_at: float
    capture: str
    excluded: bool
    added: bool


class Directory:
    """Reads what the gate has of subjects."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def page(self, gallery: Gallery, after: SubjectId | None = None, limit: int = 100) -> tuple[SubjectInfo, ...]:
        """Give up to `limit` active subjects whose id follows `after`."""

        def read() -> tuple[SubjectInfo, ...]:
            with self._desk.store.read() as tx:
                page = tx.subjects.page(gallery.id, after=after, limit=limit)
                photos = tx.templates.active_of([one.id for one in page])
                return tuple(_info(one, photos) for one in page)

        return await asyncio.to_thread(read)

    async def subject(self, gallery: Gallery, subject: SubjectId) -> SubjectInfo:
        """Give one active subject.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def read() -> SubjectInfo:
            with self._desk.store.read() as tx:
                found = tx.subjects.get(gallery.id, subject)
                if found.state is not SubjectState.ACTIVE:
                    raise UnknownSubject
                return _info(found, tx.templates.active_of([subject]))

        return await asyncio.to_thread(read)

    async def photos(self, gallery: Gallery, subject: SubjectId) -> tuple[PhotoInfo, ...]:
        """List the photos of one active subject, the oldest first.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """
        await self.subject(gallery, subject)
        # While vault A is away, what it said last still holds: no row comes back into a search without being erased.
        with suppress(Unavailable):
            await self._desk.terms(gallery, Act.SEARCH)
        excluded = self._desk.standing(gallery).excluded

        def read() -> tuple[PhotoInfo, ...]:
            with self._desk.store.read() as tx:
                templates = tx.templates.of_subject(subject)
            active = sorted((t for t in templates if t.state is TemplateState.ACTIVE), key=lambda one: one.seq or 0)
            return tuple(
                PhotoInfo(t.photo_id, t.created_at, t.capture, t.row_id in excluded, added=number > 0)
                for number, t in enumerate(active)
            )

        return await asyncio.to_thread(read)


def _info(subject: Subject, photos: Mapping[SubjectId, int]) -> SubjectInfo:
    """Say of a subject what lists show."""
    return SubjectInfo(subject.id, subject.created_at, subject.expires_at, photos.get(subject.id, 0))
