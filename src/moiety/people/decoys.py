"""Decoys: people who are nobody, whom no one has a reason to open. Whoever opens one is locked (`matching.vigil`).

The gate plants them by itself among people who come, each to look in lists like one of the last newcomers.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.foundation import settings
from moiety.foundation.errors import Refusal, UnknownSubject
from moiety.matching.desk import Asker
from moiety.people.registrar import Newcomer
from moiety.people.rules import DAY_SECONDS, Stated, end_of
from moiety.storage import GalleryState
from moiety.warrants.warrant import Act

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Desk
    from moiety.people.enrol import Enroller
    from moiety.people.erase import Eraser
    from moiety.people.registrar import Registrar
    from moiety.storage import Gallery

_log = logging.getLogger(__name__)

GARDENER: Final = Asker("decoys", "people who are nobody stand among people who are somebody")
# Among fewer everybody knows everybody.
PEOPLE_MIN: Final = 20
DECOYS_MIN: Final = 2
DECOYS_MAX: Final = 100
# A decoy's last days are made more: the ledger's counts of erasures are of people.
SOON_SECONDS: Final = DAY_SECONDS // 2
# Numbers of made-up faces between those of canaries and those that are never planted.
FACES: Final = (1 << 29, (1 << 30) - 1)
_dice = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Stand:
    """How many decoys a gallery has, and how many it is to have."""

    planted: int
    wanted: int


def wanted_among(people: int) -> int:
    """Say how many decoys are to stand among so many people."""
    each = settings.number("MOIETY_DECOYS")
    return min(max(people // each, DECOYS_MIN), DECOYS_MAX) if each > 0 and people >= PEOPLE_MIN else 0


class Decoys:
    """Plants decoys, and keeps them."""

    def __init__(self, desk: Desk, registrar: Registrar, enroller: Enroller, eraser: Eraser) -> None:
        """Work at `desk`; `registrar` enters and `eraser` erases them as everybody, `enroller` gives them faces."""
        self._desk = desk
        self._registrar = registrar
        self._enroller = enroller
        self._eraser = eraser

    async def plant(
        self, gallery: Gallery, reference: str, fields: Mapping[str, str], asker: Asker, stated: Stated | None = None
    ) -> SubjectId:
        """Enter somebody who is nobody: in lists like anybody else, and an alarm to whoever opens a field.

        Raises:
            AlreadyThere, BadInput, Unavailable: as for anybody.

        """
        return await self._registrar.enter(gallery, Newcomer(reference, fields, stated or Stated(), nobody=True), asker)

    async def remove(self, gallery: Gallery, decoy: SubjectId, asker: Asker) -> None:
        """Take one away, erased at both vaults and here as anybody is; the ledger names nobody.

        Raises:
            UnknownSubject: the gallery has no such decoy; of people who are somebody nothing is touched.
            SignatureNeeded, WarrantRefused, Unavailable: as for anybody's erasure.

        """
        await asyncio.to_thread(self._check_is_one, gallery, decoy)
        await self._eraser.subject(gallery, decoy, asker)

    def _check_is_one(self, gallery: Gallery, decoy: SubjectId) -> None:
        """Check that it is a decoy of this gallery; raises as `remove`."""
        with self._desk.store.read() as tx:
            tx.subjects.get(gallery.id, decoy)
            if not tx.decoys.among([decoy]):
                raise UnknownSubject

    async def tend(self) -> int:
        """Plant one decoy in each gallery that lacks some and where people came; give those that end more time.

        Returns how many were planted. What cannot be done now is left for the next time.
        """
        planted = 0
        for gallery in await asyncio.to_thread(self._due):
            try:
                planted += await self._one_more(gallery)
            except Refusal as refusal:
                about = {"gallery": gallery.id, "slug": refusal.slug}
                _log.info("gate: no decoy was planted in %(gallery)s: %(slug)s", about)
        await asyncio.to_thread(self._prolong)
        return planted

    async def stand(self, gallery: Gallery) -> Stand:
        """Say how many there are and are to be."""
        return await asyncio.to_thread(self._stand, gallery)

    def _due(self) -> list[Gallery]:
        """Say where somebody came since the last look, or a decoy was missing then."""
        with self._desk.store.read() as tx:
            came = tx.looks.unsettled()
            galleries = [one for one in tx.galleries.list() if one.id in came and one.state is GalleryState.OPEN]
        stands = {gallery.id: self._stand(gallery) for gallery in galleries}
        due = [one for one in galleries if stands[one.id].planted < stands[one.id].wanted]
        settled = [one.id for one in galleries if one not in due]
        if settled:
            with self._desk.store.begin() as tx:
                # A crash before the commit has them looked at once more.
                for gallery_id in settled:
                    tx.looks.settle(gallery_id, came[gallery_id])
        return due

    def _stand(self, gallery: Gallery) -> Stand:
        with self._desk.store.read() as tx:
            return Stand(tx.decoys.count(gallery.id), wanted_among(tx.subjects.count(gallery.id).active))

    async def _one_more(self, gallery: Gallery) -> int:
        """Plant one that looks like one of the last newcomers; where that is so and nobody has to sign, with a face.

        Raises:
            Refusal: not now.

        """
        look = await asyncio.to_thread(self._enroller.looks.one_of, gallery)
        if look is None:
            return 0
        decoy = await self.plant(gallery, look.reference(), look.values(), GARDENER, look.stated)
        if look.face and await self._may_have_a_face(gallery):
            await self._enroller.plant(gallery, _dice.randint(*FACES), GARDENER, decoy)
        return 1

    async def _may_have_a_face(self, gallery: Gallery) -> bool:
        """Say whether a face may come without anybody's consent or signature."""

        def consent() -> bool:
            with self._desk.store.read() as tx:
                rule = tx.rules.get(gallery.id)
            return rule is not None and rule.consent

        return not await asyncio.to_thread(consent) and (await self._desk.terms(gallery, Act.ENROL)).at_once

    def _prolong(self) -> None:
        """Move the ends of decoys that would end soon, as if somebody had heard of them."""
        now = self._desk.clock.now()
        with self._desk.store.read() as tx:
            ending = tx.decoys.ending(now + SOON_SECONDS)
        if not ending:
            return
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves the old ends; the next look comes here again.
            for gallery, decoy in ending:
                tx.ends.renew(decoy, end_of(tx.galleries.get(gallery), tx.rules.get(gallery), now))
