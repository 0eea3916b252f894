"""Erasure: out of every search at once, then gone from both vaults and the gate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.foundation.errors import NotFound, OnHold, OutOfStep, Unavailable, WarrantRefused
from moiety.ledger import Kind as Record
from moiety.people.enrol import MADE_UP
from moiety.people.receipts import Gone, issue
from moiety.storage import IntentKind, IntentState
from moiety.warrants import targets
from moiety.warrants.warrant import Act

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moiety.foundation.ids import PhotoId, RowId, SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.matching.signing import Signed, Terms
    from moiety.people.settle import Settler
    from moiety.storage import Gallery, Intent, Transaction

BEGUN = "It is in no answer any more; a vault could not destroy its half yet and does so as soon as it can."
REFUSED = "A vault refused what was signed. It is in no answer any more, and is destroyed once a good signature comes."
CHANGED = "Photos came or went while somebody was about to sign; ask again."


class Eraser:
    """Erases subjects and photos."""

    def __init__(self, desk: Desk, settler: Settler) -> None:
        """Work at `desk`; `settler` carries out what is written down."""
        self._desk = desk
        self._settler = settler

    async def subject(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Erase a person: templates, fields and personal key; one whose erasure was begun and not finished, too.

        Raises:
            UnknownSubject: the gallery has no such subject.
            OnHold: a legal hold keeps them.
            SignatureNeeded: the policy wants a signature that has not come.
            WarrantRefused: a vault refuses; the subject is in no search any more.
            Unavailable: a vault is away or full; the subject is in no search any more, and the rest is done later.

        """
        terms = await self._desk.terms(gallery, Act.ERASE)
        signed, rows = None, None
        if not terms.at_once:
            rows = await asyncio.to_thread(self._rows, gallery, subject)
            signed = await self._signed(terms, asker, rows, subject)
        intent = await asyncio.to_thread(self._begin_subject, gallery, subject, asker, rows, _signers(signed))
        await self._carry_out(gallery, intent, signed)

    async def photo(self, gallery: Gallery, subject: SubjectId, photo: PhotoId, asker: Asker) -> None:
        """Erase one photo's template.

        Raises:
            UnknownSubject, NotFound: there is no such subject, or the photo is not one of theirs.
            SignatureNeeded, WarrantRefused, Unavailable: as for `subject`.

        """
        terms = await self._desk.terms(gallery, Act.ERASE)
        row = await asyncio.to_thread(self._row, gallery, subject, photo)
        signed = None if terms.at_once else await self._signed(terms, asker, (row,), None)
        intent = await asyncio.to_thread(self._begin_photos, gallery, subject, (row,), asker, _signers(signed))
        await self._carry_out(gallery, intent, signed)

    async def face(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> bool:
        """Erase all photos of a person who stays, by card or PIN; a template that they keep passes no more.

        Says whether there were photos.

        Raises:
            UnknownSubject: the gallery has no such subject.
            OnHold, SignatureNeeded, WarrantRefused, Unavailable: as for `subject`.

        """
        await asyncio.to_thread(self._drop_own, gallery, subject, asker)
        terms = await self._desk.terms(gallery, Act.ERASE)
        rows = await asyncio.to_thread(self._rows, gallery, subject)
        if not rows:
            return False
        signed = None if terms.at_once else await self._signed(terms, asker, rows, None)
        intent = await asyncio.to_thread(self._begin_photos, gallery, subject, rows, asker, _signers(signed))
        await self._carry_out(gallery, intent, signed)
        return True

    async def finish(self, gallery: Gallery, intent: Intent, asker: Asker) -> None:
        """Have an erasure signed that was begun, and finish it.

        Raises:
            SignatureNeeded, WarrantRefused, Unavailable: as for `subject`.

        """
        terms = await self._desk.terms(gallery, Act.ERASE)
        signed = await self._signed(terms, asker, intent.row_ids, intent.subject_id)

        def note() -> None:
            with self._desk.store.begin() as tx:
                # A crash after this leaves the intent, for which somebody signs again.
                self._note(tx, "erase-signed", intent, gallery, asker, signed.signers)

        await asyncio.to_thread(note)
        await self._carry_out(gallery, intent, signed)

    async def expire(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> bool:
        """Erase a person whose time is over; where people must sign for it, only take them out of every answer.

        Returns whether they are erased; `Settler.unsigned` lists those who wait for a signature.

        Raises:
            UnknownSubject, WarrantRefused, Unavailable: as for `subject`.

        """
        terms = await self._desk.terms(gallery, Act.ERASE)
        intent = await asyncio.to_thread(self._begin_subject, gallery, subject, asker, None, {})
        if terms.at_once:
            await self._carry_out(gallery, intent, None)
        return terms.at_once

    async def _signed(self, terms: Terms, asker: Asker, rows: Sequence[RowId], subject: SubjectId | None) -> Signed:
        """Have the erasure of rows, and of a subject's personal key, signed."""
        gallery = terms.gallery
        person = b"" if subject is None else targets.person_handle(self._desk.tenant, gallery.id, subject)
        about = {"rows": [row.hex() for row in rows], "subject": subject or ""}
        return await self._desk.for_targets(terms, asker, [(targets.of_erasure(rows, person), about)])

    async def _carry_out(self, gallery: Gallery, intent: Intent, signed: Signed | None) -> None:
        """Let the settler do now what was written down; if it cannot, the intent stays, and the refusal says so.

        Raises:
            WarrantRefused: a vault refused.
            Unavailable: what kept a vault from doing its part.

        """
        if signed:
            self._settler.carry(intent, signed.warrants[0])
        try:
            async with self._desk.turns.alone(gallery.id):
                await self._settler.gallery(gallery.id)
        except Unavailable as away:
            raise type(away)(BEGUN) from None
        if await asyncio.to_thread(self._settler.is_open, intent):
            raise WarrantRefused(REFUSED)

    def _drop_own(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Let the template that a person keeps pass no more, with a receipt of its own: no vault has a part in it."""
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves it in force, and its person unmatched: who withdraws again comes here.
            tx.subjects.get(gallery.id, subject)
            if tx.subjects.held(subject):
                raise OnHold
            if tx.own_templates.drop(subject):
                self._desk.write_down(tx, Record.ERASURE, "own-template", gallery, asker, subject=subject)
                issue(self._desk, tx, gallery.id, subject, Gone(own_templates=1))

    def _rows(self, gallery: Gallery, subject: SubjectId) -> tuple[RowId, ...]:
        """Read the rows of a subject, in the order in which they are erased."""
        with self._desk.store.read() as tx:
            tx.subjects.get(gallery.id, subject)
            return tuple(sorted(template.row_id for template in tx.templates.of_subject(subject)))

    def _row(self, gallery: Gallery, subject: SubjectId, photo: PhotoId) -> RowId:
        """Read the row of a photo."""
        with self._desk.store.read() as tx:
            tx.subjects.get(gallery.id, subject)
            template = tx.templates.get(photo)
            if template.subject_id != subject:
                raise NotFound("This photo does not belong to the subject.")
            return template.row_id

    def _begin_subject(
        self,
        gallery: Gallery,
        subject: SubjectId,
        asker: Asker,
        signed_for: Sequence[RowId] | None,
        signers: Mapping[str, str],
    ) -> Intent:
        """Take the subject out of search and write down what is to be destroyed."""
        with self._desk.store.begin() as tx:
            # A crash after this: nobody finds the subject, and the next start finishes the erasure.
            rows = tx.subjects.mark_erasing(gallery.id, subject)
            if signed_for is not None and tuple(signed_for) != rows:
                raise OutOfStep(CHANGED)
            intent = _open(tx, gallery, subject, rows)
            self._note(tx, "erase", intent, gallery, asker, signers)
            return intent

    def _note(
        self, tx: Transaction, act: str, intent: Intent, gallery: Gallery, asker: Asker, signers: Mapping[str, str]
    ) -> None:
        """Write down that a subject is erased; of one who is nobody, neither who went nor an erasure."""
        subject = intent.subject_id
        if subject is not None and (tx.decoys.among([subject]) or subject in tx.canaries.subjects(gallery.id)):
            # The year counts no such act, as it counted no collection.
            self._desk.write_down(tx, Record.ALTERATION, f"{MADE_UP}-erased", gallery, asker, signers=signers)
            return
        rows = len(intent.row_ids)
        self._desk.write_down(tx, Record.ERASURE, act, gallery, asker, subject=subject, signers=signers, templates=rows)

    def _begin_photos(
        self, gallery: Gallery, subject: SubjectId, rows: Sequence[RowId], asker: Asker, signers: Mapping[str, str]
    ) -> Intent:
        """Take templates of one subject out of search and write it down."""
        with self._desk.store.begin() as tx:
            # A crash after this: the templates are in no answer, and the next start finishes the erasure.
            if tx.subjects.held(subject):
                raise OnHold
            photos = [template.photo_id for template in tx.templates.by_rows(gallery.id, rows)]
            if len(photos) != len(rows):
                raise OutOfStep(CHANGED)
            tx.templates.mark_erasing(photos)
            intent = _open(tx, gallery, None, tuple(rows))
            for photo in photos:
                self._desk.write_down(
                    tx, Record.ERASURE, "photo", gallery, asker, subject=subject, signers=signers, photo=photo
                )
            return intent


def _signers(signed: Signed | None) -> Mapping[str, str]:
    """Name who signed, if somebody had to."""
    return signed.signers if signed else {}


def _open(tx: Transaction, gallery: Gallery, subject: SubjectId | None, rows: tuple[RowId, ...]) -> Intent:
    """Open an intent, or give the one that is open already: what was asked twice is done once."""
    for intent in tx.intents.pending():
        if intent.kind is IntentKind.ERASE and (intent.subject_id, intent.row_ids) == (subject, rows):
            return intent
    return tx.intents.open(IntentKind.ERASE, gallery.id, subject_id=subject, row_ids=rows, state=IntentState.ERASING)
