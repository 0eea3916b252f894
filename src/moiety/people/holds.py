"""Legal holds: two people keep a record from erasure until a day of review, and two people let it go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import AlreadyThere, BadInput, Forbidden
from moiety.foundation.ids import new_id
from moiety.ledger import Kind as Record
from moiety.people.rules import DAY_SECONDS
from moiety.storage.person_records import Hold, HoldState

if TYPE_CHECKING:
    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.approved import Approved
    from moiety.storage import Gallery, Transaction

REVIEW_DAYS_MAX: Final = 366
DONE: Final = "Nothing waits for approval here."


class Holds:
    """Proposes, approves and releases holds."""

    def __init__(self, desk: Desk, approved: Approved) -> None:
        """Work at `desk`; `approved` says whether two stand behind it."""
        self._desk = desk
        self._approved = approved

    async def propose(self, gallery: Gallery, subject: SubjectId, review_at: float, asker: Asker) -> Hold:
        """Propose to keep a subject from erasure; nothing is kept before another one approves.

        Raises:
            UnknownSubject: the gallery has no such subject.
            BadInput: the day of review is not within a year.

        """

        def keep() -> Hold:
            now = self._desk.clock.now()
            if not now < review_at <= now + REVIEW_DAYS_MAX * DAY_SECONDS:
                raise BadInput(f"A legal hold is reviewed within {REVIEW_DAYS_MAX} days.")
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves no proposal.
                tx.subjects.get(gallery.id, subject)
                hold = Hold(
                    id=new_id("hld"),
                    gallery_id=gallery.id,
                    subject_id=subject,
                    state=HoldState.PROPOSED.value,
                    proposed_by=asker.actor,
                    approved_by=None,
                    release_by=None,
                    released_by=None,
                    created_at=now,
                    review_at=review_at,
                )
                self._write(tx, gallery, hold, "hold-proposed", asker)
                return hold

        return await asyncio.to_thread(keep)

    async def approve(self, gallery: Gallery, hold_id: str, asker: Asker) -> Hold:
        """Approve what waits: that the hold begins, or that it ends.

        Raises:
            NotFound: there is no such hold.
            Forbidden: the same actor proposed it, or nothing waits.
            UnknownSubject: the person was erased before the second said yes.

        """

        def keep() -> Hold:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves it waiting.
                hold = tx.holds.get(gallery.id, hold_id)
                if hold.state == HoldState.PROPOSED:
                    tx.subjects.get(gallery.id, hold.subject_id)
                    self._approved.check(self._content(hold), hold.proposed_by, asker.actor)
                    now = replace(hold, state=HoldState.ACTIVE.value, approved_by=asker.actor)
                    return self._write(tx, gallery, now, "hold", asker)
                if hold.state == HoldState.RELEASING:
                    self._approved.check(self._content(hold), hold.release_by or "", asker.actor)
                    now = replace(hold, state=HoldState.RELEASED.value, released_by=asker.actor)
                    return self._write(tx, gallery, now, "hold-released", asker)
                raise Forbidden(DONE)

        return await asyncio.to_thread(keep)

    async def release(self, gallery: Gallery, hold_id: str, asker: Asker) -> Hold:
        """Propose to let a hold go; it holds until another one approves. A mere proposal is taken back at once.

        Raises:
            NotFound: there is no such hold.
            AlreadyThere: it was let go, or somebody proposed that.

        """

        def keep() -> Hold:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves it as it was.
                hold = tx.holds.get(gallery.id, hold_id)
                if hold.state == HoldState.PROPOSED:
                    now = replace(hold, state=HoldState.RELEASED.value, released_by=asker.actor)
                elif hold.state == HoldState.ACTIVE:
                    now = replace(hold, state=HoldState.RELEASING.value, release_by=asker.actor)
                else:
                    raise AlreadyThere("This hold is let go already, or somebody has proposed it.")
                return self._write(tx, gallery, now, "hold-release", asker)

        return await asyncio.to_thread(keep)

    async def list(self, gallery: Gallery) -> tuple[Hold, ...]:
        """List a gallery's holds by the day of their review."""

        def read() -> tuple[Hold, ...]:
            with self._desk.store.read() as tx:
                return tx.holds.list(gallery.id)

        return await asyncio.to_thread(read)

    def _content(self, hold: Hold) -> bytes:
        """Give the exact content that two people agree on."""
        what = "release" if hold.state == HoldState.RELEASING else "hold"
        return pack("moiety/hold/1", self._desk.tenant, hold.gallery_id, hold.subject_id, what, int(hold.review_at))

    def _write(self, tx: Transaction, gallery: Gallery, hold: Hold, act: str, asker: Asker) -> Hold:
        """Keep a hold and write it down."""
        tx.holds.put(hold)
        self._desk.write_down(
            tx,
            Record.ALTERATION,
            act,
            gallery,
            asker,
            subject=hold.subject_id,
            hold=hold.id,
            review_at=int(hold.review_at),
        )
        return hold
