"""Decoys: people who are nobody, whom no one has a reason to open. Whoever opens one is locked (`matching.vigil`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.people.registrar import Newcomer
from moiety.people.rules import Stated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.registrar import Registrar
    from moiety.storage import Gallery


class Decoys:
    """Plants decoys."""

    def __init__(self, desk: Desk, registrar: Registrar) -> None:
        """Work at `desk`; `registrar` enters them as it enters everybody."""
        self._desk = desk
        self._registrar = registrar

    async def plant(
        self, gallery: Gallery, reference: str, fields: Mapping[str, str], asker: Asker, stated: Stated | None = None
    ) -> SubjectId:
        """Enter somebody who is nobody: in lists like anybody else, and an alarm to whoever opens a field.

        A crash between the two steps leaves an ordinary person of that reference, without a photo.

        Raises:
            AlreadyThere, BadInput, Unavailable: as for anybody.

        """
        subject = await self._registrar.enter(gallery, Newcomer(reference, fields, stated or Stated()), asker)

        def mark() -> None:
            with self._desk.store.begin() as tx:
                tx.decoys.add(subject, self._desk.clock.now())
                # Nobody could give it: a decoy is like anybody who said no.
                tx.release_waits.decline(subject, self._desk.clock.now())

        await asyncio.to_thread(mark)
        return subject
