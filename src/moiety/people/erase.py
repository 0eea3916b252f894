"""Erasure: out of every search at once, then gone from both vaults and the gate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.foundation.errors import NotFound, Unavailable
from moiety.ledger import Kind as Record
from moiety.storage import IntentKind, IntentState

if TYPE_CHECKING:
    from moiety.foundation.ids import PhotoId, SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.settle import Settler
    from moiety.storage import Gallery

BEGUN = "It is in no answer any more; a vault could not destroy its half yet and does so as soon as it can."


class Eraser:
    """Erases subjects and photos."""

    def __init__(self, desk: Desk, settler: Settler) -> None:
        """Work at `desk`; `settler` carries out what is written down."""
        self._desk = desk
        self._settler = settler

    async def subject(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Erase a person: templates, fields and personal key.

        Raises:
            UnknownSubject: the gallery has no such subject.
            Unavailable: a vault is away or full; the subject is in no search any more, and the rest is done later.

        """
        await asyncio.to_thread(self._begin_subject, gallery, subject, asker)
        await self._carry_out(gallery)

    async def photo(self, gallery: Gallery, subject: SubjectId, photo: PhotoId, asker: Asker) -> None:
        """Erase one photo's template.

        Raises:
            UnknownSubject, NotFound: there is no such subject, or the photo is not one of theirs.
            Unavailable: as for `subject`.

        """
        await asyncio.to_thread(self._begin_photo, gallery, subject, photo, asker)
        await self._carry_out(gallery)

    async def _carry_out(self, gallery: Gallery) -> None:
        """Let the settler do now what was written down; if it cannot, the intent stays, and the refusal says so.

        Raises:
            Unavailable: what kept a vault from doing its part.

        """
        try:
            async with self._desk.turns.alone(gallery.id):
                await self._settler.gallery(gallery.id)
        except Unavailable as away:
            raise type(away)(BEGUN) from None

    def _begin_subject(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Take the subject out of search and write down what is to be destroyed."""
        with self._desk.store.begin() as tx:
            # A crash after this: nobody finds the subject, and the next start finishes the erasure.
            rows = tx.subjects.mark_erasing(gallery.id, subject)
            tx.intents.open(IntentKind.ERASE, gallery.id, subject_id=subject, row_ids=rows, state=IntentState.ERASING)
            self._desk.write_down(tx, Record.ERASURE, "erase", gallery, asker, subject=subject, templates=len(rows))

    def _begin_photo(self, gallery: Gallery, subject: SubjectId, photo: PhotoId, asker: Asker) -> None:
        """Take one template out of search and write it down."""
        with self._desk.store.begin() as tx:
            # A crash after this: the template is in no answer, and the next start finishes the erasure.
            tx.subjects.get(gallery.id, subject)
            template = tx.templates.get(photo)
            if template.subject_id != subject:
                raise NotFound("This photo does not belong to the subject.")
            tx.templates.mark_erasing([photo])
            tx.intents.open(IntentKind.ERASE, gallery.id, row_ids=[template.row_id], state=IntentState.ERASING)
            self._desk.write_down(tx, Record.ERASURE, "photo", gallery, asker, subject=subject, photo=photo)
