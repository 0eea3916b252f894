"""The repositories: galleries, subjects and their fields."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from databases import BOTH, SQLITE, at
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import (
    AlreadyThere,
    BadInput,
    NotFound,
    UnknownGallery,
    UnknownSubject,
)
from moiety.foundation.ids import (
    GalleryId,
    SubjectId,
    new_gallery_id,
    new_photo_id,
    new_row_id,
    new_subject_id,
)
from moiety.storage import (
    FieldClass,
    Gallery,
    GalleryState,
    StateCounts,
    Store,
    SubjectState,
    Template,
    TemplateState,
    Transaction,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = BOTH
START = 1_800_000_000.0


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def gate(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    with Store(at(tmp_path / "gate.db"), clock) as made:
        yield made


def add_gallery(
    tx: Transaction,
    name: str = "doors",
    *,
    gallery_id: GalleryId | None = None,
    thresholds: Sequence[int] = (6500, 7700, 9300),
    bands: Sequence[str] = ("possible", "probable", "strong"),
) -> Gallery:
    return tx.galleries.create(
        gallery_id=gallery_id or new_gallery_id(),
        name=name,
        purpose="open the door",
        model_name="fr_feature",
        model_sha256="0" * 64,
        dim=512,
        rotation_id="ab12",
        fmr_target=1e-5,
        thresholds=thresholds,
        bands=bands,
        retention_days=90,
        policy_version=3,
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


# ---- galleries ----


def test_a_gallery_comes_back_as_it_was_made(gate: Store) -> None:
    with gate.begin() as tx:
        made = add_gallery(tx)
    with gate.read() as tx:
        assert tx.galleries.get(made.id) == made == tx.galleries.by_name("doors")
    assert made.state is GalleryState.PENDING
    assert made.thresholds == (6500, 7700, 9300)
    assert made.bands == ("possible", "probable", "strong")
    assert (made.created_at, made.retention_days, made.policy_version) == (START, 90, 3)
    with pytest.raises(FrozenInstanceError):
        made.name = "other"  # type: ignore[misc] # that is the point


def test_galleries_open_close_and_list_by_name(gate: Store) -> None:
    with gate.begin() as tx:
        second, first = add_gallery(tx, "b"), add_gallery(tx, "a")
        assert tx.galleries.open(first.id).state is GalleryState.OPEN
        assert tx.galleries.close(second.id).state is GalleryState.CLOSED
    with gate.read() as tx:
        assert [(one.name, one.state) for one in tx.galleries.list()] == [("a", "open"), ("b", "closed")]


def test_a_gallery_name_and_id_are_taken_once(gate: Store) -> None:
    with gate.begin() as tx:
        made = add_gallery(tx)
        with pytest.raises(AlreadyThere):
            add_gallery(tx)
        with pytest.raises(AlreadyThere):
            add_gallery(tx, "other", gallery_id=made.id)
        assert len(tx.galleries.list()) == 1


def test_unknown_galleries_are_unknown_everywhere(gate: Store) -> None:
    nowhere = new_gallery_id()
    with gate.begin() as tx:
        for call in (tx.galleries.get, tx.galleries.open, tx.galleries.close, tx.galleries.remove):
            with pytest.raises(UnknownGallery):
                call(nowhere)
        with pytest.raises(UnknownGallery):
            tx.galleries.by_name("nowhere")
        with pytest.raises(UnknownGallery):
            tx.subjects.add(nowhere, new_subject_id())
        with pytest.raises(UnknownGallery):
            tx.templates.activate(nowhere, [])


@pytest.mark.parametrize(
    ("thresholds", "bands"),
    [
        ((), ()),
        ((1, 2, 3, 4), ("a", "b", "c", "d")),
        ((2, 1), ("a", "b")),
        ((1, 1), ("a", "b")),
        ((-1, 1), ("a", "b")),
        ((1, 2), ("a",)),
        ((1, 2), ("a", "a")),
    ],
)
def test_thresholds_rise_and_each_has_its_band(
    gate: Store, thresholds: tuple[int, ...], bands: tuple[str, ...]
) -> None:
    with gate.begin() as tx:
        with pytest.raises(BadInput):
            add_gallery(tx, thresholds=thresholds, bands=bands)
        assert tx.galleries.list() == ()


def test_only_a_pending_and_empty_gallery_can_be_removed(gate: Store) -> None:
    with gate.begin() as tx:
        pending, opened, used = add_gallery(tx, "p"), add_gallery(tx, "o"), add_gallery(tx, "u")
        tx.galleries.open(opened.id)
        tx.subjects.add(used.id, new_subject_id())
        tx.galleries.remove(pending.id)
        for kept in (opened, used):
            with pytest.raises(UnknownGallery):
                tx.galleries.remove(kept.id)
    with gate.read() as tx:
        assert [one.name for one in tx.galleries.list()] == ["o", "u"]


# ---- subjects ----


def test_a_subject_is_pending_then_active_then_erasing_then_gone(gate: Store) -> None:
    subject = new_subject_id()
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        assert tx.subjects.add(gallery.id, subject, expires_at=5.0).state is SubjectState.PENDING
        assert tx.subjects.page(gallery.id) == ()
        tx.subjects.activate(gallery.id, subject)
        assert tx.subjects.activate(gallery.id, subject).state is SubjectState.ACTIVE
        assert tx.subjects.count(gallery.id) == StateCounts(pending=0, active=1, erasing=0)
        tx.subjects.mark_erasing(gallery.id, subject)
        assert tx.subjects.get(gallery.id, subject).state is SubjectState.ERASING
        with pytest.raises(UnknownSubject, match="being erased"):
            tx.subjects.activate(gallery.id, subject)
        tx.subjects.delete(gallery.id, subject)
        with pytest.raises(UnknownSubject):
            tx.subjects.get(gallery.id, subject)


def test_a_subject_of_another_gallery_is_unknown(gate: Store) -> None:
    with gate.begin() as tx:
        here, there = add_gallery(tx, "here"), add_gallery(tx, "there")
        subject = tx.subjects.add(there.id, new_subject_id()).id
        for call in (tx.subjects.get, tx.subjects.activate, tx.subjects.mark_erasing, tx.subjects.delete):
            with pytest.raises(UnknownSubject):
                call(here.id, subject)
        with pytest.raises(UnknownSubject):
            add_template(tx, here, subject)
        with pytest.raises(AlreadyThere):
            tx.subjects.add(here.id, subject)


def test_pages_of_subjects_cover_all_of_them_once(gate: Store) -> None:
    with gate.begin() as tx:
        gallery, other = add_gallery(tx), add_gallery(tx, "other")
        tx.subjects.add(other.id, new_subject_id())
        made = {tx.subjects.add(gallery.id, new_subject_id()).id for _ in range(25)}
        for one in made:
            tx.subjects.activate(gallery.id, one)
        waiting = tx.subjects.add(gallery.id, new_subject_id()).id
    seen: list[SubjectId] = []
    with gate.read() as tx:
        while page := tx.subjects.page(gallery.id, after=seen[-1] if seen else None, limit=10):
            seen.extend(one.id for one in page)
        assert {one.id for one in tx.subjects.page(gallery.id, state=None)} == made | {waiting}
        assert [one.id for one in tx.subjects.page(gallery.id, state=SubjectState.PENDING)] == [waiting]
    assert seen == sorted(made)


def test_expired_subjects_are_found_oldest_first_and_only_once_begun(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        late = tx.subjects.add(gallery.id, new_subject_id(), expires_at=START + 20).id
        early = tx.subjects.add(gallery.id, new_subject_id(), expires_at=START + 10).id
        tx.subjects.add(gallery.id, new_subject_id())
        assert tx.subjects.expired(START + 9.9) == ()
        assert [one.id for one in tx.subjects.expired(START + 20)] == [early, late]
        assert [one.id for one in tx.subjects.expired(START + 20, limit=1)] == [early]
        tx.subjects.mark_erasing(gallery.id, early)
        assert [one.id for one in tx.subjects.expired(START + 20)] == [late]


def test_deleting_a_subject_takes_its_fields_and_templates_and_nobody_elses(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        goes, stays = (tx.subjects.add(gallery.id, new_subject_id()).id for _ in range(2))
        for subject in (goes, stays):
            add_template(tx, gallery, subject)
            tx.fields.put(subject, "note", FieldClass.FIELD, wrapped_key=b"k", ciphertext=b"c")
        tx.subjects.delete(gallery.id, goes)
        assert tx.fields.list(goes) == () == tx.templates.of_subject(goes)
        assert len(tx.fields.list(stays)) == 1 == len(tx.templates.of_subject(stays))


def test_erasing_takes_all_templates_out_of_search_at_once_and_can_be_repeated(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        subject = tx.subjects.add(gallery.id, new_subject_id()).id
        made = [add_template(tx, gallery, subject) for _ in range(3)]
        tx.templates.activate(gallery.id, [one.photo_id for one in made[:2]])
        rows = tx.subjects.mark_erasing(gallery.id, subject)
        assert set(rows) == {one.row_id for one in made}
        assert tx.subjects.mark_erasing(gallery.id, subject) == rows
        assert tx.templates.active_rows(gallery.id) == ()
        assert tx.templates.count(gallery.id) == StateCounts(pending=0, active=0, erasing=3)
        assert {one.state for one in tx.templates.of_subject(subject)} == {TemplateState.ERASING}


# ---- fields ----


def test_fields_are_put_replaced_listed_and_deleted(gate: Store, clock: HandClock) -> None:
    with gate.begin() as tx:
        subject = tx.subjects.add(add_gallery(tx).id, new_subject_id()).id
        tx.fields.put(subject, "reference", FieldClass.LABEL, wrapped_key=b"k1", ciphertext=b"c1", blind=b"b1")
        tx.fields.put(subject, "note", FieldClass.FIELD, wrapped_key=b"k2", ciphertext=b"c2")
    clock.move(5)
    with gate.begin() as tx:
        new = tx.fields.put(subject, "reference", FieldClass.LABEL, wrapped_key=b"k3", ciphertext=b"c3", blind=b"b3")
        assert new.created_at == START + 5
    with gate.read() as tx:
        assert tx.fields.get(subject, "reference") == new
        assert [one.name for one in tx.fields.list(subject)] == ["note", "reference"]
        assert [one.name for one in tx.fields.list(subject, klass=FieldClass.LABEL)] == ["reference"]
    with gate.begin() as tx:
        tx.fields.delete(subject, "note")
        with pytest.raises(NotFound):
            tx.fields.get(subject, "note")
        with pytest.raises(NotFound):
            tx.fields.delete(subject, "note")
        with pytest.raises(UnknownSubject):
            tx.fields.put(new_subject_id(), "note", FieldClass.FIELD, wrapped_key=b"k", ciphertext=b"c")


def test_a_blind_index_finds_within_one_gallery_and_one_field_only(gate: Store, clock: HandClock) -> None:
    with gate.begin() as tx:
        here, there = add_gallery(tx, "here"), add_gallery(tx, "there")
        first = tx.subjects.add(here.id, new_subject_id()).id
        clock.move(1)
        second = tx.subjects.add(here.id, new_subject_id()).id
        elsewhere = tx.subjects.add(there.id, new_subject_id()).id
        for subject in (second, first, elsewhere):
            tx.fields.put(subject, "plate", FieldClass.FIELD, wrapped_key=b"k", ciphertext=b"c", blind=b"same")
        assert [one.id for one in tx.subjects.by_blind(here.id, "plate", b"same")] == [first, second]
        assert [one.id for one in tx.subjects.by_blind(there.id, "plate", b"same")] == [elsewhere]
        assert tx.subjects.by_blind(here.id, "phone", b"same") == ()
        assert tx.subjects.by_blind(here.id, "plate", b"other") == ()


def test_sealed_bytes_stay_out_of_repr(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx)
        subject = tx.subjects.add(gallery.id, new_subject_id()).id
        field = tx.fields.put(
            subject, "note", FieldClass.FIELD, wrapped_key=b"WRAPPED", ciphertext=b"CIPHER", blind=b"BLIND"
        )
        template = add_template(tx, gallery, subject, b"MARK")
    shown = repr(field) + repr(template)
    assert subject in shown
    assert not [word for word in ("WRAPPED", "CIPHER", "BLIND", "MARK", "sealed") if word in shown]


@SQLITE
def test_the_calendar_of_ends_is_read_by_its_index(gate: Store) -> None:
    said: list[tuple[str, tuple[float, ...]]] = []
    event.listen(gate._engines.readers, "before_cursor_execute", lambda *given: said.append((given[2], given[3])))
    with gate.read() as tx:
        assert tx.subjects.ends_by_day([new_gallery_id()], START) == ()
    asked, given = said[-1]
    with gate.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", given).all()
    assert "ix_subject_expires_at" in str(plan)


def test_what_a_person_has_several_of_counts_as_one_field_of_one_person(gate: Store) -> None:
    with gate.begin() as tx:
        gallery = add_gallery(tx).id
        for releases in (1, 2):
            subject = tx.subjects.add(gallery, new_subject_id()).id
            for name in ("releases", *(f"release_con_{one}" for one in range(releases)), "image_pho_1"):
                tx.fields.put(subject, name, FieldClass.FIELD, wrapped_key=b"k", ciphertext=b"c")
        assert tx.exposed.held(gallery).fields == {"image": 2, "release": 2, "releases": 2}
