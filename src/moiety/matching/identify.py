"""Identify (1:N): who of a gallery is in this picture? Bits in, candidates out; below the threshold it says none."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from moiety.foundation.errors import NotApproved
from moiety.ledger import Kind as Record
from moiety.matching.answers import Candidate, FaceAnswer
from moiety.matching.asking import WORD_BITS, Asking, Bits, Order
from moiety.matching.deployed import must_be_deployed
from moiety.matching.outcomes import best_of, note_outcome
from moiety.storage import SubjectState, TemplateState
from moiety.warrants.warrant import Act

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from moiety.foundation.ids import RowId, SubjectId
    from moiety.matching.asking import SealedProbe
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction

# The higher bands run on 64 positions: at most this many hits among at least 16 decoys.
HITS_MAX = 48
_decoys = random.SystemRandom()


class Identifier:
    """Asks who is in a picture."""

    def __init__(self, desk: Desk, asking: Asking, settle: Callable[[Gallery], Awaitable[None]]) -> None:
        """Work at `desk`; `settle` finishes what a crash left open in a gallery."""
        self._desk = desk
        self._asking = asking
        self._settle = settle

    async def identify(
        self, gallery: Gallery, image: bytes, asker: Asker, spend: Callable[[Transaction], None] | None = None
    ) -> list[FaceAnswer]:
        """Answer for every face of the picture, biggest first; where others than the gate sign, for one of them.

        `spend` uses up the approval of two people, in the transaction that writes the search down.

        Raises:
            BadInput: the picture cannot be read.
            SignatureNeeded: the policy wants a signature that has not come.
            WarrantRefused: a vault refuses, or its budget for this hour is spent.
            Halted: the stop button is pressed, also where it was while this was asked.
            Unavailable: a part is away, the vaults are out of step, or they failed their canaries.

        """
        self._desk.alarms.check(gallery.id)
        await asyncio.to_thread(self._desk.must_match)
        await asyncio.to_thread(self._may, gallery, approved=spend is not None)
        terms = await self._desk.terms(gallery, Act.SEARCH)
        gallery, nonce = terms.gallery, asker.signing.nonce
        probes = terms.chosen(await self._asking.probes(gallery, image, nonce), asker.signing.face)
        if not probes:
            await asyncio.to_thread(self._note, gallery, asker, 0, {}, spend)
            return []
        signed = await self._desk.for_faces(terms, [probe.statement for probe in probes], asker, image, nonce)
        began = self._desk.clock.now()
        await asyncio.to_thread(self._note, gallery, asker, len(probes), signed.signers, spend)
        await self._settle(gallery)
        # It may have rung while somebody was about to sign.
        self._desk.alarms.check(gallery.id)
        async with self._desk.turns.shared(gallery.id):
            answers = await self._ask(gallery, probes, signed.warrants)
        await asyncio.to_thread(self._desk.must_match)
        await asyncio.to_thread(self._disclose, gallery, asker, answers, int(began), self._desk.mark_of(image))
        return answers

    def _may(self, gallery: Gallery, *, approved: bool) -> None:
        """Check that the gallery is in use, and that two people stand behind the search where it wants that.

        Raises:
            NotDeployed, NotApproved: it is not, or they do not.

        """
        with self._desk.store.read() as tx:
            under = must_be_deployed(tx, gallery, self._desk.clock.now())
        if under is not None and under.two_to_search and not approved:
            raise NotApproved

    async def _ask(
        self, gallery: Gallery, probes: Sequence[SealedProbe], warrants: Sequence[bytes]
    ) -> list[FaceAnswer]:
        """Scan, then ask for the bands of what was found."""
        bits = await self._asking.search(gallery, probes, warrants)
        few = {line: hits.tolist() for line, hits in enumerate(bits.lines) if 0 < len(hits) <= HITS_MAX}
        reached = await self._reached(gallery, bits, few)
        row_ids = await self._asking.row_ids(gallery, bits.order) if few else Order(b"")
        answers = []
        for line, probe in enumerate(probes):
            best = {row_ids[position]: band for position, band in reached.get(line, {}).items()}
            candidates = await asyncio.to_thread(self._candidates, gallery, best)
            answers.append(FaceAnswer(probe.face, candidates, too_many=len(bits.lines[line]) > HITS_MAX))
        return answers

    async def _reached(self, gallery: Gallery, bits: Bits, few: Mapping[int, list[int]]) -> dict[int, dict[int, int]]:
        """For each line and hit give the number of the highest threshold that it passes."""
        reached = {line: dict.fromkeys(hits, 0) for line, hits in few.items()}
        if not few or len(gallery.thresholds) == 1:
            return reached
        picks = [(line, _among_decoys(hits, bits.rows)) for line, hits in few.items()]
        for (line, _), passed in zip(picks, await self._asking.bands(gallery, bits, picks), strict=True):
            for step, positions in enumerate(passed, 1):
                for position in positions & reached[line].keys():
                    reached[line][position] = step
        return reached

    def _candidates(self, gallery: Gallery, best: Mapping[RowId, int]) -> tuple[Candidate, ...]:
        """Map rows to active subjects; a subject stands with its best photo's band."""
        if not best:
            return ()
        bands: dict[SubjectId, int] = {}
        with self._desk.store.read() as tx:
            found = tx.templates.by_rows(gallery.id, list(best))
            # Canaries and decoys, and people who objected or withdrew.
            left_out = tx.canaries.subjects(gallery.id) | tx.records.stopped(gallery.id)
            left_out |= tx.decoys.among({template.subject_id for template in found})
            for template in found:
                self._desk.check_binding(gallery, template.row_id, template.subject_id, template.binding)
                subject = tx.subjects.get(gallery.id, template.subject_id)
                if subject.id in left_out:
                    continue
                if template.state is TemplateState.ACTIVE and subject.state is SubjectState.ACTIVE:
                    bands[subject.id] = max(bands.get(subject.id, 0), best[template.row_id])
        ordered = sorted(bands.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Candidate(subject, gallery.bands[band]) for subject, band in ordered)

    def _note(
        self,
        gallery: Gallery,
        asker: Asker,
        faces: int,
        signers: Mapping[str, str],
        spend: Callable[[Transaction], None] | None,
    ) -> None:
        """Write the search into the ledger before a vault hears of it."""
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for a search that was never answered: it was asked all the same.
            if spend is not None:
                spend(tx)
            self._desk.write_down(tx, Record.CONSULTATION, "identify", gallery, asker, signers=signers, faces=faces)

    def _disclose(self, gallery: Gallery, asker: Asker, answers: Sequence[FaceAnswer], began: int, mark: str) -> None:
        """Write the outcome and each candidate down before anyone is shown: when the search began, of which picture.

        Regulation (EU) 2024/1689, article 12 (3): period of use, reference database, input that led to a match.
        """
        found = {(candidate.subject, candidate.band) for answer in answers for candidate in answer.candidates}
        with self._desk.store.begin() as tx:
            # A crash after this leaves entries for an answer that nobody saw.
            for subject, band in sorted(found):
                self._desk.write_down(
                    tx,
                    Record.DISCLOSURE,
                    "candidate",
                    gallery,
                    asker,
                    subject=subject,
                    with_reason=False,
                    band=band,
                    began=began,
                    input=mark,
                )
            best = best_of(answers, gallery.bands)
            note_outcome(self._desk, tx, gallery, asker, "identify", best, of=(began, mark))


def _among_decoys(hits: Sequence[int], rows: int) -> list[int]:
    """Hide the hits among random other positions, 64 in all where the gallery has so many, in random order."""
    wanted = min(WORD_BITS, rows)
    picked = set(hits)
    while len(picked) < wanted:
        picked.add(_decoys.randrange(rows))
    mixed = list(picked)
    _decoys.shuffle(mixed)
    return mixed
