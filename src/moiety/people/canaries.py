"""Canaries in galleries: questions whose answers are known, asked again and again, show vaults that deviate.

The eye makes the faces up; the vaults cannot tell them from people's. A vault that leaves rows out, answers for others
or turns bits round is caught with the next round of questions; then the gallery answers nobody until it is right again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from typing import TYPE_CHECKING

from moiety.foundation.errors import DuplicatePhoto, Refusal
from moiety.ledger import Kind as Record
from moiety.matching.asking import SealedProbe, told
from moiety.matching.desk import Asker
from moiety.storage import GalleryState
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from moiety.foundation.ids import RowId
    from moiety.matching.asking import Asking
    from moiety.matching.desk import Desk
    from moiety.matching.signing import Terms
    from moiety.people.enrol import Enroller
    from moiety.people.settle import Settler
    from moiety.storage import Canary, Gallery

_log = logging.getLogger(__name__)

TENDER = Asker("canary", "questions whose answers are known")
# Numbers of canaries that are planted are below it, of those that never are above.
NEVER_PLANTED = 1 << 30
ASKED_AT_ONCE = 3
_dice = random.SystemRandom()


class Canaries:
    """Plants canaries and asks for them."""

    def __init__(self, desk: Desk, asking: Asking, enroller: Enroller, settler: Settler) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._asking = asking
        self._enroller = enroller
        self._settler = settler

    async def tend(self, each: int) -> list[str]:
        """Let every gallery have `each` canaries and ask for them; returns the ids of the galleries in alarm.

        A gallery that cannot be asked now is left for the next time.
        """
        for gallery in await asyncio.to_thread(self._galleries):
            try:
                await self.plant(gallery, each)
                await self.check(gallery)
            except Refusal as refusal:
                about = {"gallery": gallery.id, "slug": refusal.slug}
                _log.info("gate: the canaries of %(gallery)s were not asked: %(slug)s", about)
        return [gallery.id for gallery in await asyncio.to_thread(self._galleries) if self.alarm(gallery)]

    def alarm(self, gallery: Gallery) -> bool:
        """Say whether the vaults failed this gallery's last questions with known answers."""
        return self._desk.alarms.rings(gallery.id)

    async def plant(self, gallery: Gallery, each: int) -> int:
        """Enrol canaries until there are `each`; returns how many were missing.

        Raises:
            Unavailable: a part is away.

        """
        there = await asyncio.to_thread(self._numbers, gallery)
        missing = [number for number in range(each) if number not in there]
        for number in missing:
            try:
                await self._enroller.plant(gallery, number, TENDER)
            except DuplicatePhoto:
                continue  # another task was first
        return len(missing)

    async def check(self, gallery: Gallery) -> bool:
        """Ask for some canaries and for a face that was never enrolled; ring the alarm where the answer is wrong.

        Returns whether all was right; a gallery without canaries is asked for the unknown face only.

        Raises:
            WarrantRefused: the gallery's policy does not let the gate ask by itself, or its budget is spent.
            Unavailable: a part is away; nothing is known of the vaults.

        """
        await self._settler.if_needed(gallery)
        terms = await self._desk.terms(gallery, Act.SEARCH)
        planted = await asyncio.to_thread(self._searchable, gallery)
        picked = _dice.sample(planted, min(len(planted), ASKED_AT_ONCE - 1))
        expected: list[set[RowId]] = [{canary.row_id} for canary in picked] + [set()]
        numbers = [canary.number for canary in picked] + [_dice.randrange(NEVER_PLANTED, 2 * NEVER_PLANTED)]
        async with self._desk.turns.shared(gallery.id):
            found = await self._ask(terms, numbers)
        right = found == expected
        await asyncio.to_thread(self._note, gallery, right=right)
        return right

    async def _ask(self, terms: Terms, numbers: list[int]) -> list[set[RowId]]:
        """Search for canaries as for anybody; give the rows that were found, by number."""
        gallery, nonce = terms.gallery, os.urandom(32)
        meta = self._asking.setting(gallery) | {"numbers": numbers}
        answer = await self._desk.links.eye.call(Kind.CANARY_PROBE, meta, [nonce])
        raw = [bytes(buffer) for buffer in answer.buffers]
        probes = [SealedProbe(told(face), *raw[4 * i : 4 * i + 4]) for i, face in enumerate(answer.meta["faces"])]
        signed = await self._desk.for_faces(terms, [probe.statement for probe in probes], TENDER, b"", nonce)
        bits = await self._asking.search(gallery, probes, signed.warrants)
        order = await self._asking.row_ids(gallery, bits.order)
        return [{order[position] for position in hits.tolist()} for hits in bits.lines]

    def _note(self, gallery: Gallery, *, right: bool) -> None:
        """Ring or calm the alarm, and write a change into the ledger."""
        if right is not self.alarm(gallery):
            return
        if not right:
            self._desk.alarms.ring(gallery.id)
            about = {"gallery": gallery.id}
            _log.critical("gate: the vaults gave wrong answers about canaries of %(gallery)s; it answers nobody", about)
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves no entry; the canaries are asked again after the start.
            act = "canary-right" if right else "canary-wrong"
            self._desk.write_down(tx, Record.CONSULTATION, act, gallery, TENDER)
        if right:
            self._desk.alarms.calm(gallery.id)

    def _galleries(self) -> list[Gallery]:
        with self._desk.store.read() as tx:
            return [gallery for gallery in tx.galleries.list() if gallery.state is GalleryState.OPEN]

    def _numbers(self, gallery: Gallery) -> frozenset[int]:
        with self._desk.store.read() as tx:
            return tx.canaries.numbers(gallery.id)

    def _searchable(self, gallery: Gallery) -> tuple[Canary, ...]:
        with self._desk.store.read() as tx:
            there = tx.canaries.searchable(gallery.id)
        # A canary whose half was damaged is known to be in no search; the vaults have said so themselves.
        excluded = self._desk.standing(gallery).excluded
        return tuple(canary for canary in there if canary.row_id not in excluded)
