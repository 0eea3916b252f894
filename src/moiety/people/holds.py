"""Legal holds: two people keep a record from erasure until a day of review, and two people let it go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import AlreadyThere, BadInput, UnknownSubject
from moiety.foundation.ids import new_id
from moiety.ledger import Kind as Record
from moiety.people.rules import DAY_SECONDS, day_of
from moiety.storage import SubjectState
from moiety.storage.owed import HELD
from moiety.storage.person_records import Hold, HoldState

if TYPE_CHECKING:
    from moiety.access.spending import Spend
    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction

REVIEW_DAYS_MAX: Final = 366


def hold_lines(subject: str, review_at: float) -> dict[str, str]:
    """Give the lines that two people agree on for a hold; the day of review in UTC."""
    return {"act": "hold", "subject": subject, "review": day_of(review_at)}


def release_lines(subject: str, hold: str) -> dict[str, str]:
    """Give the lines that two people agree on for letting one go."""
    return {"act": "release", "subject": subject, "hold": hold}


class Holds:
    """Begins and ends holds, each with an approval that is used up in the same transaction."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def begin(self, gallery: Gallery, subject: SubjectId, review_at: float, asker: Asker, spend: Spend) -> Hold:
        """Keep a subject from erasure from now on, for two people who said so.

        Raises:
            UnknownSubject: the gallery has no such subject.
            BadInput: the day of review is not within a year.
            NotApproved: what was approved is not exactly this.

        """

        def keep() -> Hold:
            now = self._desk.clock.now()
            if not now < review_at <= now + REVIEW_DAYS_MAX * DAY_SECONDS:
                raise BadInput(f"A legal hold is reviewed within {REVIEW_DAYS_MAX} days.")
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves no hold, and the approval as it was.
                if tx.subjects.get(gallery.id, subject).state is not SubjectState.ACTIVE:
                    # The erasure is begun and goes on: nobody may believe that this is kept.
                    raise UnknownSubject
                approver = spend(tx, hold_lines(subject, review_at))
                hold = Hold(
                    id=new_id("hld"),
                    gallery_id=gallery.id,
                    subject_id=subject,
                    state=HoldState.ACTIVE.value,
                    proposed_by=asker.actor,
                    approved_by=approver,
                    release_by=None,
                    released_by=None,
                    created_at=now,
                    review_at=review_at,
                )
                return self._write(tx, gallery, hold, "hold", asker)

        return await asyncio.to_thread(keep)

    async def release(self, gallery: Gallery, hold_id: str, asker: Asker, spend: Spend) -> Hold:
        """Let a hold go, for two people who said so.

        Raises:
            NotFound: there is no such hold.
            AlreadyThere: it was let go.
            NotApproved: what was approved is not exactly this.

        """

        def keep() -> Hold:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves it as it was.
                hold = tx.holds.get(gallery.id, hold_id)
                if hold.state not in HELD:
                    raise AlreadyThere("This hold is let go already.")
                approver = spend(tx, release_lines(hold.subject_id, hold.id))
                now = replace(hold, state=HoldState.RELEASED.value, release_by=asker.actor, released_by=approver)
                return self._write(tx, gallery, now, "hold-released", asker)

        return await asyncio.to_thread(keep)

    async def list(self, gallery: Gallery) -> tuple[Hold, ...]:
        """List a gallery's holds by the day of their review."""

        def read() -> tuple[Hold, ...]:
            with self._desk.store.read() as tx:
                return tx.holds.list(gallery.id)

        return await asyncio.to_thread(read)

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
