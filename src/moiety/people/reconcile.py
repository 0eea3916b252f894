"""After a restore: gate, vault A and vault B hold different people. Who is not whole is let go, and listed.

An enrolment is whole where all three have its row. The gate drops its own leftovers; what the vaults have too much of
goes into a plan, which each vault carries out at the word of its own machine: the gate has no right to erase there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import NotFound, OutOfStep
from moiety.foundation.ids import ROW_ID_BYTES, RowId
from moiety.ledger import Kind as Record
from moiety.matching.desk import Asker
from moiety.storage import GalleryState, IntentKind, IntentState, SubjectState
from moiety.warrants import targets
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, PhotoId, SubjectId
    from moiety.matching.desk import Desk
    from moiety.people.settle import Settler
    from moiety.storage import Gallery, Intent, Transaction

RECONCILER = Asker("reconcile", "a part was restored from a backup")
PAGE = 1000


@dataclass(slots=True)
class Difference:
    """What is not whole in one gallery.

    `dropped` lose everything, canaries among them; `photo_lost` keep what can still be read of them; `fields_lost` keep
    a photo, and what was sealed is gone with its key.
    """

    gallery: GalleryId
    whole: int = 0
    canaries: int = 0
    dropped: list[SubjectId] = field(default_factory=list)
    photo_lost: list[SubjectId] = field(default_factory=list)
    fields_lost: list[SubjectId] = field(default_factory=list)
    photos: list[PhotoId] = field(default_factory=list)
    at_a: list[bytes] = field(default_factory=list)
    at_b: list[bytes] = field(default_factory=list)
    people: list[bytes] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Describe it for the owner: ids and counts."""
        return {
            "gallery": self.gallery,
            "whole": self.whole,
            "canaries": self.canaries,
            "dropped": self.dropped,
            "photo_lost": self.photo_lost,
            "fields_lost": self.fields_lost,
            "photos": len(self.photos),
            "at_vault_a": len(self.at_a),
            "at_vault_b": len(self.at_b),
            "keys": len(self.people),
        }

    def plan(self) -> dict[str, list[str]]:
        """Give what the vaults are to destroy, in hex."""
        return {
            "vault-a": [row.hex() for row in self.at_a],
            "vault-b": [row.hex() for row in self.at_b],
            "people": [handle.hex() for handle in self.people],
        }


