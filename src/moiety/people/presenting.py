"""The way in without a face: a card's reference, with a PIN where one was set."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import NotFound, RateLimited
from moiety.ledger import Kind as Record
from moiety.people.registrar import PIN

if TYPE_CHECKING:
    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.fields import Fields
    from moiety.people.registrar import Registrar
    from moiety.storage import Gallery

# NIST SP 800-63B-4, section 3.2.3: five failed tries, then a wait of thirty seconds.
TRIES: Final = 5
WAIT_SECONDS: Final = 30


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
        self._failed: dict[SubjectId, tuple[int, float]] = {}

    async def present(self, gallery: Gallery, reference: str, pin: str | None, asker: Asker) -> Presented:
        """Say whether somebody of the gallery has this reference, and this PIN where one is set.

        Raises:
            RateLimited: five wrong PINs one after the other; wait thirty seconds.

        """
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
        self._wait(subject)
        if pin is not None and hmac.compare_digest(kept, await self._registrar.pin_mark(gallery, subject, pin)):
            self._failed.pop(subject, None)
            return True
        tries = self._failed.get(subject, (0, 0.0))[0] + 1
        self._failed[subject] = (tries, self._desk.clock.monotonic())
        return False

    def _wait(self, subject: SubjectId) -> None:
        """Refuse a sixth try within half a minute of the fifth."""
        tries, last = self._failed.get(subject, (0, 0.0))
        left = WAIT_SECONDS - (self._desk.clock.monotonic() - last)
        if tries >= TRIES and left > 0:
            raise RateLimited("Too many wrong PINs; try again later.", wait_s=int(left) + 1)

    def _kept(self, subject: SubjectId) -> bytes | None:
        """Read the mark of a subject's PIN."""
        with self._desk.store.read() as tx:
            try:
                return tx.fields.get(subject, PIN).blind
            except NotFound:
                return None
