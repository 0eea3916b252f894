"""Enrolment in two phases over both vaults and the gate: after a crash at any step a person is enrolled or is not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import (
    BadInput,
    ConsentNeeded,
    DuplicatePhoto,
    OtherEpoch,
    PossibleMorph,
    Unavailable,
    UnknownSubject,
)
from moiety.ledger import Kind as Record
from moiety.people.admission import FIRST, admit, must_amend
from moiety.people.burial import image_field
from moiety.people.capture import Capture, check_capture, flag
from moiety.people.ends import check_end, come_in
from moiety.people.fields import REFERENCE, check_given
from moiety.people.looks import Looks, look_of
from moiety.people.plans import Plan, Seen, plan_of
from moiety.people.rules import POLICE_STATUS, Stated, check_police, end_of, is_minor, record_of
from moiety.storage import IntentKind, IntentState, SubjectState
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from moiety.foundation.ids import PhotoId, SubjectId
    from moiety.matching.answers import SeenFace
    from moiety.matching.asking import Asking
    from moiety.matching.desk import Asker, Desk
    from moiety.people.fields import Fields, SealedField
    from moiety.people.settle import Settler
    from moiety.storage import Gallery, Intent, Transaction

# The ledger's act for canaries and decoys: it counts no person, and names nobody who is none.
MADE_UP = "made-up"
# How often an enrolment is made anew that met the end of a refresh.
TRIES = 3
HERE = "This person is here already: set the end on their record."
IN_DOUBT = "The photo is enrolled, but a vault could not be told yet; the gallery answers again once it can."


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a photo shows: a subject by id, or by a reference that is looked up and kept sealed; or somebody new.

    `amends`: whoever asks may add to the face of somebody who has one here.
    """

    subject: SubjectId | None = None
    reference: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    stated: Stated = field(default_factory=Stated)
    capture: Capture = field(default_factory=Capture)
    amends: bool = False


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What an enrolment made."""

    subject: SubjectId
    photo: PhotoId
    new_subject: bool
    face: SeenFace


class Enroller:
    """Enrols one photo at a time; many may run at once."""

    def __init__(self, desk: Desk, asking: Asking, fields: Fields, settler: Settler) -> None:
        """Work at `desk`; `settler` undoes or finishes what is interrupted."""
        self._desk = desk
        self._asking = asking
        self._fields = fields
        self._settler = settler
        self.looks = Looks(desk)
        self._names: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Who holds or awaits each lock: it goes with the last of them, not before.
        self._users: Counter[bytes] = Counter()

    async def enrol(self, gallery: Gallery, image: bytes, who: Who, asker: Asker) -> Enrolled:
        """Enrol the one person that a photo shows.

        Raises:
            NoFace, ManyFaces, PoorQuality: the photo is not good for enrolment; the message says why.
            CaptureNeeded, OtherPerson, PossibleMorph: nobody vouches for it, or the picture taken here does not.
            DuplicatePhoto: it is enrolled in this gallery already.
            UnknownSubject: there is no such subject.
            ConsentNeeded: the gallery wants a consent, or the person a guardian, that is not there.
            Forbidden: they have a face here already, and whoever asks may not add to it.
            MatchingStopped: the person objected or withdrew.
            SignatureNeeded: the policy wants a signature that has not come.
            Unavailable: a part is away or the disk is full; nothing was kept, unless the message says `IN_DOUBT`.

        """
        fields = _fields_of(who, self._desk.clock.now())
        values = [pack("photo", hashlib.sha256(image).digest())]
        if who.reference is not None:
            values.append(self._fields.value_of(REFERENCE, who.reference))
        await self._settler.if_needed(gallery)
        mark, *blinds = await self._fields.blind(gallery, values)
        # Looked up twice: before anybody is asked to sign, and again when nobody else can enrol the same.
        await asyncio.to_thread(self._subject, gallery, who, blinds, mark)
        await asyncio.to_thread(self._check_capture, gallery, who.capture, image)
        look = partial(self._look, gallery, image, asker, who.capture.live)
        seen = await look()

        async def whole() -> Enrolled:
            async with self.one_at_a_time(mark, *blinds):
                subject = await asyncio.to_thread(self._subject, gallery, who, blinds, mark)

                async def once(now: Seen) -> Enrolled:
                    plan = plan_of(now, subject, mark)
                    plan.stated, plan.how, plan.amends = who.stated, who.capture.how, who.amends
                    plan.look = look_of(who.reference, who.fields, who.stated, face=True)
                    given = dict(fields if plan.new_subject else who.fields) | police_fields(plan.new_subject, who)
                    if await asyncio.to_thread(self._keeps_photos, gallery):
                        given[image_field(plan.photo)] = base64.b64encode(image).decode()
                    return await self._carry_out(plan, given, blinds, asker)

                return await self._of_this_epoch(seen, look, once)

        # An asker who goes away ends the waiting, not the work: a decision in a thread cannot be called back.
        return await asyncio.shield(asyncio.create_task(whole()))

    async def plant(self, gallery: Gallery, number: int, asker: Asker, decoy: SubjectId | None = None) -> SubjectId:
        """Enrol the canary `number`, a face that the eye makes up, or give it to a decoy; neither is a candidate.

        Raises:
            DuplicatePhoto: it is there already.
            Unavailable: as `enrol`.

        """
        await self._settler.if_needed(gallery)
        (mark,) = await self._fields.blind(gallery, [pack("canary", number)])

        seen = await self._look(gallery, number, asker)

        async def whole() -> Enrolled:
            async with self.one_at_a_time(mark):
                subject = await asyncio.to_thread(self._subject, gallery, Who(decoy), [], mark, canary=True)

                async def once(now: Seen) -> Enrolled:
                    return await self._carry_out(plan_of(now, subject, mark), {}, [], asker)

                return await self._of_this_epoch(seen, lambda: self._look(gallery, number, asker), once)

        made = await asyncio.shield(asyncio.create_task(whole()))
        return made.subject

    @staticmethod
    async def _of_this_epoch(
        seen: Seen, look: Callable[[], Awaitable[Seen]], once: Callable[[Seen], Awaitable[Enrolled]]
    ) -> Enrolled:
        """Enrol what was seen; where a refresh came between, from the photo that is still at hand, once more.

        Raises:
            SignatureNeeded: whoever signed for the halves that are no longer of use must sign for the new ones.

        """
        for _ in range(TRIES - 1):
            try:
                return await once(seen)
            except OtherEpoch:
                seen = await look()
        return await once(seen)

    @asynccontextmanager
    async def one_at_a_time(self, *keys: bytes) -> AsyncIterator[None]:
        """Let one enrolment at a time work on a photo and on a reference, so that neither is made twice."""
        self._users.update(keys)
        try:
            async with AsyncExitStack() as held:
                for key in sorted(keys):
                    await held.enter_async_context(self._names[key])
                yield
        finally:
            self._users.subtract(keys)
            for key in [key for key in keys if not self._users[key]]:
                del self._users[key], self._names[key]

    def _keeps_photos(self, gallery: Gallery) -> bool:
        """Say whether the gallery's rule keeps photos, sealed."""
        with self._desk.store.read() as tx:
            rule = tx.rules.get(gallery.id)
        return rule is not None and rule.keep_photos

    def _subject(
        self, gallery: Gallery, who: Who, blinds: list[bytes], mark: bytes, *, canary: bool = False
    ) -> SubjectId | None:
        """Refuse a photo that the gallery has or may not have; find whom it is of, None for somebody new."""
        found = who.subject or (self._fields.by_blind(gallery, blinds[0]) if blinds else None)
        with self._desk.store.read() as tx:
            if tx.templates.by_mark(gallery.id, mark):
                raise DuplicatePhoto
            if found and tx.subjects.get(gallery.id, found).state is not SubjectState.ACTIVE:
                raise UnknownSubject
            if found and who.stated.ends_at is not None:
                raise BadInput(HERE)
            now = self._desk.clock.now()
            check_end(who.stated.ends_at, end_of(gallery, tx.rules.get(gallery.id), now), now)
            if not canary:
                admit(tx, gallery, found, now)
            if found and not canary:
                must_amend(tx, found, amends=who.amends)
        return found

    def _check_capture(self, gallery: Gallery, capture: Capture, image: bytes) -> None:
        """Refuse a photo for which nobody vouches."""
        with self._desk.store.read() as tx:
            check_capture(tx, gallery, capture, image)

    async def _look(self, gallery: Gallery, seen: bytes | int, asker: Asker, live: bytes = b"") -> Seen:
        """Let the eye make the halves of a photo, or of the canary of a number, and have them signed for."""
        terms, nonce = await self._desk.terms(gallery, Act.ENROL), asker.signing.nonce
        setting = self._asking.setting(terms.gallery)
        canary = seen if isinstance(seen, int) else None
        if isinstance(seen, int):
            answer = await self._desk.links.eye.call(Kind.CANARY_TEMPLATE, setting | {"numbers": [seen]}, [nonce])
        else:
            pictures = [seen, live] if live else [seen]
            try:
                answer = await self._desk.links.eye.call(Kind.TEMPLATE, setting, [nonce, *pictures])
            except PossibleMorph:
                await asyncio.to_thread(flag, self._desk, gallery, asker)
                raise
        sealed = [bytes(buffer) for buffer in answer.buffers]
        picture = b"" if isinstance(seen, int) else seen
        signed = await self._desk.for_faces(terms, sealed[:1], asker, picture, nonce)
        return Seen(terms.gallery, answer.meta["faces"][0], sealed, signed, canary)

    async def _carry_out(self, plan: Plan, fields: Mapping[str, str], blinds: list[bytes], asker: Asker) -> Enrolled:
        """Run both phases; what fails before the decision is undone; when the gate stops, the next start settles."""
        with self._settler.in_hand(plan.row):
            plan.intent = await asyncio.to_thread(self._begin, plan)
            try:
                named = {REFERENCE: blinds[0]} if blinds else {}
                sealed = await self._fields.sealed(plan.gallery, plan.subject, fields, named)
                await asyncio.to_thread(self._write_fields, plan, sealed)
                await self._prepare(plan)
                async with self._desk.turns.alone(plan.gallery.id):
                    await self._settler.what_matters(plan.gallery.id)
                    await asyncio.to_thread(self._decide, plan, asker)
                    await self._tell_vaults(plan.intent)
            except Exception:
                await self._settler.after_failure(plan.intent)
                raise
        return Enrolled(plan.subject, plan.photo, plan.new_subject, plan.face)

    async def _tell_vaults(self, intent: Intent) -> None:
        """Second phase. The decision stands, so a refusal must not say that nothing was kept.

        Raises:
            Unavailable: what kept a vault from hearing of it; it is told before the gallery's next question.

        """
        try:
            await self._settler.finish_enrolment(intent)
        except Unavailable as away:
            raise type(away)(IN_DOUBT) from None

    def _begin(self, plan: Plan) -> Intent:
        """Write down what is about to begin, with the pending subject and template."""
        gallery = plan.gallery
        with self._desk.store.begin() as tx:
            # A crash after this: the settler finds the intent 'preparing', and undoes it at both vaults and here.
            if plan.canary is None:
                admit(tx, gallery, None if plan.new_subject else plan.subject, self._desk.clock.now())
            if plan.canary is None and not plan.new_subject:
                plan.added = must_amend(tx, plan.subject, amends=plan.amends)
            if plan.new_subject and plan.canary is None:
                enter(tx, gallery, plan.subject, plan.stated, self._desk.clock.now())
            elif plan.new_subject:
                # Nobody's rights end with it.
                tx.subjects.add(gallery.id, plan.subject, expires_at=None)
                tx.canaries.add(gallery.id, plan.canary or 0, plan.subject)
            tx.templates.add(
                photo_id=plan.photo,
                gallery_id=gallery.id,
                subject_id=plan.subject,
                row_id=plan.row,
                binding=self._desk.bind_row(gallery, plan.row, plan.subject),
                photo_mark=plan.mark,
                capture=plan.how,
            )
            return tx.intents.open(IntentKind.ENROL, gallery.id, subject_id=plan.subject, row_ids=[plan.row])

    def _write_fields(self, plan: Plan, sealed: list[SealedField]) -> None:
        """Keep the sealed fields of the pending subject."""
        if not sealed:
            return
        with self._desk.store.begin() as tx:
            # A crash after this leaves fields of a pending subject; they go when the intent is undone.
            self._fields.write(tx, plan.subject, sealed)

    async def _prepare(self, plan: Plan) -> None:
        """First phase: both vaults check the warrant and keep their half."""
        statement, signature, to_a, to_b = plan.sealed
        await self._desk.links.both(
            Kind.PREPARE,
            {"gallery": plan.gallery.id},
            [plan.warrant, statement, signature, to_a],
            [plan.warrant, statement, signature, to_b],
        )

    def _decide(self, plan: Plan, asker: Asker) -> None:
        """Decide: from this commit on the person is enrolled, whatever crashes."""
        assert plan.intent is not None  # noqa: S101 - _begin has set it
        with self._desk.store.begin() as tx:
            if plan.canary is None:
                # Consent may have been withdrawn while the vaults prepared.
                admit(tx, plan.gallery, None if plan.new_subject else plan.subject, self._desk.clock.now())
            # A crash before the commit: undone at the next start. After it: the vaults are told to commit then.
            tx.templates.activate(plan.gallery.id, [plan.photo])
            tx.subjects.activate(plan.gallery.id, plan.subject)
            tx.intents.advance(plan.intent.id, IntentState.COMMITTING)
            if plan.canary is not None:
                self._desk.write_down(tx, Record.ALTERATION, MADE_UP, plan.gallery, asker, signers=plan.signers)
                return
            if plan.new_subject:
                self.looks.saw(tx, plan.gallery, plan.look)
                come_in(self._desk, tx, plan.gallery, plan.subject, plan.stated.ends_at, asker)
            added: dict[str, Any] = {"added": 1} if plan.added else {}
            self._desk.write_down(
                tx,
                Record.COLLECTION,
                "enrol",
                plan.gallery,
                asker,
                subject=plan.subject,
                signers=plan.signers,
                photo=plan.photo,
                capture=plan.how,
                **added,
            )


