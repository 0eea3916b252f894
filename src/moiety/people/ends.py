"""An end for one person, earlier than the gallery's clock would end the record and never later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput, NotFound, UnknownSubject
from moiety.ledger import Kind as Record
from moiety.people.rules import day_of, end_of
from moiety.storage import SubjectState
from moiety.storage.person_records import OwnEnd

if TYPE_CHECKING:
    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Subject, Transaction

OVER: Final = "This record's time is over already."


def clock_of(tx: Transaction, gallery: Gallery, found: Subject) -> float:
    """Say when the gallery's clock ends a record."""
    if found.expires_at is None:
        return end_of(gallery, tx.rules.get(gallery.id), found.created_at)
    return found.expires_at


def check_end(ends_at: float | None, clock: float, now: float) -> None:
    """Check an end of a record's own.

    Raises:
        BadInput: it has passed, or is later than the gallery's clock allows.

    """
    if ends_at is not None and not now < ends_at <= clock:
        raise BadInput(f"An end is in the future, and no later than the gallery ends the record: {day_of(clock)}.")


def come_in(
    desk: Desk, tx: Transaction, gallery: Gallery, subject: SubjectId, ends_at: float | None, asker: Asker
) -> None:
    """Set the end with which somebody comes in, if there is one, in the transaction that lets them in."""
    if ends_at is not None:
        tx.ends.put(OwnEnd(subject, gallery.id, ends_at, clock_of(tx, gallery, tx.subjects.get(gallery.id, subject))))
        note_end(desk, tx, gallery, subject, ends_at, asker, own=True)


def note_end(
    desk: Desk, tx: Transaction, gallery: Gallery, subject: SubjectId, end: float, asker: Asker, *, own: bool
) -> None:
    """Write an end into the ledger."""
    desk.write_down(tx, Record.ALTERATION, "end", gallery, asker, subject=subject, ends_at=int(end), own=own)


class Ends:
    """Sets ends and takes them back."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def set(self, gallery: Gallery, subject: SubjectId, ends_at: float | None, asker: Asker) -> float:
        """End a record at `ends_at`, or with None when the gallery's clock ends it; gives the end.

        Raises:
            UnknownSubject: the gallery has no such subject.
            BadInput: the end has passed, or is later than the gallery's clock allows.
            NotFound: nothing was set for this person that could be taken back.

        """

        def keep() -> float:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the old end.
                end = self._end(tx, gallery, subject, ends_at)
                note_end(self._desk, tx, gallery, subject, end, asker, own=ends_at is not None)
                return end

        return await asyncio.to_thread(keep)

    def _end(self, tx: Transaction, gallery: Gallery, subject: SubjectId, ends_at: float | None) -> float:
        """Write the end."""
        found, own, now = tx.subjects.get(gallery.id, subject), tx.ends.own(subject), self._desk.clock.now()
        if found.state is not SubjectState.ACTIVE:
            raise UnknownSubject
        clock = own.clock_at if own else clock_of(tx, gallery, found)
        if found.expires_at is not None and found.expires_at <= now:
            raise BadInput(OVER)
        if ends_at is None:
            if own is None:
                raise NotFound("No end was set for this person.")
            tx.ends.force(subject, clock)
            return clock
        check_end(ends_at, clock, now)
        tx.ends.put(OwnEnd(subject, gallery.id, ends_at, clock))
        return ends_at

    async def own(self, gallery: Gallery, subject: SubjectId) -> OwnEnd | None:
        """Give the end that was set for a person, if any.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def read() -> OwnEnd | None:
            with self._desk.store.read() as tx:
                tx.subjects.get(gallery.id, subject)
                return tx.ends.own(subject)

        return await asyncio.to_thread(read)
