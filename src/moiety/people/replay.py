"""A gate that was restored from a backup forgets, before it serves, whoever was erased since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.ids import RowId
from moiety.ledger import Kind as Record
from moiety.warrants import targets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from moiety.foundation.ids import SubjectId
    from moiety.ledger import Ledger
    from moiety.storage import Gallery, Store, Transaction

ACTOR = "restore"
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Who was forgotten: subjects, and photos of others."""

    subjects: tuple[SubjectId, ...]
    photos: int


@dataclass(frozen=True, slots=True)
class Books:
    """What of a gate is brought up to date."""

    tenant: str
    store: Store
    ledger: Ledger


def replay(books: Books, tombstones: Mapping[str, Collection[bytes]]) -> Forgotten:
    """Remove subjects whose personal key was destroyed, and templates whose row was; `tombstones` by gallery.

    A crash in the middle leaves some of them, and the mark of the restore: the next start comes here again.
    """
    subjects: list[SubjectId] = []
    photos = 0
    with books.store.read() as tx:
        galleries = tx.galleries.list()
    for gallery in galleries:
        buried = set(tombstones.get(gallery.id, ()))
        if buried:
            gone = _subjects(books, gallery, buried)
            subjects += gone
            photos += _photos(books, gallery, buried)
    return Forgotten(tuple(subjects), photos)


def _subjects(books: Books, gallery: Gallery, buried: set[bytes]) -> list[SubjectId]:
    """Remove the subjects whose personal key has a tombstone."""
    gone = [one for one in _everybody(books, gallery) if targets.person_handle(books.tenant, gallery.id, one) in buried]
    for start in range(0, len(gone), PAGE):
        some = gone[start : start + PAGE]
        with books.store.begin() as tx:
            _close_intents(tx, set(some))
            for subject in some:
                tx.subjects.delete(gallery.id, subject)
                _write_down(books, tx, gallery, subject, 0)
    return gone


def _everybody(books: Books, gallery: Gallery) -> list[SubjectId]:
    """List all subjects of a gallery in any state, canaries among them."""
    with books.store.read() as tx:
        found = list(tx.canaries.subjects(gallery.id))
        after = None
        while page := tx.subjects.page(gallery.id, after=after, limit=PAGE, state=None):
            found += [subject.id for subject in page]
            after = page[-1].id
    return found


def _close_intents(tx: Transaction, subjects: set[SubjectId]) -> None:
    """Let go of what was begun with subjects that are gone."""
    for intent in tx.intents.pending():
        if intent.subject_id in subjects:
            tx.intents.close(intent.id)


def _photos(books: Books, gallery: Gallery, buried: set[bytes]) -> int:
    """Remove the templates whose row has a tombstone, of subjects who stay."""
    rows = [RowId(row_id) for row_id in buried]
    with books.store.begin() as tx:
        gone = tx.templates.by_rows(gallery.id, rows)
        tx.templates.delete([one.photo_id for one in gone])
        if gone:
            _write_down(books, tx, gallery, None, len(gone))
    return len(gone)


def _write_down(books: Books, tx: Transaction, gallery: Gallery, subject: SubjectId | None, templates: int) -> None:
    """Write what was forgotten into the ledger, in the same transaction."""
    books.ledger.append(
        tx,
        Record.ERASURE,
        "restore",
        actor=ACTOR,
        purpose=gallery.purpose,
        gallery=gallery.id,
        subject=subject,
        templates=templates,
    )
