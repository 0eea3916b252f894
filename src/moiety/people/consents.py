"""Consent: stored with its release before the face is, ended by its term, and withdrawn at any time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from moiety.foundation.errors import BadInput, ConsentNeeded, NotFound, OnHold
from moiety.foundation.ids import new_id
from moiety.ledger import Kind as Record
from moiety.people.admission import WITHDRAWAL, has_guardian, resume, stop
from moiety.people.follow_ups import note_change
from moiety.people.releases import Wording, sealable
from moiety.people.rules import CEILING_DAYS, DAY_SECONDS, check_notice
from moiety.storage.person_records import Consent

if TYPE_CHECKING:
    from typing import Any

    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.erase import Eraser
    from moiety.people.fields import Fields
    from moiety.storage import Gallery, Transaction

OLD: Final = "Consent is given to the notice that the gallery has now; show that one."
RELEASE: Final = "release_"


class Release(Protocol):
    """A drawn signature or a passkey's assertion."""

    @property
    def kind(self) -> str:
        """`drawn` or `passkey`."""
        ...

    def check(self, wording: Wording) -> dict[str, Any]:
        """Check it against what is consented to, and give what is sealed."""
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody consents to; `ends` in whole seconds since 1970."""

    notice: str
    ends: int
    release: Release
    by_guardian: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What a withdrawal did: the face is gone, or the person is, or a legal hold keeps both from erasure for now."""

    erased: str


class Consents:
    """Takes consents and withdrawals."""

    def __init__(self, desk: Desk, fields: Fields, eraser: Eraser) -> None:
        """Work at `desk`; releases are sealed like all that is about a person."""
        self._desk = desk
        self._fields = fields
        self._eraser = eraser

    def wording(self, gallery: Gallery, subject: SubjectId, notice: str, ends: int) -> Wording:
        """Say what a consent is to, in the words that a passkey signs."""
        return Wording(self._desk.tenant, gallery.id, subject, notice, gallery.purpose, ends)

    async def give(self, gallery: Gallery, subject: SubjectId, given: Given, asker: Asker) -> Consent:
        """Keep a consent with its release.

        Raises:
            UnknownSubject: the gallery has no such subject.
            BadInput: it is to another notice, for too long, or the release is none.
            ConsentNeeded: a person under eighteen has no guardian on record, or did not sign by one.

        """
        check_notice(given.notice)
        now = self._desk.clock.now()
        if not now < given.ends <= now + CEILING_DAYS * DAY_SECONDS:
            raise BadInput(f"A consent ends in the future, and within {CEILING_DAYS} days.")
        text, digest = sealable(given.release.check(self.wording(gallery, subject, given.notice, given.ends)))
        consent = Consent(
            id=new_id("con"),
            subject_id=subject,
            notice=given.notice,
            purpose=gallery.purpose,
            kind=given.release.kind,
            by_guardian=given.by_guardian,
            given_at=now,
            ends_at=float(given.ends),
            withdrawn_at=None,
            release_sha256=digest,
        )

        def also(tx: Transaction) -> None:
            _check(tx, gallery, consent)
            tx.consents.put(consent)
            tx.release_waits.drop(subject)
            # A new consent ends what a withdrawal stopped; an objection stays until it is decided.
            resume(tx, subject, WITHDRAWAL)

        await self._fields.put(gallery, subject, {RELEASE + consent.id: text}, asker, act="consent", also=also)
        return consent

    async def withdraw(self, gallery: Gallery, subject: SubjectId, asker: Asker, *, keep_card: bool) -> Withdrawn:
        """Withdraw: nothing is matched from now on, then the face is erased, or with it all that is kept of the person.

        Nothing else changes: with `keep_card` the person goes on by card or PIN as before.

        Raises:
            UnknownSubject: the gallery has no such subject.
            SignatureNeeded: the policy wants somebody to sign the erasure; nothing is matched meanwhile.
            Unavailable: a vault is away; nothing is matched any more, and the rest is done later.

        """
        await asyncio.to_thread(self._stop, gallery, subject, asker, keep_card=keep_card)
        try:
            if not keep_card:
                await self._eraser.subject(gallery, subject, asker)
                return Withdrawn("person")
            await self._eraser.face(gallery, subject, asker)
        except OnHold:
            return Withdrawn("waits-for-hold")
        return Withdrawn("face")

    def _stop(self, gallery: Gallery, subject: SubjectId, asker: Asker, *, keep_card: bool) -> None:
        """Mark the consents as withdrawn and stop matching."""
        now = self._desk.clock.now()
        with self._desk.store.begin() as tx:
            # A crash after this leaves the face unmatched; whoever withdraws again, or the clock, erases it.
            tx.subjects.get(gallery.id, subject)
            for one in tx.consents.of_subject(subject):
                if one.withdrawn_at is None:
                    tx.consents.put(replace(one, withdrawn_at=now))
            stop(tx, gallery, subject, WITHDRAWAL, now)
            if not keep_card:
                tx.ends.force(subject, now)
            note_change(tx, gallery.id, subject, "objected", now)
            self._desk.write_down(tx, Record.ALTERATION, "withdraw", gallery, asker, subject=subject)

    async def decline(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Note that a person gives no release: they go on by card or PIN, and nobody asks again.

        Raises:
            UnknownSubject: the gallery has no such subject.
            NotFound: nobody waits for this person's release.

        """

        def keep() -> None:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves them asked.
                tx.subjects.get(gallery.id, subject)
                if not tx.release_waits.decline(subject, self._desk.clock.now()):
                    raise NotFound("No release of this person is waited for.")
                self._desk.write_down(tx, Record.ALTERATION, "decline", gallery, asker, subject=subject)

        await asyncio.to_thread(keep)

    async def waiting(self, gallery: Gallery, limit: int) -> tuple[tuple[SubjectId, float], ...]:
        """List who still has to give the written release, with since when, the longest first."""

        def read() -> tuple[tuple[SubjectId, float], ...]:
            with self._desk.store.read() as tx:
                return tx.release_waits.oldest(gallery.id, limit)

        return await asyncio.to_thread(read)

    async def of_subject(self, gallery: Gallery, subject: SubjectId) -> tuple[Consent, ...]:
        """List a subject's consents.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def read() -> tuple[Consent, ...]:
            with self._desk.store.read() as tx:
                tx.subjects.get(gallery.id, subject)
                return tx.consents.of_subject(subject)

        return await asyncio.to_thread(read)


def _check(tx: Transaction, gallery: Gallery, consent: Consent) -> None:
    """Check a consent against the gallery's rule and the person's age, in the transaction that keeps it."""
    rule, record = tx.rules.get(gallery.id), tx.records.get(consent.subject_id)
    if rule is not None and rule.notice != consent.notice:
        raise BadInput(OLD)
    young = record is not None and record.minor
    if young and not (consent.by_guardian and has_guardian(tx, consent.subject_id)):
        raise ConsentNeeded("A person under eighteen consents by the guardian who is on record.")
    if consent.by_guardian and not young:
        raise BadInput("A guardian signs for a person under eighteen, and for no other.")
