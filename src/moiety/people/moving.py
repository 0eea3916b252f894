"""Merging two records of one person, and splitting photos off that are another person's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput, MatchingStopped, NotFound, OnHold, UnknownSubject
from moiety.ledger import Kind as Record
from moiety.matching import vigil
from moiety.people.admission import admit
from moiety.people.burial import drop_image
from moiety.people.changing import changed
from moiety.people.fields import RESERVED
from moiety.people.follow_ups import note_change
from moiety.storage import SubjectState, TemplateState

if TYPE_CHECKING:
    from collections.abc import Collection

    from moiety.foundation.ids import PhotoId, SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.changing import Changed
    from moiety.people.erase import Eraser
    from moiety.people.fields import Fields
    from moiety.storage import Gallery, Template, Transaction


class Moving:
    """Moves photos from one subject to another of the same gallery."""

    def __init__(self, desk: Desk, fields: Fields, eraser: Eraser) -> None:
        """Work at `desk`; `eraser` removes what is left of a merged record."""
        self._desk = desk
        self._fields = fields
        self._eraser = eraser

    async def merge(self, gallery: Gallery, subject: SubjectId, into: SubjectId, asker: Asker) -> Changed:
        """Give all photos of `subject` to `into`, with the fields that `into` lacks; then erase `subject`.

        A consent is not carried over: `into` needs its own where the gallery asks for one.

        Raises:
            UnknownSubject: one of them is not in the gallery.
            OnHold: a legal hold keeps `subject`.
            Locked: `into` is nobody.
            ConsentNeeded, MatchingStopped: `into` may not have a face.
            SignatureNeeded: somebody must sign the reveal of what is carried over.

        """
        self._differ(subject, into)
        await asyncio.to_thread(vigil.check_decoys, self._desk, gallery, asker, [into])
        missing = await asyncio.to_thread(self._missing, gallery, subject, into)
        if missing:
            values = await self._fields.reveal(gallery, [(subject, name) for name in missing], asker)
            await self._fields.put(gallery, into, {name: value for (_, name), value in values.items()}, asker)
        made = await asyncio.to_thread(self._move, gallery, subject, into, None, asker)
        # A crash before this is finished leaves an empty record whose time is over: the clock erases it.
        await self._eraser.expire(gallery, subject, asker)
        return made

    async def split(
        self, gallery: Gallery, subject: SubjectId, photos: Collection[PhotoId], into: SubjectId, asker: Asker
    ) -> Changed:
        """Give some photos of `subject` to another person who has a record already.

        Raises:
            UnknownSubject, NotFound: one of them, or a photo, is not there.
            ConsentNeeded, MatchingStopped: `into` may not have a face.

        """
        self._differ(subject, into)
        if not photos:
            raise BadInput("Say which photos are the other person's.")
        await asyncio.to_thread(vigil.check_decoys, self._desk, gallery, asker, [into])
        return await asyncio.to_thread(self._move, gallery, subject, into, photos, asker)

    @staticmethod
    def _differ(subject: SubjectId, into: SubjectId) -> None:
        if subject == into:
            raise BadInput("These are the same record.")

    def _missing(self, gallery: Gallery, subject: SubjectId, into: SubjectId) -> list[str]:
        """Name the plain fields that only the record has that goes."""
        with self._desk.store.read() as tx:
            if tx.subjects.held(subject):
                raise OnHold
            _active(tx, gallery, subject, into)
            admit(tx, gallery, into, self._desk.clock.now())
            there = {one.name for one in tx.fields.list(into)}
            names = [one.name for one in tx.fields.list(subject)]
        return [name for name in names if name not in there and not name.startswith(RESERVED)]

    def _move(
        self,
        gallery: Gallery,
        subject: SubjectId,
        into: SubjectId,
        photos: Collection[PhotoId] | None,
        asker: Asker,
    ) -> Changed:
        """Move photos, or all of them (None): their rows at the vaults stay where they are."""
        now = self._desk.clock.now()
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves each photo with whom it was.
            _active(tx, gallery, subject, into)
            if tx.subjects.held(subject):
                raise OnHold
            record = tx.records.get(subject)
            if record is not None and record.stopped_at is not None:
                raise MatchingStopped
            admit(tx, gallery, into, now)
            moved = _chosen(tx.templates.of_subject(subject), photos)
            for one in moved:
                tx.templates.move(one.photo_id, into, self._desk.bind_row(gallery, one.row_id, into))
                # A kept picture is sealed for the person it was taken to show; it does not stay with them.
                drop_image(tx, subject, one.photo_id)
            made = note_change(tx, gallery.id, subject, "moved", now)
            if photos is None:
                tx.ends.force(subject, now)
            act = "merge" if photos is None else "split"
            self._desk.write_down(
                tx, Record.COMBINATION, act, gallery, asker, subject=subject, into=into, photos=len(moved)
            )
            return changed(made)


def _active(tx: Transaction, gallery: Gallery, *subjects: SubjectId) -> None:
    """Check that all of them are there."""
    for subject in subjects:
        if tx.subjects.get(gallery.id, subject).state is not SubjectState.ACTIVE:
            raise UnknownSubject


def _chosen(there: tuple[Template, ...], photos: Collection[PhotoId] | None) -> list[Template]:
    """Pick the active photos that are meant, or all."""
    active = [one for one in there if one.state is TemplateState.ACTIVE]
    if photos is None:
        return active
    found = [one for one in active if one.photo_id in set(photos)]
    if len(found) != len(set(photos)):
        raise NotFound("One of these photos is not this subject's.")
    return found