class Reconciler:
    """Compares the three, and drops what is not whole."""

    def __init__(self, desk: Desk, settler: Settler) -> None:
        """Work at `desk`; `settler` finishes what can be finished."""
        self._desk = desk
        self._settler = settler

    async def reconcile(self, *, apply: bool) -> list[Difference]:
        """Compare all galleries; with `apply` also drop at the gate what is not whole.

        Raises:
            PartDown: a vault is away; nothing is known then.

        """
        found = []
        for gallery in await asyncio.to_thread(self._galleries):
            async with self._desk.turns.alone(gallery.id):
                await self._finish(gallery, apply=apply)
                difference = await self._compare(gallery)
                if apply:
                    await asyncio.to_thread(self._drop, gallery, difference)
                found.append(difference)
        return found

    def _galleries(self) -> list[Gallery]:
        with self._desk.store.read() as tx:
            return [gallery for gallery in tx.galleries.list() if gallery.state is GalleryState.OPEN]

    async def _finish(self, gallery: Gallery, *, apply: bool) -> None:
        """Finish enrolments that were decided; one whose row a vault never had is closed, and its row is not whole."""
        with self._desk.store.read() as tx:
            pending = [intent for intent in tx.intents.pending() if intent.gallery_id == gallery.id]
        for intent in pending:
            if not apply or intent.kind is not IntentKind.ENROL or intent.state is not IntentState.COMMITTING:
                continue
            try:
                await self._settler.finish_enrolment(intent)
            except (NotFound, OutOfStep):
                with self._desk.store.begin() as tx:
                    # A crash after this leaves an active template without a row, which `_compare` finds.
                    tx.intents.close(intent.id)

    async def _compare(self, gallery: Gallery) -> Difference:
        """Ask both vaults which rows they hold, and hold them against the gate's."""
        meta = {"gallery": gallery.id}
        from_a, from_b = await self._desk.links.both(Kind.HELD, meta, [], [])
        at_a, at_b = _cut(bytes(from_a.buffers[0])), _cut(bytes(from_b.buffers[0]))
        people = _cut(bytes(from_b.buffers[1]))
        return await asyncio.to_thread(self._difference, gallery, at_a, at_b, people)

    def _difference(self, gallery: Gallery, at_a: set[bytes], at_b: set[bytes], people: set[bytes]) -> Difference:
        """Sort every row, subject and personal key of a gallery; only what is not whole is looked at one by one."""
        found = Difference(gallery.id)
        with self._desk.store.read() as tx:
            mine = {row.row_id for row in tx.templates.active_rows(gallery.id)}
            whole = mine & at_a & at_b
            # A row is decided here before it is live at a vault: where it is not, the gate comes from an older backup.
            decided = [one for one in tx.intents.pending() if not _undecided(one)]
            waiting = {row for intent in decided for row in intent.row_ids}
            handles = {
                subject: targets.person_handle(self._desk.tenant, gallery.id, subject)
                for subject in _everybody(tx, gallery)
            }
            lost = tx.templates.by_rows(gallery.id, sorted(mine - whole))
            keyless = {one for one, handle in handles.items() if handle not in people and tx.fields.list(one)}
            for subject in sorted({template.subject_id for template in lost} | keyless):
                _sort(tx, found, subject, whole, keyless=subject in keyless)
            canaries = tx.canaries.subjects(gallery.id)
        found.canaries = sum(one in canaries for one in found.dropped)
        found.whole = len(whole)
        found.photos = [template.photo_id for template in lost]
        found.at_a, found.at_b = sorted(at_a - whole - waiting), sorted(at_b - whole - waiting)
        found.people = sorted(people - set(handles.values()))
        return found

    def _drop(self, gallery: Gallery, found: Difference) -> None:
        """Drop the gate's leftovers; a crash leaves some of them, and the next time finds them again."""
        with self._desk.store.begin() as tx:
            tx.templates.delete(found.photos)
            # A crash before this commit, or between it and those below, leaves what the next run finds again.
            for subject in found.fields_lost:
                for one in tx.fields.list(subject):
                    tx.fields.delete(subject, one.name)
                self._desk.write_down(tx, Record.ERASURE, "reconcile", gallery, RECONCILER, subject=subject)
        for start in range(0, len(found.dropped), PAGE):
            with self._desk.store.begin() as tx:
                for subject in found.dropped[start : start + PAGE]:
                    tx.subjects.delete(gallery.id, subject)
                    self._desk.write_down(tx, Record.ERASURE, "reconcile", gallery, RECONCILER, subject=subject)
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves no entry of these; the photos are gone, so the next run finds them not.
            for subject in found.photo_lost:
                self._desk.write_down(tx, Record.ALTERATION, "photo-lost", gallery, RECONCILER, subject=subject)


def _undecided(intent: Intent) -> bool:
    """Whether it is an enrolment that may still be given up."""
    return intent.kind is IntentKind.ENROL and intent.state is IntentState.PREPARING


def _sort(tx: Transaction, found: Difference, subject: SubjectId, whole: set[RowId], *, keyless: bool) -> None:
    """Put a subject where they belong who lost a photo, or the key to their fields."""
    kept = [one for one in tx.templates.of_subject(subject) if one.row_id in whole]
    readable = not keyless and bool(tx.fields.list(subject))
    if not kept and not readable:
        found.dropped.append(subject)
    elif keyless:
        found.fields_lost.append(subject)
    else:
        found.photo_lost.append(subject)


def _everybody(tx: Transaction, gallery: Gallery) -> list[SubjectId]:
    """List the active subjects of a gallery, canaries among them."""
    found = list(tx.canaries.subjects(gallery.id))
    after = None
    while page := tx.subjects.page(gallery.id, after=after, limit=PAGE, state=SubjectState.ACTIVE):
        found += [subject.id for subject in page]
        after = page[-1].id
    return found


def _cut(joined: bytes) -> set[bytes]:
    """Take joined ids of 16 bytes apart."""
    return {RowId(joined[at : at + ROW_ID_BYTES]) for at in range(0, len(joined), ROW_ID_BYTES)}
