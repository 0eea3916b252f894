"""Verify (1:1) whether it is the claimed subject, and compare whether two pictures show the same person."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.foundation.errors import NoFace, OutOfStep, UnknownSubject
from moiety.ledger import Kind as Record
from moiety.matching.answers import Verdict
from moiety.matching.asking import WORD_BITS, told
from moiety.matching.thresholds import BAND_NAMES
from moiety.storage import SubjectState, TemplateState
from moiety.warrants import targets
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from moiety.foundation.ids import RowId, SubjectId
    from moiety.matching.asking import Asking, Bits, SealedProbe
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery

PAIR_PURPOSE = "comparison of two pictures"


class Verifier:
    """Asks about one claimed subject, or about two pictures."""

    def __init__(self, desk: Desk, asking: Asking, settle: Callable[[Gallery], Awaitable[None]]) -> None:
        """Work at `desk`; `settle` finishes what a crash left open in a gallery."""
        self._desk = desk
        self._asking = asking
        self._settle = settle

    async def verify(self, gallery: Gallery, subject: SubjectId, image: bytes, asker: Asker) -> Verdict:
        """Compare the biggest face of the picture with the photos of one subject.

        The vaults learn in which blocks of 64 rows the claimed ones lie, not which they are.

        Raises:
            UnknownSubject: the gallery has no such active subject.
            NoFace: the picture shows none.
            CanaryFailed: the vaults failed a question with a known answer.

        """
        self._desk.alarms.check(gallery.id)
        rows = await asyncio.to_thread(self._rows, gallery, subject)
        probes = await self._asking.probes(gallery, image)
        if not probes:
            raise NoFace
        await asyncio.to_thread(self._note, gallery, subject, asker)
        await self._settle(gallery)
        async with self._desk.turns.shared(gallery.id):
            band = await self._band(gallery, rows, probes[0], asker)
        return Verdict(band is not None, band, (probes[0].face,))

    def _rows(self, gallery: Gallery, subject: SubjectId) -> set[RowId]:
        """Give the row ids of an active subject."""
        with self._desk.store.read() as tx:
            if tx.subjects.get(gallery.id, subject).state is not SubjectState.ACTIVE:
                raise UnknownSubject
            found = set()
            for template in tx.templates.of_subject(subject):
                self._desk.check_binding(gallery, template.row_id, template.subject_id, template.binding)
                if template.state is TemplateState.ACTIVE:
                    found.add(template.row_id)
            return found

    async def _band(self, gallery: Gallery, rows: set[RowId], probe: SealedProbe, asker: Asker) -> str | None:
        """Ask for the blocks in which the rows lie and look at the claimed positions only."""
        claimed = await self._claimed(gallery, rows)
        blocks = sorted({position // WORD_BITS for position in claimed})
        target = targets.of_blocks(blocks)
        bits = await self._asking.search(gallery, [probe], Act.VERIFY, asker, target=target, blocks=blocks)
        now = await self._asking.row_ids(gallery, bits.order)
        if {now[position] for position in claimed} != rows:
            raise OutOfStep
        passed = _passed(bits, blocks, claimed)
        return gallery.bands[passed - 1] if passed else None

    async def _claimed(self, gallery: Gallery, rows: set[RowId]) -> list[int]:
        """Find the positions of the claimed rows in the vaults' order."""
        for _ in "once", "again":
            order = await self._asking.row_ids(gallery)
            claimed = [position for position, row_id in enumerate(order) if row_id in rows]
            if len(claimed) == len(rows):
                return claimed
            self._asking.forget_order(gallery)
        raise OutOfStep

    def _note(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Write the question into the ledger before a vault hears of it."""
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for a question that was never answered.
            self._desk.write_down(tx, Record.CONSULTATION, "verify", gallery, asker, subject=subject)

    async def compare(self, first: bytes, second: bytes, asker: Asker) -> Verdict:
        """Compare the biggest faces of two pictures, inside the eye; nothing is stored but the ledger's entry.

        Raises:
            NoFace: one of them shows none.
            BadInput: one of them cannot be read.

        """
        await asyncio.to_thread(self._note_pair, asker)
        answer = await self._desk.links.eye.call(Kind.COMPARE, {}, [first, second])
        reached = int(answer.meta["band"])
        faces = tuple(told(meta) for meta in answer.meta["faces"])
        return Verdict(reached > 0, BAND_NAMES[reached - 1] if reached else None, faces)

    def _note_pair(self, asker: Asker) -> None:
        """Write the comparison into the ledger before the eye sees the pictures."""
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for a comparison that nobody saw.
            self._desk.ledger.append(
                tx, Record.COMBINATION, "compare", actor=asker.actor, purpose=PAIR_PURPOSE, reason=asker.reason
            )


def _passed(bits: Bits, blocks: Sequence[int], claimed: Sequence[int]) -> int:
    """Count the thresholds that some claimed position passes."""
    # Only the gallery's last block can be short, so place k of the answer is block k // 64, offset k % 64.
    wanted = {blocks.index(p // WORD_BITS) * WORD_BITS + p % WORD_BITS for p in claimed}
    return sum(bool(wanted & set(line.tolist())) for line in bits.lines)
