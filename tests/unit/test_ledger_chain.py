"""The ledger: what goes in, what does not, what shows."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from databases import BOTH, SQLITE, at, held, run_beside, without_trigger
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, NotFound, Unavailable, Unverified
from moiety.foundation.ids import GalleryId, SubjectId, new_gallery_id, new_subject_id
from moiety.ledger import Head, Kind, Ledger, LedgerBroken, leaf_bytes, leaf_hash
from moiety.storage import LedgerEntry, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = BOTH
KEY = bytes(range(32))
FILE = "gate.db"
OTHERS = "at_us, kind, act, actor, purpose, gallery_id, subject_id, reason_sealed, detail, prev_hash, hash"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Store]:
    with Store(at(tmp_path / FILE), HandClock(1_800_000_000.25)) as made:
        yield made


@pytest.fixture
def ledger(gate: Store) -> Ledger:
    return Ledger(gate, KEY)


def write(gate: Store, ledger: Ledger, act: str = "identify", reason: str | None = None, **detail: Any) -> int:
    with gate.begin() as tx:
        entry = ledger.append(
            tx, Kind.CONSULTATION, act, actor="owner", purpose="open the door", reason=reason, **detail
        )
    return entry.seq


def test_entries_are_numbered_from_one_and_linked(gate: Store, ledger: Ledger) -> None:
    assert ledger.head() == Head(0, bytes(32)) == ledger.verify()
    assert [write(gate, ledger, hits=hits) for hits in range(3)] == [1, 2, 3]
    first, second, third = ledger.entries()
    assert first.prev_hash == bytes(32)
    assert (second.prev_hash, third.prev_hash) == (first.hash, second.hash)
    assert first.at_us == 1_800_000_000_250_000
    assert ledger.verify() == ledger.head() == Head(3, third.hash)
    assert ledger.entries(after=1, limit=1) == (second,)


def test_an_act_and_its_entry_are_one_write(gate: Store, ledger: Ledger) -> None:
    gallery_id = new_gallery_id()

    def act_and_fail() -> None:
        with gate.begin() as tx:
            ledger.append(tx, Kind.COLLECTION, "enrol", actor="owner", purpose="p", gallery=gallery_id)
            assert tx.ledger.last() is not None
            tx.galleries.get(gallery_id)

    with pytest.raises(NotFound):
        act_and_fail()
    assert ledger.head() == Head(0, bytes(32))


def test_the_leaf_is_frozen() -> None:
    entry = LedgerEntry(
        seq=7,
        at_us=1_800_000_000_000_000,
        kind="disclosure",
        act="reveal",
        actor="key_aaaaaaaaaaaaaaaa",
        purpose="door",
        gallery_id=GalleryId("gal_aaaaaaaaaaaaaaaa"),
        subject_id=SubjectId("sub_aaaaaaaaaaaaaaaa"),
        reason_sealed=b"sealed",
        detail='{"fields":1}',
        prev_hash=bytes(32),
        hash=bytes(32),
    )
    parts = [
        b"moiety/ledger/1",
        (7).to_bytes(8, "big"),
        (1_800_000_000_000_000).to_bytes(8, "big"),
        b"disclosure",
        b"reveal",
        b"key_aaaaaaaaaaaaaaaa",
        b"door",
        b"\x01gal_aaaaaaaaaaaaaaaa",
        b"\x01sub_aaaaaaaaaaaaaaaa",
        b"\x01" + hashlib.sha256(b"sealed").digest(),
        b'{"fields":1}',
        bytes(32),
    ]
    expected = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert leaf_bytes(entry) == expected
    assert leaf_hash(entry) == hashlib.sha256(b"\x00" + expected).digest()
    assert leaf_bytes(replace(entry, hash=b"x")) == expected
    nobody = replace(entry, subject_id=None)
    assert leaf_bytes(nobody) != leaf_bytes(replace(nobody, subject_id=SubjectId("")))


def test_detail_is_written_in_one_way_only(gate: Store, ledger: Ledger) -> None:
    write(gate, ledger, zeta=1, alpha=True, band="strong", gallery_seen="gal_aaaaaaaaaaaaaaaa")
    (entry,) = ledger.entries()
    assert entry.detail == '{"alpha":true,"band":"strong","gallery_seen":"gal_aaaaaaaaaaaaaaaa","zeta":1}'


@pytest.mark.parametrize(
    "value",
    ["Anna Schmidt", "Anna", "anna schmidt", "", "x" * 49, "anna\n", "à", 0.97, None, b"raw", ["a"], 2**53 + 1],
)
def test_free_text_fractions_and_bytes_are_refused_and_not_repeated(gate: Store, ledger: Ledger, value: object) -> None:
    with pytest.raises(BadInput) as caught:
        write(gate, ledger, note=value)
    assert "nna" not in str(caught.value)
    assert ledger.head().size == 0


@pytest.mark.parametrize("name", ["Name", "_x", "x" * 33, "nom é"])
def test_a_detail_needs_a_plain_name(gate: Store, ledger: Ledger, name: str) -> None:
    detail: dict[str, Any] = {name: 1}
    with pytest.raises(BadInput):
        write(gate, ledger, **detail)


@pytest.mark.parametrize("bad", ["Anna Schmidt", "", "a b"])
@pytest.mark.parametrize("place", ["act", "actor", "gallery", "subject"])
def test_names_do_not_fit_where_ids_belong(gate: Store, ledger: Ledger, place: str, bad: str) -> None:
    given = {"act": "reveal", "actor": "owner", "gallery": new_gallery_id(), "subject": new_subject_id(), place: bad}
    with pytest.raises(BadInput), gate.begin() as tx:
        ledger.append(
            tx,
            Kind.DISCLOSURE,
            given["act"],
            actor=given["actor"],
            purpose="p",
            gallery=GalleryId(given["gallery"]),
            subject=SubjectId(given["subject"]),
        )
    assert ledger.head().size == 0


@pytest.mark.parametrize("purpose", ["", "two\nlines", "x" * 201])
def test_a_purpose_is_one_line(gate: Store, ledger: Ledger, purpose: str) -> None:
    with pytest.raises(BadInput), gate.begin() as tx:
        ledger.append(tx, Kind.DISCLOSURE, "reveal", actor="owner", purpose=purpose)


def test_a_reason_is_sealed_and_opens_only_through_reasons(tmp_path: Path, gate: Store, ledger: Ledger) -> None:
    reason = "Missing since Tuesday, asked for by her mother Canary Quillfeather"
    assert write(gate, ledger, "reveal", reason) == 1
    assert write(gate, ledger, "identify") == 2
    assert (ledger.reasons(1), ledger.reasons(2)) == (reason, None)
    with pytest.raises(NotFound):
        ledger.reasons(3)
    with pytest.raises(Unverified):
        Ledger(gate, bytes(32)).reasons(1)
    assert "Quillfeather" not in repr(ledger.entries())
    assert b"identify" in held(tmp_path / FILE)
    assert b"Quillfeather" not in held(tmp_path / FILE)


def test_a_reason_belongs_to_its_number(gate: Store, ledger: Ledger) -> None:
    for reason in ("first", "second"):
        write(gate, ledger, "reveal", reason)
    with gate.begin() as tx:
        for name in ("update", "replace"):
            tx.session.execute(text(without_trigger("ledger_entry", f"ledger_entry_no_{name}")))
        tx.session.execute(
            text(
                "UPDATE ledger_entry SET reason_sealed = "
                "(SELECT reason_sealed FROM ledger_entry WHERE seq = 1) WHERE seq = 2"
            )
        )
    with pytest.raises(Unverified):
        ledger.reasons(2)
    with pytest.raises(LedgerBroken):
        ledger.verify()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_reason_is_not_empty_and_not_a_book(gate: Store, ledger: Ledger, reason: str) -> None:
    with pytest.raises(BadInput):
        write(gate, ledger, "reveal", reason)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET act = 'other'",
        "UPDATE ledger_entry SET act = act WHERE seq = 1",
        "DELETE FROM ledger_entry",
        "DELETE FROM ledger_entry WHERE seq = 2",
        "INSERT INTO ledger_entry SELECT * FROM ledger_entry WHERE seq = 1 ON CONFLICT (seq) DO UPDATE SET act = 'x'",
        f"INSERT INTO ledger_entry SELECT 0, {OTHERS} FROM ledger_entry WHERE seq = 1",  # noqa: S608 - fixed words
    ],
)
def test_the_database_itself_refuses_to_change_the_ledger(gate: Store, ledger: Ledger, statement: str) -> None:
    write(gate, ledger)
    write(gate, ledger)
    with pytest.raises(IntegrityError, match="only added to"), gate.begin() as tx:
        tx.session.execute(text(statement))
    assert ledger.verify().size == 2


@SQLITE
def test_a_replacement_is_no_way_around_the_triggers(gate: Store, ledger: Ledger) -> None:
    write(gate, ledger)
    with pytest.raises(IntegrityError, match="only added to"), gate.begin() as tx:
        tx.session.execute(text("INSERT OR REPLACE INTO ledger_entry SELECT * FROM ledger_entry WHERE seq = 1"))


def test_threads_that_write_together_leave_no_gap(gate: Store, ledger: Ledger) -> None:
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(10):
            write(gate, ledger)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.verify().size == 80


def test_verify_reads_more_than_one_page(gate: Store, ledger: Ledger) -> None:
    with gate.begin() as tx:
        for number in range(1001):
            ledger.append(tx, Kind.CONSULTATION, "identify", actor="owner", purpose="p", number=number)
    assert ledger.verify() == ledger.head() == Head(1001, ledger.entries(after=1000)[0].hash)


@pytest.mark.parametrize("value", [-1, -(2**63)])
def test_a_time_that_cannot_be_is_an_altered_entry(tmp_path: Path, gate: Store, ledger: Ledger, value: int) -> None:
    write(gate, ledger)
    off = without_trigger("ledger_entry", "ledger_entry_no_update")
    run_beside(tmp_path / FILE, off, f"UPDATE ledger_entry SET at_us = {value}")  # noqa: S608 - a number of the test
    with pytest.raises(LedgerBroken) as caught:
        ledger.verify()
    assert caught.value.seq == 1


def test_a_cut_at_the_end_shows_only_against_a_kept_head(tmp_path: Path, gate: Store, ledger: Ledger) -> None:
    write(gate, ledger)
    write(gate, ledger)
    kept = ledger.head()
    off = without_trigger("ledger_entry", "ledger_entry_no_delete")
    run_beside(tmp_path / FILE, off, "DELETE FROM ledger_entry WHERE seq = 2")
    with pytest.raises(LedgerBroken):
        ledger.verify()
    # Whoever can cut the entries can cut their count as well.
    run_beside(tmp_path / FILE, "UPDATE ledger_day SET times = 1, last_seq = 1, last_us = first_us")
    assert ledger.verify() != kept


@SQLITE
def test_two_stores_on_one_file_wait_for_each_other(tmp_path: Path, gate: Store) -> None:
    failed: list[Exception] = []
    start = threading.Barrier(2)

    def work(mine: Store) -> None:
        start.wait()
        try:
            for _ in range(40):
                write(mine, Ledger(mine, KEY))
        except Unavailable as error:
            failed.append(error)

    with Store(tmp_path / FILE, HandClock()) as other:
        threads = [threading.Thread(target=work, args=(mine,)) for mine in (gate, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert Ledger(gate, KEY).verify().size == 80
