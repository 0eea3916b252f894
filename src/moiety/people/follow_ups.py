"""Who was told of a person, and has to know what changed since: GDPR article 19, safeguard 35."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import Forbidden, NotFound
from moiety.foundation.ids import new_id
from moiety.ledger import Kind as Record
from moiety.storage.person_records import FollowUp

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction

# Acts that told somebody who a person is: these are looked at again one by one, the newest so many.
MATCHES: Final = frozenset({"candidate", "verify"})
# Acts that showed somebody what is written about a person: one line for each recipient.
SHOWN: Final = frozenset({"reveal", "access"})
MATCHES_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of the ledger about a person."""

    seq: int
    kind: str
    act: str
    actor: str
    at_us: int
    detail: str


def told_of(tx: Transaction, gallery: GalleryId, subject: SubjectId) -> list[Told]:
    """Read all that the ledger has about a subject, oldest first."""
    return [Told(*one) for one in tx.follow_ups.told(gallery, subject)]


def note_change(tx: Transaction, gallery: GalleryId, subject: SubjectId, cause: str, now: float) -> list[FollowUp]:
    """Write down whom a change concerns, in its own transaction; earlier matches are marked to be asked again."""
    entries = told_of(tx, gallery, subject)
    matches = [one for one in entries if one.act in MATCHES][-MATCHES_MAX:]
    shown = {one.actor: one for one in entries if one.act in SHOWN}
    made = [
        FollowUp(new_id("fol"), gallery, subject, one.actor, one.seq, one.act, cause, now)
        for one in [*matches, *shown.values()]
    ]
    for one in made:
        tx.follow_ups.put(one)
    return made


class FollowUps:
    """Shows what is to be looked at again, and takes that it was."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def open(self, gallery: Gallery) -> tuple[FollowUp, ...]:
        """List up to a thousand that nobody has done."""

        def read() -> tuple[FollowUp, ...]:
            with self._desk.store.read() as tx:
                return tx.follow_ups.open(gallery.id)

        return await asyncio.to_thread(read)

    async def mine(self, actor: str) -> tuple[FollowUp, ...]:
        """List up to a thousand of one recipient, in all galleries: ids, acts and times, of answers they had anyway."""

        def read() -> tuple[FollowUp, ...]:
            with self._desk.store.read() as tx:
                return tx.follow_ups.of_recipient(actor)

        return await asyncio.to_thread(read)

    async def mine_done(self, follow_up: str, asker: Asker) -> FollowUp:
        """Do as `done` for one of the asker's own.

        Raises:
            NotFound: the asker has no such follow-up that is open.

        """
        for one in await self.mine(asker.actor):
            if one.id == follow_up:
                with self._desk.store.read() as tx:
                    gallery = tx.galleries.get(one.gallery_id)
                return await self.done(gallery, follow_up, asker)
        raise NotFound("None of the answers that you were given waits under this number.")

    async def done(self, gallery: Gallery, follow_up: str, asker: Asker) -> FollowUp:
        """Take that the recipient has read it, and run the match again where it was one.

        Raises:
            NotFound: there is no such follow-up.
            Forbidden: it is another recipient's.

        """

        def keep() -> FollowUp:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves it open.
                found = tx.follow_ups.get(gallery.id, follow_up)
                if asker.actor not in {found.recipient, "owner"}:
                    raise Forbidden("Only the recipient, or the owner of the installation, can say that it was read.")
                if found.done_at is None:
                    found = replace(found, done_at=self._desk.clock.now(), done_by=asker.actor)
                    tx.follow_ups.put(found)
                    self._desk.write_down(
                        tx, Record.ALTERATION, "followed-up", gallery, asker, subject=found.subject_id, entry=found.seq
                    )
                return found

        return await asyncio.to_thread(keep)
