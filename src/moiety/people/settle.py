"""Finishing or undoing what was interrupted; a start and a failure take the same path.

An intent in state 'preparing' is undone at the vaults and then at the gate; 'committing' and 'erasing' are finished.
Every step may be repeated.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moiety.foundation.errors import Busy, Refusal, SignatureNeeded, UnknownSubject, WarrantRefused
from moiety.foundation.ids import ROW_ID_BYTES, RowId, SubjectId
from moiety.matching.desk import Asker
from moiety.matching.signing import needed
from moiety.people.burial import bury
from moiety.storage import GalleryState, IntentKind, IntentState, SubjectState, TemplateState
from moiety.warrants import targets
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moiety.foundation.ids import GalleryId
    from moiety.matching.desk import Desk
    from moiety.matching.signing import Terms
    from moiety.storage import Gallery, Intent
    from moiety.wire.links import Client

_log = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0
HANDLE_BYTES = 16
MYSELF = Asker("gate", "an erasure that was begun is finished")


def cut(joined: bytes, size: int) -> list[bytes]:
    """Cut what was joined into pieces of `size` bytes."""
    return [joined[at : at + size] for at in range(0, len(joined), size)]


def _names(intent: Intent) -> set[RowId | SubjectId]:
    """Give what an intent is in hand by: its rows, or its subject where it has none."""
    names: set[RowId | SubjectId] = set(intent.row_ids)
    return names if names or intent.subject_id is None else {intent.subject_id}


class _Carried:
    """A signed warrant for an erasure, and which vaults have taken it: each takes it once."""

    def __init__(self, warrant: bytes) -> None:
        self.warrant = warrant
        self._done: set[Client] = set()

    async def hand(self, vault: Client, gallery: GalleryId, about: Sequence[bytes]) -> None:
        """Hand it to a vault that has not done it yet."""
        if vault not in self._done:
            await vault.call(Kind.ERASE, {"gallery": gallery}, [self.warrant, *about])
            self._done.add(vault)


class Settler:
    """Knows which intents are in hand in this process, and settles all others."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._in_hand: set[RowId | SubjectId] = set()
        self._carried: dict[int, _Carried] = {}
        self._begun = False
        # Galleries whose rows could not go because of a refresh, and when to try again.
        self._not_before: dict[GalleryId, float] = {}
        self._swept = 0.0
        self._beginning = asyncio.Lock()

    @contextmanager
    def in_hand(self, what: RowId | SubjectId) -> Iterator[None]:
        """Keep others from settling the intent for a row, or for a subject without one, that somebody works on."""
        self._in_hand.add(what)
        try:
            yield
        finally:
            self._in_hand.discard(what)

    def _left(self, gallery: GalleryId | None) -> list[Intent]:
        """Read the intents of subjects that nobody has in hand, oldest first.

        What is decided is finished by whoever has the gallery's turn, so that nothing overtakes it.
        """
        with self._desk.store.read() as tx:
            pending = tx.intents.pending()
        return [
            intent
            for intent in pending
            if intent.kind is not IntentKind.GALLERY
            and not (intent.state is IntentState.PREPARING and self._in_hand.intersection(_names(intent)))
            and gallery in {None, intent.gallery_id}
        ]

    async def gallery(self, gallery: GalleryId) -> None:
        """Settle what is left of one gallery; the caller holds its turn alone.

        Raises:
            PartDown: a vault is away; it stays to be settled.
            Busy: a refresh goes on, and rows cannot go before it ends.

        """
        for intent in await asyncio.to_thread(self._left, gallery):
            try:
                await self._settle(intent)
            except SignatureNeeded:
                continue  # it is in no answer any more, and waits for somebody to sign

    async def what_matters(self, gallery: GalleryId) -> None:
        """Settle what an answer depends on; rows that only have to go wait for a refresh to end.

        Raises:
            PartDown: a vault is away; it stays to be settled.

        """
        now = self._desk.clock.monotonic()
        for intent in await asyncio.to_thread(self._left, gallery):
            if intent.state is not IntentState.COMMITTING and now < self._not_before.get(gallery, 0.0):
                continue
            try:
                await self._settle(intent)
            except SignatureNeeded:
                continue  # as above
            except Busy as busy:
                self._not_before[gallery] = now + busy.wait_s

    async def if_needed(self, gallery: Gallery) -> None:
        """Settle before a question: all galleries once in this process, later only what this one has left."""
        if not self._begun:
            await self.everything()
        if await asyncio.to_thread(self._left, gallery.id):
            async with self._desk.turns.alone(gallery.id):
                await self.what_matters(gallery.id)

    async def everything(self) -> int:
        """Settle all that is left; now and then, also let the vaults drop what nobody will commit.

        Raises:
            PartDown: a vault is away.

        """
        async with self._beginning:
            left = await asyncio.to_thread(self._left, None)
            for gallery in sorted({intent.gallery_id for intent in left}):
                async with self._desk.turns.alone(gallery):
                    await self.what_matters(gallery)
            if not self._begun or self._desk.clock.monotonic() - self._swept >= SWEEP_SECONDS:
                for gallery in await asyncio.to_thread(self._open_galleries):
                    await self._sweep(gallery)
                self._swept = self._desk.clock.monotonic()
                self._begun = True
            return len(left)

    async def _sweep(self, gallery: GalleryId) -> None:
        """Let the vaults drop what is prepared there and unknown here: what a message made that came too late.

        By name and never all of it: this message may come too late as well. The key of somebody who is here, whose
        first field was written after the enrolment, is told to stay.
        """
        links, meta = self._desk.links, {"gallery": gallery}
        answers = await links.both(Kind.LEFT, meta, [], [])
        rows = [cut(bytes(answer.buffers[0]), ROW_ID_BYTES) for answer in answers]
        handles = cut(bytes(answers[1].buffers[1]), HANDLE_BYTES)
        # Looked up after the vaults were asked: whatever has begun since is not among what they named.
        known_rows, known_handles = await asyncio.to_thread(self._known, gallery, {*rows[0], *rows[1]})
        lost = [b"".join(row for row in there if row not in known_rows) for there in rows]
        if any(lost):
            try:
                await links.both(Kind.ABORT, meta, [lost[0]], [lost[1]])
            except Busy:
                return  # a refresh goes on; they are in no search, and the next sweep comes here again
        unknown = [handle for handle in handles if handle not in known_handles]
        here = await asyncio.to_thread(self._here, gallery, unknown) if unknown else []
        if here:
            stays = {"places": [], "people": [handle.hex() for handle in here]}
            await links.both(Kind.COMMIT, meta | stays, [], [])
        for handle in unknown:
            if handle not in here:
                await links.b.call(Kind.FORGET, meta, [handle])

    def _known(self, gallery: GalleryId, rows: set[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Say which of `rows` this gate has, and name the personal keys of whoever is on the way."""
        with self._desk.store.read() as tx:
            known = {bytes(template.row_id) for template in tx.templates.by_rows(gallery, [RowId(r) for r in rows])}
            on_the_way = [intent for intent in tx.intents.pending() if intent.gallery_id == gallery]
        return known, {self._handle(intent) for intent in on_the_way if intent.subject_id is not None}

    def _here(self, gallery: GalleryId, handles: Sequence[bytes]) -> set[bytes]:
        """Say which of these personal keys are of subjects of this gallery."""
        with self._desk.store.read() as tx:
            subjects = tx.subjects.ids(gallery)
        named = (targets.person_handle(self._desk.tenant, gallery, one) for one in subjects)
        return set(handles).intersection(named)

    def _open_galleries(self) -> list[GalleryId]:
        """List the galleries that the vaults know."""
        with self._desk.store.read() as tx:
            return [gallery.id for gallery in tx.galleries.list() if gallery.state is GalleryState.OPEN]

    async def after_failure(self, intent: Intent) -> None:
        """Settle an intent whose work failed; if a part is away, it stays for later."""
        try:
            now = await asyncio.to_thread(self._state, intent)
            if now is IntentState.PREPARING:
                await self._undo_enrolment(intent)
        except Refusal as refusal:
            about = {"intent": intent.id, "slug": refusal.slug}
            _log.warning("gate: intent %(intent)d is left to be settled: %(slug)s", about)

    def _state(self, intent: Intent) -> IntentState | None:
        """Read an intent's present state; None when it is closed."""
        with self._desk.store.read() as tx:
            return next((one.state for one in tx.intents.pending() if one.id == intent.id), None)

    async def _settle(self, intent: Intent) -> None:
        """Undo or finish one intent."""
        if intent.kind is IntentKind.ERASE:
            await self.finish_erasure(intent)
        elif intent.state is IntentState.PREPARING:
            await self._undo_enrolment(intent)
        else:
            await self.finish_enrolment(intent)

    # ---- enrolment ----

    async def finish_enrolment(self, intent: Intent) -> None:
        """Second phase: both vaults make the rows live at the places that the gate has decided."""
        places = await asyncio.to_thread(self._places, intent)
        people = [] if intent.subject_id is None else [self._handle(intent).hex()]
        meta = {"gallery": intent.gallery_id, "places": places, "people": people}
        await self._desk.links.both(Kind.COMMIT, meta, [], [])

        def close() -> None:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the intent; telling the vaults again changes nothing.
                tx.intents.close(intent.id)

        await asyncio.to_thread(close)

    def _places(self, intent: Intent) -> list[tuple[str, int]]:
        """Read where the rows of an intent stand."""
        with self._desk.store.read() as tx:
            templates = tx.templates.by_rows(intent.gallery_id, intent.row_ids)
        return sorted(((t.row_id.hex(), t.seq) for t in templates if t.seq is not None), key=lambda place: place[1])

    async def _undo_enrolment(self, intent: Intent) -> None:
        """Let the vaults drop what was prepared, then the gate."""
        rows = b"".join(intent.row_ids)
        await self._desk.links.both(Kind.ABORT, {"gallery": intent.gallery_id}, [rows], [rows])
        if await asyncio.to_thread(self._is_new, intent):
            await self._desk.links.b.call(Kind.FORGET, {"gallery": intent.gallery_id}, [self._handle(intent)])
        await asyncio.to_thread(self._forget, intent)

    def _is_new(self, intent: Intent) -> bool:
        """Whether the intent's subject was to come with it: only then is the personal key to go with it."""
        if intent.subject_id is None:
            return False
        with self._desk.store.read() as tx:
            try:
                return tx.subjects.get(intent.gallery_id, intent.subject_id).state is SubjectState.PENDING
            except UnknownSubject:
                return True

    def _forget(self, intent: Intent) -> None:
        """Remove pending rows and a pending subject together with the intent."""
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves all of it, and the next start comes here again.
            templates = tx.templates.by_rows(intent.gallery_id, intent.row_ids)
            tx.templates.delete([t.photo_id for t in templates if t.state is TemplateState.PENDING])
            if intent.subject_id is not None:
                try:
                    subject = tx.subjects.get(intent.gallery_id, intent.subject_id)
                except UnknownSubject:
                    subject = None
                if subject and subject.state is SubjectState.PENDING:
                    tx.subjects.delete(intent.gallery_id, subject.id)
            tx.intents.close(intent.id)

    # ---- erasure ----

    def carry(self, intent: Intent, warrant: bytes) -> None:
        """Take along the warrant that people signed for an erasure, until both vaults have done it or one refuses."""
        self._carried[intent.id] = _Carried(warrant)

    def is_open(self, intent: Intent) -> bool:
        """Say whether an intent is still to be settled."""
        return self._state(intent) is not None

    async def unsigned(self) -> list[Intent]:
        """List the erasures that nobody has signed, where the policy wants others than the gate to sign."""
        waiting = []
        for intent in await asyncio.to_thread(self._left, None):
            if intent.kind is IntentKind.ERASE and intent.id not in self._carried:
                gallery = await asyncio.to_thread(self._gallery, intent.gallery_id)
                if not (await self._desk.terms(gallery, Act.ERASE)).at_once:
                    waiting.append(intent)
        return waiting

    async def finish_erasure(self, intent: Intent) -> None:
        """Both vaults destroy the halves, B the personal key; then the gate forgets.

        Raises:
            SignatureNeeded: others than the gate must sign and have not, or a vault refused what they signed.

        """
        gallery = await asyncio.to_thread(self._gallery, intent.gallery_id)
        terms = await self._desk.terms(gallery, Act.ERASE)
        person = b"" if intent.subject_id is None else self._handle(intent)
        about = [b"".join(intent.row_ids), person]
        if terms.at_once:
            signed = await self._desk.for_targets(terms, MYSELF, [(targets.of_erasure(intent.row_ids, person), {})])
            buffers = [signed.warrants[0], *about]
            await self._desk.links.both(Kind.ERASE, {"gallery": gallery.id}, buffers, buffers)
        else:
            await self._hand_over(terms, intent, about)
        await asyncio.to_thread(self._erase, intent)
        self._carried.pop(intent.id, None)

    async def _hand_over(self, terms: Terms, intent: Intent, about: list[bytes]) -> None:
        """Give both vaults what people signed for an erasure; it is dropped where one refuses it.

        Raises:
            SignatureNeeded: nobody has signed, or a vault refused.
            Unavailable: a vault is away; the other one is not told again.

        """
        carried = self._carried.get(intent.id)
        if carried is None:
            raise needed(terms.needs)
        links = self._desk.links
        handed = (carried.hand(line, terms.gallery.id, about) for line in (links.a, links.b))
        failed = [one for one in await asyncio.gather(*handed, return_exceptions=True) if one is not None]
        if any(isinstance(one, WarrantRefused) for one in failed):
            self._carried.pop(intent.id, None)
            raise needed(terms.needs)
        if failed:
            raise failed[0]

    def _gallery(self, gallery: GalleryId) -> Gallery:
        with self._desk.store.read() as tx:
            return tx.galleries.get(gallery)

    def _erase(self, intent: Intent) -> None:
        """Remove what is to go, together with the intent."""
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves all of it; `bury` says how that goes on.
            bury(self._desk, tx, intent)

    def _handle(self, intent: Intent) -> bytes:
        """Name the personal key at B of the intent's subject."""
        assert intent.subject_id is not None  # noqa: S101 - callers ask only for intents with a subject
        return targets.person_handle(self._desk.tenant, intent.gallery_id, intent.subject_id)
