"""A person without a photo: fields, a card or PIN, and why they are kept. Every job goes on by the reference alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import AlreadyThere, BadInput
from moiety.foundation.ids import SubjectId, new_subject_id
from moiety.ledger import Kind as Record
from moiety.people.admission import ask_release
from moiety.people.ends import come_in
from moiety.people.enrol import MADE_UP, enter
from moiety.people.fields import REFERENCE, check_given
from moiety.people.looks import look_of
from moiety.people.rules import POLICE_STATUS, Stated, end_of, is_minor
from moiety.storage import IntentKind, IntentState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.matching.desk import Asker, Desk
    from moiety.people.enrol import Enroller
    from moiety.people.fields import Fields, SealedField
    from moiety.people.settle import Settler
    from moiety.storage import Gallery, Intent

PIN: Final = "pin"
PIN_CHARS: Final = (4, 32)
ALONE: Final = "A guardian is named for a person under eighteen, and for no other."


@dataclass(frozen=True, slots=True, repr=False)
class Guardian:
    """Who answers for a person under eighteen, and why their face may be kept at all."""

    name: str
    relation: str
    reason: str

    def fields(self) -> dict[str, str]:
        """Give it as sealed fields of the young person."""
        return {"guardian_name": self.name, "guardian_relation": self.relation, "guardian_reason": self.reason}


@dataclass(frozen=True, slots=True, repr=False)
class Newcomer:
    """A person to be kept without a photo; `nobody` is one whom no one has a reason to open."""

    reference: str
    fields: Mapping[str, str] = field(default_factory=dict)
    stated: Stated = field(default_factory=Stated)
    guardian: Guardian | None = None
    pin: str | None = None
    nobody: bool = False


class Registrar:
    """Enters people, and notes when they were last heard of."""

    def __init__(self, desk: Desk, fields: Fields, enroller: Enroller, settler: Settler) -> None:
        """Work at `desk`; `settler` undoes or finishes what is interrupted."""
        self._desk = desk
        self._fields = fields
        self._enroller = enroller
        self._settler = settler

    async def enter(self, gallery: Gallery, new: Newcomer, asker: Asker) -> SubjectId:
        """Enter a person by reference, card or PIN; a photo may follow, once there is what the gallery asks for.

        Raises:
            BadInput: the record says too little, or a person under eighteen has no guardian.
            AlreadyThere: the gallery has somebody with this reference.
            Unavailable: vault B is away; nothing was kept.

        """
        given = {REFERENCE: new.reference, **new.fields}
        check_given(given)
        young = new.stated.minor or is_minor(given, self._desk.clock.now())
        if young != (new.guardian is not None):
            raise BadInput(ALONE)
        if new.guardian:
            given |= new.guardian.fields()
        if new.stated.police:
            given[POLICE_STATUS] = new.stated.police
        await self._settler.if_needed(gallery)
        (blind,) = await self._fields.blind(gallery, [self._fields.value_of(REFERENCE, new.reference)])
        subject, stated = new_subject_id(), replace(new.stated, minor=young)
        blinds = {REFERENCE: blind}
        if new.pin is not None:
            given[PIN], blinds[PIN] = PIN, await self.pin_mark(gallery, subject, new.pin)

        async def whole() -> SubjectId:
            async with self._enroller.one_at_a_time(blind):
                if await asyncio.to_thread(self._fields.by_blind, gallery, blind):
                    raise AlreadyThere("Another subject of this gallery has this reference.")
                with self._settler.in_hand(subject):
                    return await self._carry_out(gallery, subject, replace(new, stated=stated), (given, blinds), asker)

        return await asyncio.shield(asyncio.create_task(whole()))

    async def _carry_out(
        self,
        gallery: Gallery,
        subject: SubjectId,
        new: Newcomer,
        written: tuple[dict[str, str], dict[str, bytes]],
        asker: Asker,
    ) -> SubjectId:
        """Both phases of an enrolment without a row; what fails before the decision is undone."""
        intent = await asyncio.to_thread(self._begin, gallery, subject, new)
        try:
            sealed = await self._fields.sealed(gallery, subject, *written)
            await asyncio.to_thread(self._decide, gallery, new, sealed, intent, asker)
            async with self._desk.turns.alone(gallery.id):
                await self._settler.finish_enrolment(intent)
        except Exception:
            await self._settler.after_failure(intent)
            raise
        return subject

    def _begin(self, gallery: Gallery, subject: SubjectId, new: Newcomer) -> Intent:
        """Write down who is about to come."""
        with self._desk.store.begin() as tx:
            # A crash after this: the settler finds the intent 'preparing' and undoes it here and at B.
            now = self._desk.clock.now()
            enter(tx, gallery, subject, new.stated, now)
            if new.nobody:
                tx.decoys.add(subject, now)
            return tx.intents.open(IntentKind.ENROL, gallery.id, subject_id=subject)

    def _decide(self, gallery: Gallery, new: Newcomer, sealed: list[SealedField], intent: Intent, asker: Asker) -> None:
        """Decide: from this commit on the person is there; B's key is told to stay by the settler."""
        subject = intent.subject_id
        assert subject is not None  # noqa: S101 - _begin has set it
        with self._desk.store.begin() as tx:
            # A crash before the commit: undone at the next start. After it: B is told to keep the key then.
            self._fields.write(tx, subject, sealed)
            tx.subjects.activate(gallery.id, subject)
            ask_release(tx, gallery, subject, self._desk.clock.now())
            tx.intents.advance(intent.id, IntentState.COMMITTING)
            if new.nobody:
                # Nobody could release a face: a decoy is like anybody who said no.
                tx.release_waits.decline(subject, self._desk.clock.now())
                self._desk.write_down(tx, Record.ALTERATION, MADE_UP, gallery, asker)
            else:
                self._enroller.looks.saw(tx, gallery, look_of(new.reference, new.fields, new.stated, face=False))
                come_in(self._desk, tx, gallery, subject, new.stated.ends_at, asker)
                self._desk.write_down(
                    tx, Record.COLLECTION, "register", gallery, asker, subject=subject, fields=len(sealed)
                )

    async def pin_mark(self, gallery: Gallery, subject: SubjectId, pin: str) -> bytes:
        """Key a PIN by the gate's key and by B's, bound to its person: no disk holds what a guess could be tried on.

        Raises:
            BadInput: it is too short or too long.

        """
        if not PIN_CHARS[0] <= len(pin) <= PIN_CHARS[1]:
            raise BadInput(f"A PIN has {PIN_CHARS[0]} to {PIN_CHARS[1]} characters.")
        (mark,) = await self._fields.blind(gallery, [pack("pin", subject, pin)])
        return mark

    async def contact(self, gallery: Gallery, subject: SubjectId, asker: Asker, *, over: bool = False) -> float:
        """Note a contact, from which the time runs anew, or with `over` that the purpose is met; gives the end.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def keep() -> float:
            now = self._desk.clock.now()
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the old end.
                tx.subjects.get(gallery.id, subject)
                rule, record = tx.rules.get(gallery.id), tx.records.get(subject)
                end = end_of(gallery, rule, now)
                ends = [one.ends_at for one in tx.consents.of_subject(subject) if one.withdrawn_at is None]
                if rule and rule.consent and ends:
                    end = min(end, max(ends))
                if over or (record is not None and record.stopped_for == "withdrawal"):
                    end = now
                    tx.ends.force(subject, now)
                else:
                    end = tx.ends.renew(subject, end)
                if record:
                    tx.records.put(replace(record, last_contact_at=now))
                act = "purpose-met" if over else "contact"
                self._desk.write_down(tx, Record.ALTERATION, act, gallery, asker, subject=subject)
                return end

        return await asyncio.to_thread(keep)
