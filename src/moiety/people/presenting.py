"""The way in without a face: a card's reference, with a PIN where one was set."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import NotFound
from moiety.ledger import Kind as Record
from moiety.matching.tries import Tries, Way
from moiety.people.registrar import PIN

if TYPE_CHECKING:
    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.fields import Fields
    from moiety.people.registrar import Registrar
    from moiety.storage import Gallery


@dataclass(frozen=True, slots=True)
class Presented:
    """Whether a card, and its PIN if one is set, is a subject's."""

    same: bool
    subject: SubjectId | None


class Presenting:
    """Checks cards and PINs."""

    def __init__(self, desk: Desk, fields: Fields, registrar: Registrar) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._fields = fields
        self._registrar = registrar
        self._tries = Tries(desk.store, desk.clock, Way.PIN)

    async def present(self, gallery: Gallery, reference: str, pin: str | None, asker: Asker) -> Presented:
        """Say whether somebody of the gallery has this reference, and this PIN where one is set.

        Raises:
            RateLimited: five wrong PINs one after the other, wait thirty seconds; or a person has looked up too many.

        """
        # A card that is looked up tells who is here as well as a reference that is.
        await self._fields.charge_look(gallery, asker)
        subject = await self._fields.find(gallery, reference)
        same = subject is not None and await self._pin_fits(gallery, subject, pin)

        def note() -> None:
            with self._desk.store.begin() as tx:
                # A crash after this leaves an entry for an answer that nobody saw.
                self._desk.write_down(
                    tx, Record.CONSULTATION, "present", gallery, asker, subject=subject, same=int(same)
                )

        await asyncio.to_thread(note)
        if same and subject is not None:
            await self._registrar.contact(gallery, subject, asker)
        return Presented(same, subject if same else None)

    async def _pin_fits(self, gallery: Gallery, subject: SubjectId, pin: str | None) -> bool:
        """Compare a PIN by its mark at both keys; wrong ones are counted."""
        kept = await asyncio.to_thread(self._kept, subject)
        if kept is None:
            return True
        async with self._tries.one(subject) as this:
            mark = None if pin is None else await self._registrar.pin_mark(gallery, subject, pin)
            this.passed = mark is not None and hmac.compare_digest(kept, mark)
        return this.passed

    def _kept(self, subject: SubjectId) -> bytes | None:
        """Read the mark of a subject's PIN."""
        with self._desk.store.read() as tx:
            try:
                return tx.fields.get(subject, PIN).blind
            except NotFound:
                return None
