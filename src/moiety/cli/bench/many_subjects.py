"""Fills a gate's tables with many subjects, for the benchmark of pages; the parts must not run.

Each has a template, a record, a reference, a note and an entry in the ledger. What is sealed is random bytes of the
length that it would have: whoever times a page that opens it enters those people's names anew.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy import insert

from moiety.foundation.ids import new_photo_id, new_row_id, new_subject_id
from moiety.ledger import Kind, Ledger
from moiety.storage import FieldClass
from moiety.storage.batches import Newcomer
from moiety.storage.person_tables import RecordRow
from moiety.storage.tables import SubjectFieldRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from moiety.storage import Gallery, Store, Transaction

AT_ONCE = 1000
_WRAPPED, _NOTE, _BLIND, _MARK, _BINDING = 60, 200, 32, 32, 60
_FIELDS = {"reference": FieldClass.LABEL, "note": FieldClass.FIELD}


def fill(store: Store, gallery: Gallery, subjects: int, advance: Callable[[int], None]) -> None:
    """Enter `subjects` active subjects into an open gallery."""
    ledger = Ledger(store, bytes(32))
    for start in range(0, subjects, AT_ONCE):
        count = min(AT_ONCE, subjects - start)
        with store.begin() as tx:
            # A crash leaves whole batches in a scratch folder.
            people = _people(tx, gallery, count)
            _fields(tx, gallery, people)
            _records(tx, gallery, people)
            for one in people:
                ledger.append(
                    tx,
                    Kind.COLLECTION,
                    "enrol",
                    actor="owner",
                    purpose=gallery.purpose,
                    gallery=gallery.id,
                    subject=one.subject_id,
                    photos=1,
                )
        advance(count)


def _people(tx: Transaction, gallery: Gallery, count: int) -> list[Newcomer]:
    people = [
        Newcomer(new_subject_id(), new_photo_id(), new_row_id(), os.urandom(_BINDING), os.urandom(_MARK))
        for _ in range(count)
    ]
    tx.batches.enter(gallery.id, people)
    return people


def _fields(tx: Transaction, gallery: Gallery, people: list[Newcomer]) -> None:
    """Enter what would be sealed, a batch in one statement."""
    rows = [
        {
            "subject_id": one.subject_id,
            "name": name,
            "gallery_id": gallery.id,
            "klass": klass.value,
            "wrapped_key": os.urandom(_WRAPPED),
            "ciphertext": os.urandom(_NOTE),
            "blind": os.urandom(_BLIND) if klass is FieldClass.LABEL else None,
            "created_at": 0.0,
        }
        for one in people
        for name, klass in _FIELDS.items()
    ]
    tx.session.execute(insert(SubjectFieldRow), rows)


def _records(tx: Transaction, gallery: Gallery, people: list[Newcomer]) -> None:
    """Say of each why they are kept."""
    told = {"purpose": gallery.purpose, "basis": "contract", "controller": "nobody", "source": "person", "minor": 0}
    rows = [{"subject_id": one.subject_id, "gallery_id": gallery.id, "last_contact_at": 0.0} | told for one in people]
    tx.session.execute(insert(RecordRow), rows)
