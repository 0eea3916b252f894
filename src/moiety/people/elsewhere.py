"""One person's enrolments for several purposes: put together for one answer, by the reference; no link is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput, ConsentNeeded, Forbidden, MatchingStopped, UnknownSubject
from moiety.ledger import Kind as Record
from moiety.people.admission import in_force
from moiety.people.fields import REFERENCE
from moiety.people.registrar import Newcomer
from moiety.storage import GalleryState, SubjectState

if TYPE_CHECKING:
    from collections.abc import Collection

    from moiety.foundation.ids import GalleryId, SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.fields import Fields
    from moiety.people.registrar import Registrar
    from moiety.people.rules import Stated
    from moiety.storage import Gallery, Transaction

POLICE: Final = "Records of the police are not put together with those for other purposes, nor others with them."
CONTROLLER: Final = "Only galleries whose rules name the same controller put their records together."
CONSENT: Final = "This person consents to nothing here now; their records stay apart."
YOUNG: Final = "A person under eighteen is entered with a guardian; do that in the other gallery itself."


@dataclass(frozen=True, slots=True)
class Other:
    """A record of the same reference in another gallery; times in seconds since 1970."""

    gallery: Gallery
    subject: SubjectId
    photos: int
    created_at: float
    expires_at: float | None


class Elsewhere:
    """Finds a person's other enrolments, and enrols them for a further purpose."""

    def __init__(self, desk: Desk, fields: Fields, registrar: Registrar) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._fields = fields
        self._registrar = registrar

    async def records(
        self, gallery: Gallery, subject: SubjectId, among: Collection[GalleryId], asker: Asker
    ) -> tuple[Other, ...]:
        """Give a person's records in those of the galleries `among` that may be put together with this one.

        The reference is opened at vault B, as for a reveal, and used here alone.

        Raises:
            UnknownSubject, NotFound: there is no such subject, or it has no reference.
            Forbidden, ConsentNeeded, MatchingStopped: this record stays by itself.
            SignatureNeeded, WarrantRefused, RateLimited, Locked: as for a reveal.

        """
        controller = await asyncio.to_thread(self._controller, gallery, subject)
        near = await asyncio.to_thread(self._near, gallery, controller, among)
        reference = await self._reference(gallery, subject, asker)
        hits = []
        for there in near:
            await self._fields.charge_look(there, asker)
            hits.append((there, await self._fields.find(there, reference)))

        def note() -> tuple[Other, ...]:
            with self._desk.store.begin() as tx:
                # A crash after this leaves entries for an answer that nobody saw.
                found = [self._seen(tx, there, hit) for there, hit in hits if hit and self._open(tx, there, hit)]
                shown = {one.gallery.id: one.subject for one in found}
                for where, who in ((gallery, subject), *((one, shown.get(one.id)) for one in near)):
                    there = len(found) + 1
                    self._desk.write_down(
                        tx, Record.COMBINATION, "find", where, asker, subject=who, galleries=there, hit=int(bool(who))
                    )
                return tuple(found)

        return await asyncio.to_thread(note)

    async def enter(
        self, gallery: Gallery, subject: SubjectId, there: Gallery, stated: Stated, asker: Asker
    ) -> SubjectId:
        """Enter a person of one gallery in another, by the reference and with nothing else of this record.

        The release for the other purpose is asked for there; a face kept here goes nowhere.

        Raises:
            UnknownSubject, NotFound: there is no such subject, or it has no reference.
            Forbidden, ConsentNeeded, MatchingStopped: this record stays by itself.
            BadInput: the person is under eighteen, or the other gallery's record would say too little.
            AlreadyThere: the other gallery has somebody with this reference.
            SignatureNeeded, WarrantRefused, RateLimited, Locked: as for a reveal.

        """
        controller = await asyncio.to_thread(self._controller, gallery, subject, grown=True)
        if not await asyncio.to_thread(self._near, gallery, controller, [there.id]):
            raise Forbidden(CONTROLLER)
        reference = await self._reference(gallery, subject, asker)
        made = await self._registrar.enter(there, Newcomer(reference, stated=stated), asker)

        def note() -> None:
            with self._desk.store.begin() as tx:
                # A crash before this leaves the entry of the collection alone.
                self._desk.write_down(tx, Record.COMBINATION, "carry", gallery, asker, subject=subject, into=made)

        await asyncio.to_thread(note)
        return made

    async def _reference(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> str:
        """Open the reference, for nobody's eyes."""
        asked = (subject, REFERENCE)
        return (await self._fields.reveal(gallery, [asked], asker))[asked]

    def _controller(self, gallery: Gallery, subject: SubjectId, *, grown: bool = False) -> str:
        """Check that this record may be put together with others; gives who answers for the gallery."""
        with self._desk.store.read() as tx:
            if tx.subjects.get(gallery.id, subject).state is not SubjectState.ACTIVE:
                raise UnknownSubject
            rule, record = tx.rules.get(gallery.id), tx.records.get(subject)
            if _police(tx, gallery.id):
                raise Forbidden(POLICE)
            if rule is None:
                raise Forbidden(CONTROLLER)
            if record is not None and record.stopped_at is not None:
                raise MatchingStopped
            if grown and record is not None and record.minor:
                raise BadInput(YOUNG)
            if not self._open(tx, gallery, subject):
                raise ConsentNeeded(CONSENT)
            return rule.controller

    def _near(self, gallery: Gallery, controller: str, among: Collection[GalleryId]) -> list[Gallery]:
        """Give the other open galleries of the same controller; none of the police."""
        with self._desk.store.read() as tx:
            near = []
            for one in tx.galleries.list():
                if one.id not in among or one.id == gallery.id or one.state is not GalleryState.OPEN:
                    continue
                rule = tx.rules.get(one.id)
                if rule is not None and rule.controller == controller and not _police(tx, one.id):
                    near.append(one)
            return near

    def _open(self, tx: Transaction, gallery: Gallery, subject: SubjectId) -> bool:
        """Say whether consent, where the gallery asks for it, is in force, and nothing was objected to."""
        rule, record, now = tx.rules.get(gallery.id), tx.records.get(subject), self._desk.clock.now()
        if record is not None and record.stopped_at is not None:
            return False
        if rule is None or not rule.consent:
            return True
        return any(in_force(rule, one, now) for one in tx.consents.of_subject(subject))

    @staticmethod
    def _seen(tx: Transaction, there: Gallery, subject: SubjectId) -> Other:
        """Describe a record; nothing of it is opened."""
        kept = tx.subjects.get(there.id, subject)
        photos = tx.templates.active_of([subject]).get(subject, 0)
        return Other(there, subject, photos, kept.created_at, kept.expires_at)


def _police(tx: Transaction, gallery: GalleryId) -> bool:
    """Say whether a gallery is the police's."""
    under = tx.deployments.get(gallery)
    return under is not None and under.police
