"""1:1 with a template that the person keeps: on a card, or sealed to their own key. Vaults and gate hold none."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import Forbidden, NotFound, UnknownSubject
from moiety.ledger import Kind as Record
from moiety.matching.answers import Verdict
from moiety.matching.asking import told
from moiety.matching.deployed import must_be_deployed
from moiety.matching.outcomes import NONE as NO_BAND
from moiety.matching.outcomes import note_outcome
from moiety.matching.thresholds import BAND_NAMES
from moiety.matching.tries import Tries, Way
from moiety.people.admission import admit, must_amend
from moiety.storage import SubjectState
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from typing import Any

    from moiety.foundation.ids import SubjectId
    from moiety.matching.answers import SeenFace
    from moiety.matching.asking import Asking
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction

NONE: Final = "This template is not in force: it was revoked, replaced, or is another person's."


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """What the person takes along; the gate keeps its hash."""

    template: bytes
    face: SeenFace


class Own:
    """Gives templates to their people, holds people against those that they bring, and revokes them."""

    def __init__(self, desk: Desk, asking: Asking) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._asking = asking
        self._tries = Tries(desk.store, desk.clock, Way.OWN)

    async def give(
        self, gallery: Gallery, subject: SubjectId, image: bytes, key: bytes, asker: Asker, *, amends: bool
    ) -> Given:
        """Make a template of the one face of a picture for its person to keep; the one before is revoked.

        `amends`: whoever asks may give one to somebody who has a face here already.

        Raises:
            UnknownSubject, ConsentNeeded, MatchingStopped: no face of this person may be measured.
            Forbidden: the gallery's policy wants people or devices to sign; or they have a face here already.
            NoFace, ManyFaces, PoorQuality, BadInput: the picture, or the key, is not as it must be.

        """
        await asyncio.to_thread(self._may, gallery, subject)
        answer = await self._ask(gallery, subject, Act.ENROL, Kind.OWN_MAKE, [image, key])
        template, digest = (bytes(one) for one in answer.buffers)

        def keep() -> None:
            with self._desk.store.begin() as tx:
                # A crash before this leaves a template that nobody was given.
                self._active(tx, gallery, subject)
                added: dict[str, Any] = {"added": 1} if must_amend(tx, subject, amends=amends) else {}
                tx.own_templates.put(subject, digest)
                self._desk.write_down(tx, Record.COLLECTION, "own-template", gallery, asker, subject=subject, **added)

        await asyncio.to_thread(keep)
        return Given(template, told(answer.meta["faces"][0]))

    async def verify(
        self, gallery: Gallery, subject: SubjectId, image: bytes, template: bytes, asker: Asker
    ) -> Verdict:
        """Hold the biggest face of a picture against the template that the person brought, opened by their key.

        Raises:
            NotFound: the template is not the one that is in force for this person.
            RateLimited: five tries failed; wait thirty seconds.
            Halted: the stop button is pressed.
            Unverified: the template is another gallery's or was altered.

        """
        await asyncio.to_thread(self._may, gallery, subject)

        def note() -> None:
            with self._desk.store.begin() as tx:
                must_be_deployed(tx, gallery, self._desk.clock.now())
                if tx.own_templates.digest(subject) != hashlib.sha256(template).digest():
                    raise NotFound(NONE)
                # A crash after this leaves an entry for an answer that nobody saw.
                self._desk.write_down(tx, Record.CONSULTATION, "verify-own", gallery, asker, subject=subject)

        async with self._tries.one(subject) as this:
            await asyncio.to_thread(note)
            answer = await self._ask(gallery, subject, Act.VERIFY, Kind.OWN_CHECK, [image, template])
            await asyncio.to_thread(self._desk.must_match)
            reached = int(answer.meta["band"])
            this.passed = reached > 0
        band = BAND_NAMES[reached - 1] if reached else None

        def disclose() -> None:
            with self._desk.store.begin() as tx:
                # A crash after this leaves an entry for an answer that nobody saw.
                note_outcome(self._desk, tx, gallery, asker, "verify-own", band or NO_BAND, subject=subject)

        await asyncio.to_thread(disclose)
        return Verdict(reached > 0, band, (told(answer.meta["faces"][0]),))

    async def revoke(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> None:
        """Let no template of a person pass any more, wherever it is.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def drop() -> None:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the template in force; whoever ends it tries again.
                self._active(tx, gallery, subject)
                tx.own_templates.drop(subject)
                self._desk.write_down(tx, Record.ERASURE, "own-template", gallery, asker, subject=subject)

        await asyncio.to_thread(drop)

    async def since(self, gallery: Gallery, subject: SubjectId) -> float | None:
        """Say since when a person's own template is in force, if one is.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def read() -> float | None:
            with self._desk.store.read() as tx:
                self._active(tx, gallery, subject)
                return tx.own_templates.since(subject)

        return await asyncio.to_thread(read)

    def _may(self, gallery: Gallery, subject: SubjectId) -> None:
        """Check that a face of this person may be measured now."""
        self._desk.must_match()
        with self._desk.store.read() as tx:
            self._active(tx, gallery, subject)
            admit(tx, gallery, subject, self._desk.clock.now())

    @staticmethod
    def _active(tx: Transaction, gallery: Gallery, subject: SubjectId) -> None:
        if tx.subjects.get(gallery.id, subject).state is not SubjectState.ACTIVE:
            raise UnknownSubject

    async def _ask(self, gallery: Gallery, subject: SubjectId, act: Act, kind: Kind, buffers: list[bytes]) -> Any:
        """Ask the eye, where the gate's own key is enough for the act; no vault hears of the face."""
        terms = await self._desk.terms(gallery, act)
        if not terms.at_once:
            raise Forbidden("In this gallery people or devices sign; templates of people's own are for others.")
        setting = self._asking.setting(terms.gallery) | {"subject": subject}
        return await self._desk.links.eye.call(kind, setting, buffers)
