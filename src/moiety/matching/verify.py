"""Verify (1:1) whether it is the claimed subject, and compare whether two pictures show the same person."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import MatchingStopped, NoFace, OutOfStep, RateLimited, Unavailable, UnknownSubject
from moiety.ledger import Kind as Record
from moiety.matching import vigil
from moiety.matching.answers import Verdict
from moiety.matching.asking import WORD_BITS, told
from moiety.matching.deployed import must_be_deployed
from moiety.matching.outcomes import NONE, note_outcome
from moiety.matching.signing import one_of
from moiety.matching.thresholds import BAND_NAMES
from moiety.matching.tries import TRIES, TRIES_WITH_PAD, Tries, Way
from moiety.storage import SubjectState, TemplateState
from moiety.warrants import targets
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from moiety.foundation.ids import RowId, SubjectId
    from moiety.matching.asking import Asking, Bits, SealedProbe
    from moiety.matching.desk import Asker, Desk
    from moiety.matching.signing import Terms
    from moiety.storage import Gallery

PAIR_PURPOSE = "comparison of two pictures"
DAMAGED = "A half of each photo of this subject was damaged at a vault; nothing can be said until they are restored."


@dataclass(frozen=True, slots=True, repr=False)
class _Claim:
    """Whose rows a face is held against, and the picture that shows it."""

    terms: Terms
    subject: SubjectId
    rows: set[RowId]
    probe: SealedProbe
    image: bytes
    nonce: bytes


class Verifier:
    """Asks about one claimed subject, or about two pictures."""

    def __init__(self, desk: Desk, asking: Asking, settle: Callable[[Gallery], Awaitable[None]]) -> None:
        """Work at `desk`; `settle` finishes what a crash left open in a gallery."""
        self._desk = desk
        self._asking = asking
        self._settle = settle
        self._tries = Tries(desk.store, desk.clock, Way.FACE)

    async def verify(self, gallery: Gallery, subject: SubjectId, image: bytes, asker: Asker) -> Verdict:
        """Compare a face of the picture, the biggest unless the request says which, with the photos of one subject.

        The vaults learn in which blocks of 64 rows the claimed ones lie, not which they are.

        Raises:
            UnknownSubject: the gallery has no such active subject.
            MatchingStopped: this person objected or withdrew.
            NotDeployed: the gallery is not in use.
            RateLimited: too many tries with this claim have failed, wait thirty seconds; or a person asked too much.
            NoFace: the picture shows none.
            SignatureNeeded: the policy wants a signature that has not come.
            Halted: the stop button is pressed, also where it was while this was asked.
            OutOfStep: the rows changed their places while somebody was about to sign.
            CanaryFailed: the vaults failed a question with a known answer.
            Unavailable: a part is away, or a half of each of the subject's photos was damaged at a vault.

        """
        self._desk.alarms.check(gallery.id)
        await asyncio.to_thread(self._desk.must_match)
        rows = await asyncio.to_thread(self._rows, gallery, subject)
        terms = await self._desk.terms(gallery, Act.VERIFY)
        nonce = asker.signing.nonce
        probes = await self._asking.probes(terms.gallery, image, nonce)
        if not probes:
            raise NoFace
        whole = rows - self._desk.standing(gallery).excluded
        if rows and not whole:
            raise Unavailable(DAMAGED)
        claim = _Claim(terms, subject, whole, one_of(probes, asker.signing.face), image, nonce)
        async with self._tries.one(subject, TRIES if claim.probe.face.liveness is None else TRIES_WITH_PAD) as this:
            await self._settle(gallery)
            began = self._desk.clock.now()
            band = await self._band(claim, asker)
            await asyncio.to_thread(self._desk.must_match)
            await asyncio.to_thread(self._tell, claim, asker, band or NONE, int(began))
            this.passed = band is not None
        return Verdict(band is not None, band, (claim.probe.face,))

    def _rows(self, gallery: Gallery, subject: SubjectId) -> set[RowId]:
        """Give the row ids of an active subject."""
        with self._desk.store.read() as tx:
            must_be_deployed(tx, gallery, self._desk.clock.now())
            if tx.subjects.get(gallery.id, subject).state is not SubjectState.ACTIVE:
                raise UnknownSubject
            record = tx.records.get(subject)
            if record is not None and record.stopped_at is not None:
                raise MatchingStopped
            found = set()
            for template in tx.templates.of_subject(subject):
                self._desk.check_binding(gallery, template.row_id, template.subject_id, template.binding)
                if template.state is TemplateState.ACTIVE:
                    found.add(template.row_id)
            return found

    async def _band(self, claim: _Claim, asker: Asker) -> str | None:
        """Ask for the highest band; only where the gate itself signs can the rows be held still from the start."""
        turn = self._desk.turns.shared(claim.terms.gallery.id)
        if claim.terms.at_once:
            async with turn:
                return await self._look(claim, *await self._signed(claim, asker))
        claimed, warrants = await self._signed(claim, asker)
        self._desk.alarms.check(claim.terms.gallery.id)
        async with turn:
            return await self._look(claim, claimed, warrants)

    async def _signed(self, claim: _Claim, asker: Asker) -> tuple[list[int], list[bytes]]:
        """Find the claimed positions and have a warrant for their blocks signed and written down."""
        claimed = await self._claimed(claim.terms.gallery, claim.rows)
        blocks = _blocks(claimed)
        signed = await self._desk.for_faces(
            claim.terms,
            [claim.probe.statement],
            asker,
            claim.image,
            claim.nonce,
            targets.of_blocks(blocks),
            {"blocks": blocks},
        )
        try:
            await asyncio.to_thread(self._note, claim.terms.gallery, claim.subject, asker, signed.signers)
        except RateLimited:
            await asyncio.to_thread(vigil.over_budget, self._desk, claim.terms.gallery, asker)
            raise
        return claimed, signed.warrants

    async def _look(self, claim: _Claim, claimed: list[int], warrants: list[bytes]) -> str | None:
        """Ask for the blocks in which the rows lie and look at the claimed positions only."""
        gallery, blocks = claim.terms.gallery, _blocks(claimed)
        bits = await self._asking.search(gallery, [claim.probe], warrants, blocks=blocks)
        now = await self._asking.row_ids(gallery, bits.order)
        if {now[position] for position in claimed} != claim.rows:
            raise OutOfStep
        passed = _passed(bits, blocks, claimed)
        return gallery.bands[passed - 1] if passed else None

    async def _claimed(self, gallery: Gallery, rows: set[RowId]) -> list[int]:
        """Find the positions of the claimed rows in the vaults' order."""
        for _ in "once", "again":
            claimed = (await self._asking.row_ids(gallery)).positions(rows)
            if len(claimed) == len(rows):
                return claimed
            self._asking.forget_order(gallery)
        raise OutOfStep

    def _note(self, gallery: Gallery, subject: SubjectId, asker: Asker, signers: Mapping[str, str]) -> None:
        """Write the question into the ledger before a vault hears of it."""
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for a question that was never answered.
            # Everybody of a list, held one by one against a picture, is a search that nobody agreed on.
            vigil.spend(self._desk, tx, asker, "label", vigil.CLAIM_LABELS)
            self._desk.write_down(tx, Record.CONSULTATION, "verify", gallery, asker, subject=subject, signers=signers)

    def _tell(self, claim: _Claim, asker: Asker, band: str, began: int) -> None:
        """Write down how it came out, before anybody is told."""
        gallery, mark = claim.terms.gallery, self._desk.mark_of(claim.image)
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for an answer that nobody saw.
            note_outcome(self._desk, tx, gallery, asker, "verify", band, subject=claim.subject, of=(began, mark))

    async def compare(self, first: bytes, second: bytes, asker: Asker) -> Verdict:
        """Compare the biggest faces of two pictures, inside the eye; nothing is stored but the ledger's entry.

        Raises:
            NoFace: one of them shows none.
            BadInput: one of them cannot be read.
            Halted: the stop button is pressed.

        """
        await asyncio.to_thread(self._desk.must_match)
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


def _blocks(claimed: Sequence[int]) -> list[int]:
    """Give the blocks of 64 positions in which these lie."""
    return sorted({position // WORD_BITS for position in claimed})


def _passed(bits: Bits, blocks: Sequence[int], claimed: Sequence[int]) -> int:
    """Count the thresholds that some claimed position passes."""
    # Only the gallery's last block can be short, so place k of the answer is block k // 64, offset k % 64.
    wanted = {blocks.index(p // WORD_BITS) * WORD_BITS + p % WORD_BITS for p in claimed}
    return sum(bool(wanted & set(line.tolist())) for line in bits.lines)
