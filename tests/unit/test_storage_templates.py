"""The repositories: templates and the journal."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from databases import BOTH, at
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import AlreadyThere, DuplicatePhoto, NotFound
from moiety.foundation.ids import (
    GalleryId,
    PhotoId,
    RowId,
    SubjectId,
    new_gallery_id,
    new_photo_id,
    new_row_id,
    new_subject_id,
)
from moiety.storage import (
    ActiveRow,
    Gallery,
    IntentKind,
    IntentState,
    StateCounts,
    Store,
    Template,
    TemplateState,
    Transaction,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = BOTH


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Store]:
    with Store(at(tmp_path / "gate.db"), HandClock()) as made:
        yield made


def add_gallery(tx: Transaction, name: str = "doors") -> Gallery:
    return tx.galleries.create(
        gallery_id=new_gallery_id(),
        name=name,
        purpose="open the door",
        model_name="fr_feature",
        model_sha256="0" * 64,
        dim=512,
        rotation_id="ab12",
        fmr_target=1e-5,
        thresholds=(6500, 7700),
        bands=("possible", "strong"),
    )


def add_template(tx: Transaction, gallery: Gallery, subject: SubjectId, mark: bytes | None = None) -> Template:
    return tx.templates.add(
        photo_id=new_photo_id(),
        gallery_id=gallery.id,
        subject_id=subject,
        row_id=new_row_id(),
        binding=b"sealed",
        photo_mark=mark or os.urandom(32),
    )


def test_templates_are_numbered_as_they_are_committed_and_numbers_never_return(gate: Store) -> None:
    with gate.begin() as tx:
        gallery, other = add_gallery(tx), add_gallery(tx, "other")
        subject = tx.subjects.add(gallery.id, new_subject_id()).id
        stranger = tx.subjects.add(other.id, new_subject_id()).id
        one, two, three = (add_template(tx, gallery, subject) for _ in range(3))
        assert one.seq is None
        tx.templates.activate(gallery.id, [two.photo_id, one.photo_id])
        assert tx.templates.active_rows(gallery.id) == (ActiveRow(1, two.row_id), ActiveRow(2, one.row_id))
        again = tx.templates.activate(gallery.id, [one.photo_id, three.photo_id])
        assert [template.seq for template in again] == [2, 3]
        tx.templates.delete([three.photo_id])
        four = add_template(tx, gallery, subject)
        assert tx.templates.activate(gallery.id, [four.photo_id])[0].seq == 4
        foreign = add_template(tx, other, stranger)
        assert tx.templates.activate(other.id, [foreign.photo_id])[0].seq == 1


def test_activating_is_all_or_nothing(gate: Store) -> None:
    with gate.begin() as tx:
        gallery, other = add_gallery(tx), add_gallery(tx, "other")
        subject = tx.subjects.add(gallery.id, new_subject_id()).id
        good, bad = add_template(tx, gallery, subject), add_template(tx, gallery, subject)
        tx.templates.mark_erasing([bad.photo_id])
        for photos in ([good.photo_id, bad.photo_id], [good.photo_id, new_photo_id()]):
            with pytest.raises(NotFound):
                tx.templates.activate(gallery.id, photos)
        with pytest.raises(NotFound):
            tx.templates.activate(other.id, [good.photo_id])
        assert tx.templates.get(good.photo_id).state is TemplateState.PENDING
        assert tx.templates.activate(gallery.id, [good.photo_id])[0].seq == 1


def test_the_same_photo_twice_is_no_second_template(gate: Store) -> None:
    mark = b"m" * 32
    with gate.begin() as tx:
        here, there = add_gallery(tx, "here"), add_gallery(tx, "there")
        subject, other = (tx.subjects.add(gallery.id, new_subject_id()).id for gallery in (here, there))
        first = add_template(tx, here, subject, mark)
        with pytest.raises(DuplicatePhoto):
            add_template(tx, here, subject, mark)
        assert tx.templates.by_mark(here.id, mark) == first
        assert tx.templates.by_mark(there.id, mark) is None
        add_template(tx, there, other, mark)
        tx.templates.delete([first.photo_id, first.photo_id])
        add_template(tx, here, subject, mark)


def test_photo_and_row_ids_are_taken_once(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        subject = tx.subjects.add(gallery.id, new_subject_id()).id
        first = add_template(tx, gallery, subject)
        for photo, row in ((first.photo_id, new_row_id()), (new_photo_id(), first.row_id)):
            with pytest.raises(AlreadyThere):
                tx.templates.add(
                    photo_id=photo,
                    gallery_id=gallery.id,
                    subject_id=subject,
                    row_id=row,
                    binding=b"b",
                    photo_mark=os.urandom(32),
                )


def test_hits_are_mapped_even_when_there_are_very_many(gate: Store) -> None:
    with gate.begin() as tx:
        gallery, other = add_gallery(tx), add_gallery(tx, "other")
        subject = tx.subjects.add(gallery.id, new_subject_id()).id
        photos = [add_template(tx, gallery, subject).photo_id for _ in range(1201)]
        tx.templates.activate(gallery.id, photos)
    with gate.read() as tx:
        rows = [one.row_id for one in tx.templates.active_rows(gallery.id)]
        assert {one.photo_id for one in tx.templates.by_rows(gallery.id, rows)} == set(photos)
        assert tx.templates.by_rows(other.id, rows) == ()
        assert tx.templates.by_rows(gallery.id, [new_row_id()]) == ()
        with pytest.raises(NotFound):
            tx.templates.get(new_photo_id())
    with gate.begin() as tx:
        tx.templates.mark_erasing(photos)
        assert tx.templates.count(gallery.id) == StateCounts(pending=0, active=0, erasing=1201)
        tx.templates.delete(photos)
        assert tx.templates.of_subject(subject) == ()


def test_threads_that_commit_together_draw_numbers_without_gaps(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        subject = tx.subjects.add(gallery.id, new_subject_id()).id
    start = threading.Barrier(8)

    def enrol() -> None:
        start.wait()
        for _ in range(10):
            with gate.begin() as tx:
                tx.templates.activate(gallery.id, [add_template(tx, gallery, subject).photo_id])

    threads = [threading.Thread(target=enrol) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with gate.read() as tx:
        assert [one.seq for one in tx.templates.active_rows(gallery.id)] == list(range(1, 81))


# ---- intents ----


def test_an_intent_is_opened_advanced_and_closed(gate: Store) -> None:
    gallery, subject, rows = new_gallery_id(), new_subject_id(), (new_row_id(), new_row_id())
    with gate.begin() as tx:
        first = tx.intents.open(IntentKind.ENROL, gallery, subject_id=subject, row_ids=rows)
        second = tx.intents.open(IntentKind.ERASE, gallery, state=IntentState.ERASING)
    with gate.read() as tx:
        assert tx.intents.pending() == (first, second)
    assert (first.row_ids, first.state, first.subject_id) == (rows, IntentState.PREPARING, subject)
    assert (second.row_ids, second.subject_id) == ((), None)
    with gate.begin() as tx:
        assert tx.intents.advance(first.id, IntentState.COMMITTING).state is IntentState.COMMITTING
        tx.intents.close(second.id)
    with gate.begin() as tx:
        assert [(one.id, one.state) for one in tx.intents.pending()] == [(first.id, IntentState.COMMITTING)]
        for call in (tx.intents.close, lambda number: tx.intents.advance(number, IntentState.COMMITTING)):
            with pytest.raises(NotFound):
                call(second.id)


def test_an_intent_number_is_never_given_twice(gate: Store) -> None:
    with gate.begin() as tx:
        first = tx.intents.open(IntentKind.GALLERY, new_gallery_id())
        tx.intents.close(first.id)
    with gate.begin() as tx:
        assert tx.intents.open(IntentKind.GALLERY, new_gallery_id()).id > first.id


def test_the_typed_ids_are_what_the_records_carry(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        subject = tx.subjects.add(gallery.id, new_subject_id())
        template = add_template(tx, gallery, subject.id)
    kinds: tuple[GalleryId, SubjectId, PhotoId, RowId] = (gallery.id, subject.id, template.photo_id, template.row_id)
    assert [str(one)[:4] for one in kinds[:3]] == ["gal_", "sub_", "pho_"]
    assert len(template.row_id) == 16
