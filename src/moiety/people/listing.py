"""Lists of people as they are shown before anybody gave a reason to see one: masked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moiety.ledger import Kind as Record
from moiety.matching import vigil
from moiety.people.fields import RESERVED
from moiety.people.masks import DOTS, masked
from moiety.people.sheets import as_csv
from moiety.storage import GalleryState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from moiety.access.spending import Spend
    from moiety.foundation.ids import GalleryId, SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.fields import Fields
    from moiety.storage import Gallery, Subject, Transaction

COLUMNS: Final = ("subject", "reference", "photos", "basis", "controller", "source", "since", "ends")


@dataclass(frozen=True, slots=True)
class Listed:
    """One person of a list: the reference masked, of all else only that it is there."""

    subject: SubjectId
    reference: str
    fields: tuple[str, ...]
    photos: int
    basis: str
    controller: str
    source: str
    minor: bool
    stopped: bool
    on_hold: bool
    awaits_release: bool
    created_at: float
    expires_at: float | None


def export_lines(after: SubjectId | None, limit: int) -> dict[str, str]:
    """Give the lines that two people agree on for an export of a page of people."""
    return {"export": "people, references masked", "behind": after or "the beginning", "people": str(limit)}


class Listing:
    """Lists people, and finds one person's records in all galleries."""

    def __init__(self, desk: Desk, fields: Fields) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._fields = fields

    async def page(
        self, gallery: Gallery, after: SubjectId | None, limit: int, asker: Asker, *, decoys: bool = True
    ) -> tuple[Listed, ...]:
        """Give up to `limit` people whose id follows `after`; no more is opened than is shown, and B meters it.

        Decoys stand among them, but where they are not wanted.

        Raises:
            WarrantRefused: the budget of labels of this hour is spent.

        """

        def read() -> list[Listed]:
            with self._desk.store.read() as tx:
                return _listed(tx, tx.subjects.page(gallery.id, after=after, limit=limit, decoys=decoys))

        page = await asyncio.to_thread(read)
        labels = await self._fields.labels(gallery, [one.subject for one in page], asker) if page else {}
        if not labels:
            # Where references were opened, an entry of each says so.
            await asyncio.to_thread(self._note_page, gallery, len(page), asker)
        return tuple(_with(one, masked(labels[one.subject]) if one.subject in labels else DOTS) for one in page)

    async def seen(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> Listed:
        """Give why one person is kept to somebody who looks at them: charged like a line of a list, and written down.

        Raises:
            UnknownSubject: the gallery has no such subject.
            RateLimited: the asker's budget of this hour is spent.

        """

        def read() -> Listed:
            with self._desk.store.begin() as tx:
                # A crash after this leaves an entry for a page that nobody saw.
                found = _listed(tx, [tx.subjects.get(gallery.id, subject)])[0]
                vigil.spend(self._desk, tx, asker, "label", 1)
                self._desk.write_down(
                    tx, Record.CONSULTATION, "record", gallery, asker, subject=subject, with_reason=bool(asker.reason)
                )
                return found

        return await self._fields.watched(gallery, asker, asyncio.to_thread(read))

    async def one(self, gallery: Gallery, subject: SubjectId) -> Listed:
        """Give why one person is kept, nothing revealed.

        Raises:
            UnknownSubject: the gallery has no such subject.

        """

        def read() -> Listed:
            with self._desk.store.read() as tx:
                return _listed(tx, [tx.subjects.get(gallery.id, subject)])[0]

        return await asyncio.to_thread(read)

    async def as_csv(
        self, gallery: Gallery, after: SubjectId | None, limit: int, asker: Asker, spend: Spend
    ) -> tuple[str, SubjectId | None]:
        """Write a page of real people as a table for a spreadsheet; gives the id behind which the next one begins, too.

        Raises:
            NotApproved: what two people agreed on is not this page.
            WarrantRefused: the budget of labels of this hour is spent.

        """
        await asyncio.to_thread(self._note_export, gallery, export_lines(after, limit), asker, spend)
        page = await self.page(gallery, after, limit, asker, decoys=False)
        rows = [
            (
                one.subject,
                one.reference,
                str(one.photos),
                one.basis,
                one.controller,
                one.source,
                str(int(one.created_at)),
                "" if one.expires_at is None else str(int(one.expires_at)),
            )
            for one in page
        ]

        return as_csv(COLUMNS, rows), page[-1].subject if len(page) == limit else None

    def _note_page(self, gallery: Gallery, people: int, asker: Asker) -> None:
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for a page that nobody saw.
            self._desk.write_down(tx, Record.CONSULTATION, "list", gallery, asker, people=people)

    def _note_export(self, gallery: Gallery, lines: dict[str, str], asker: Asker, spend: Spend) -> None:
        """Use up the approval and write the export down, before anybody is read."""
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for a list that nobody got, and the approval used up.
            spend(tx, lines)
            self._desk.write_down(tx, Record.DISCLOSURE, "list", gallery, asker, people=int(lines["people"]))

    async def everywhere(
        self, galleries: Collection[GalleryId], reference: str, asker: Asker
    ) -> list[tuple[GalleryId, SubjectId]]:
        """Find the records of one person by a reference that all have, in the galleries that the asker may see.

        Nothing at the gate links them: each gallery is asked by itself, and the combination is written down, for each
        that was asked. Raises `RateLimited` where the asker's budget of this hour is spent.
        """

        def read() -> list[Gallery]:
            with self._desk.store.read() as tx:
                return [one for one in tx.galleries.list() if one.state is GalleryState.OPEN and one.id in galleries]

        found = []
        for one in await asyncio.to_thread(read):
            await self._fields.charge_look(one, asker)
            found.append((one, await self._fields.find(one, reference)))

        def note() -> None:
            with self._desk.store.begin() as tx:
                # A crash after this leaves entries for an answer that nobody saw.
                for gallery, subject in found:
                    self._desk.write_down(
                        tx,
                        Record.COMBINATION,
                        "find",
                        gallery,
                        asker,
                        subject=subject,
                        galleries=there,
                        hit=int(subject is not None),
                    )

        there = sum(subject is not None for _, subject in found)
        await asyncio.to_thread(note)
        return [(gallery.id, subject) for gallery, subject in found if subject is not None]


def _listed(tx: Transaction, subjects: Sequence[Subject]) -> list[Listed]:
    """Describe subjects, all of a page by as many statements as one; the references are still closed."""
    ids = [one.id for one in subjects]
    records, names, held = tx.records.of_several(ids), tx.fields.names_of(ids), tx.subjects.held_among(ids)
    photos, waits = tx.templates.active_of(ids), tx.release_waits.among(ids)
    found = []
    for subject in subjects:
        record = records.get(subject.id)
        found.append(
            Listed(
                subject=subject.id,
                reference=DOTS,
                fields=tuple(name for name in names.get(subject.id, ()) if not name.startswith(RESERVED)),
                photos=photos.get(subject.id, 0),
                basis=record.basis if record else "",
                controller=record.controller if record else "",
                source=record.source if record else "",
                minor=record.minor if record else False,
                stopped=record is not None and record.stopped_at is not None,
                on_hold=subject.id in held,
                awaits_release=subject.id in waits,
                created_at=subject.created_at,
                expires_at=subject.expires_at,
            )
        )
    return found


def _with(one: Listed, reference: str) -> Listed:
    """Put the masked reference in."""
    return replace(one, reference=reference)