def _fields_of(who: Who, now: float) -> dict[str, str]:
    """Give the fields of a newcomer, the reference among them.

    Raises:
        BadInput: one of them cannot be kept, or both a subject and a reference are named.
        ConsentNeeded: the person is under eighteen; their record comes first.

    """
    fields = dict(who.fields)
    if who.reference is not None:
        fields[REFERENCE] = who.reference
    check_given(fields)
    if who.subject and who.reference:
        raise BadInput("Say either which subject it is or its reference, not both.")
    if who.stated.minor or is_minor(fields, now):
        raise ConsentNeeded(FIRST)
    return fields


def police_fields(new: bool, who: Who) -> dict[str, str]:  # noqa: FBT001 - it is all that it says
    """Give what a new person is to the police, as a sealed field."""
    return {POLICE_STATUS: who.stated.police} if new and who.stated.police else {}


def enter(tx: Transaction, gallery: Gallery, subject: SubjectId, stated: Stated, now: float) -> None:
    """Add a pending subject with its record and its end, in the caller's transaction.

    Raises:
        BadInput: the record says too little, or ends too late.

    """
    check_police(tx.deployments.get(gallery.id), stated)
    record, clock = record_of(tx, gallery, subject, stated, now), end_of(gallery, tx.rules.get(gallery.id), now)
    check_end(stated.ends_at, clock, now)
    tx.subjects.add(gallery.id, subject, expires_at=clock)
    if record:
        tx.records.put(record)
