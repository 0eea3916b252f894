"""Rectification and objection: what is wrong is put right, who was told is told again, and what is contested stops."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput, Forbidden, NotFound
from moiety.ledger import Kind as Record
from moiety.matching import vigil
from moiety.people.admission import OBJECTION, ask_release, resume, stop
from moiety.people.fields import check_given
from moiety.people.follow_ups import MATCHES, note_change
from moiety.people.rules import BIRTH, POLICE_STATUS, Stated, check_police, is_minor
from moiety.storage.guard_records import AlertKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.fields import Fields
    from moiety.storage import Gallery, Transaction
    from moiety.storage.person_records import FollowUp


@dataclass(frozen=True, slots=True)
class Changed:
    """Who has to be told, and how many earlier matches are marked to be asked again."""

    recipients: tuple[str, ...]
    matches: int
    follow_ups: tuple[FollowUp, ...]


def changed(made: list[FollowUp]) -> Changed:
    """Sum up whom a change concerns."""
    matches = sum(one.act in MATCHES for one in made)
    return Changed(tuple(sorted({one.recipient for one in made})), matches, tuple(made))


class Changing:
    """Puts right, stops, and lets go on."""

    def __init__(self, desk: Desk, fields: Fields) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._fields = fields

    async def rectify(self, gallery: Gallery, subject: SubjectId, fields: Mapping[str, str], asker: Asker) -> Changed:
        """Replace fields; matches that were answered before are marked to be asked again, recipients are to be told.

        Raises:
            UnknownSubject: the gallery has no such subject.
            BadInput: a field does not fit, or its person would be under eighteen, which needs a guardian.
            AlreadyThere: the reference is another subject's.

        """
        if not fields:
            raise BadInput("Say which fields are to be put right.")
        check_given({name: value for name, value in fields.items() if name != POLICE_STATUS})
        if POLICE_STATUS in fields:
            await asyncio.to_thread(self._police, gallery, fields[POLICE_STATUS])
        if BIRTH in fields and is_minor(fields, self._desk.clock.now()):
            await asyncio.to_thread(self._is_young, subject)
        made: list[FollowUp] = []

        def also(tx: Transaction) -> None:
            made.extend(note_change(tx, gallery.id, subject, "rectified", self._desk.clock.now()))

        await self._fields.put(gallery, subject, fields, asker, act="rectify", also=also)
        return changed(made)

    def _police(self, gallery: Gallery, status: str) -> None:
        """Check what somebody is to the police now."""
        with self._desk.store.read() as tx:
            check_police(tx.deployments.get(gallery.id), Stated(police=status))

    def _is_young(self, subject: SubjectId) -> None:
        """Refuse to make somebody young whose record has no guardian."""
        with self._desk.store.read() as tx:
            record = tx.records.get(subject)
        if record is None or not record.minor:
            raise BadInput("This makes the person younger than eighteen; make a record with a guardian instead.")

    async def object(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> Changed:
        """Take an objection: from now on nothing is matched against this person, until it is decided.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def keep() -> Changed:
            now = self._desk.clock.now()
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves them matched.
                tx.subjects.get(gallery.id, subject)
                stop(tx, gallery, subject, OBJECTION, now)
                made = note_change(tx, gallery.id, subject, "objected", now)
                self._desk.write_down(tx, Record.ALTERATION, "object", gallery, asker, subject=subject)
                vigil.notice(self._desk, tx, AlertKind.CONTESTED, gallery, asker.actor, subject, 0.0)
                return changed(made)

        return await asyncio.to_thread(keep)

    async def overrule(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Decide against an objection, with the reason on record: matching goes on. A person decides, no program.

        Raises:
            Forbidden: a program's key asks.
            UnknownSubject: the gallery has no such subject.
            NotFound: nobody objected.

        """
        if asker.actor.startswith("key_"):
            raise Forbidden("A person decides about an objection; a program's key does not.")

        def keep() -> None:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the objection standing.
                tx.subjects.get(gallery.id, subject)
                if not resume(tx, subject, OBJECTION):
                    raise NotFound("This person's objection is not on record.")
                ask_release(tx, gallery, subject, self._desk.clock.now())
                self._desk.write_down(tx, Record.ALTERATION, "overrule", gallery, asker, subject=subject)

        await asyncio.to_thread(keep)
