"""The counts beside the ledger: they are what the entries say, whichever moments are asked about."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text

from databases import BOTH, at, at_version
from moiety.foundation.clock import HandClock
from moiety.foundation.ids import GalleryId, SubjectId, new_gallery_id, new_subject_id
from moiety.ledger import Kind, Ledger, LedgerBroken
from moiety.storage import FieldClass, Store
from moiety.storage.ledger_days import DAY_US
from moiety.storage.tables import LedgerRow

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.storage import LedgerEntry
    from moiety.storage.exposed import Acts

pytestmark = BOTH
START = 1_800_000_000.0
HALL, YARD = GalleryId("gal_" + "a" * 16), GalleryId("gal_" + "b" * 16)
ENTRIES, ASKED = 300, 40


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same throws in every run


def who(one: LedgerEntry | Acts) -> tuple[str | None, ...]:
    return (one.gallery_id, one.kind, one.act, one.actor)


def filled(gate: Store, clock: HandClock, rng: random.Random) -> tuple[LedgerEntry, ...]:
    """Write many entries over some days, with a clock that is put back now and then; gives them."""
    ledger = Ledger(gate, bytes(32))
    people = [SubjectId(new_subject_id()) for _ in range(5)]
    acts = list(product((Kind.COLLECTION, Kind.CONSULTATION, Kind.DISCLOSURE), ("enrol", "candidate")))
    with gate.begin() as tx:
        for _ in range(ENTRIES):
            clock.move(rng.choice((1, 60, 3_000, 9_000, -600, -50_000)))
            kind, act = rng.choice(acts)
            words = {"band": rng.choice(("strong", "possible"))} if act == "candidate" else {}
            actor, gallery = rng.choice(("owner", "opr_a")), rng.choice((None, HALL, YARD))
            whom = rng.choice(people) if gallery else None
            purpose = rng.choice(("doors", "garage"))
            ledger.append(tx, kind, act, actor=actor, purpose=purpose, gallery=gallery, subject=whom, **words)
    return ledger.entries(limit=ENTRIES)


def test_who_did_what_between_any_two_moments_is_what_the_entries_say(tmp_path: Path) -> None:
    clock, rng = HandClock(START), dice(8)
    with Store(at(tmp_path / "gate.db"), clock) as gate:
        entries = filled(gate, clock, rng)
        times = sorted(one.at_us for one in entries)
        assert times[-1] - times[0] > 3 * DAY_US
        for _ in range(ASKED):
            since, until = sorted(rng.choice(times) + rng.choice((-1, 0, 1)) for _ in range(2))
            galleries = rng.choice(((), (HALL,), (HALL, YARD)))
            with gate.read() as tx:
                told = {who(one): one for one in tx.exposed.acts(since, until, galleries)}
            meant = [one for one in entries if since <= one.at_us <= until]
            meant = [one for one in meant if not galleries or one.gallery_id in (None, *galleries)]
            assert {key: one.times for key, one in told.items()} == Counter(map(who, meant))
            for key, one in told.items():
                about = {entry.subject_id for entry in meant if who(entry) == key} - {None}
                assert one.people == (None if one.kind == "collection" else len(about))


def test_days_are_summed_by_purpose_kind_act_and_band(tmp_path: Path) -> None:
    clock = HandClock(START)
    with Store(at(tmp_path / "gate.db"), clock) as gate:
        entries = filled(gate, clock, dice(9))
        days = sorted({one.at_us // DAY_US for one in entries})
        first, end = days[1], days[-1]
        meant = [one for one in entries if first <= one.at_us // DAY_US < end]
        with gate.read() as tx:
            told = tx.ledger.days.tally(first, end)
            by_day = tx.ledger.days.by_day(["candidate"], first)
        assert sum(one.count for one in told) == len(meant)
        assert (min(one.first for one in told), max(one.last for one in told)) == (
            min(one.seq for one in meant),
            max(one.seq for one in meant),
        )
        strong = [one for one in meant if one.detail.find('"band":"strong"') > 0 and one.purpose == "doors"]
        assert sum(one.count for one in told if (one.purpose, one.band) == ("doors", "strong")) == len(strong)
        counted = Counter(e.at_us // DAY_US for e in entries if e.act == "candidate" and e.at_us // DAY_US >= first)
        assert {day: count for day, _, count in by_day} == dict(counted)


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE ledger_day SET times = times + 1 WHERE first_seq = 1",
        "DELETE FROM ledger_day WHERE first_seq = 1",
        "UPDATE ledger_day SET purpose = 'other' WHERE first_seq = 1",
        "UPDATE ledger_day SET last_us = last_us + 1 WHERE first_seq = 1",
    ],
)
def test_a_count_that_was_altered_is_found(tmp_path: Path, wrong: str) -> None:
    clock = HandClock(START)
    with Store(at(tmp_path / "gate.db"), clock) as gate:
        filled(gate, clock, dice(10))
        ledger = Ledger(gate, bytes(32))
        assert ledger.verify().size == ENTRIES
        with gate.begin() as tx:
            tx.session.execute(text(wrong))
        with pytest.raises(LedgerBroken) as caught:
            ledger.verify()
        assert caught.value.seq == 1


def test_a_database_of_before_gets_its_counts_and_its_fields_their_gallery(tmp_path: Path) -> None:
    clock = HandClock(START)
    with Store(at(tmp_path / "first.db"), clock) as gate:
        entries = filled(gate, clock, dice(11))
        with gate.read() as tx:
            counted = {one.key: one for one in tx.ledger.days.every()}
    rows = [{name: getattr(one, name) for name in LedgerRow.__table__.columns.keys()} for one in entries]  # noqa: SIM118
    subject, gallery = new_subject_id(), new_gallery_id()
    engine = at_version(tmp_path / "gate.db", "0018")
    with engine.begin() as db:
        db.execute(insert(LedgerRow), rows)
        db.execute(
            text(
                "INSERT INTO gallery (id, name, purpose, model_name, model_sha256, dim, rotation_id, fmr_target, "
                "thresholds, bands, policy_version, state, next_seq, created_at) "
                "VALUES (:id, 'a', 'p', 'm', '0', 512, 'r', 0.1, '[1]', '[\"b\"]', 1, 'open', 1, 1.0)"
            ),
            {"id": gallery},
        )
        one = {"id": subject, "gallery": gallery}
        db.execute(
            text("INSERT INTO subject (id, gallery_id, state, created_at) VALUES (:id, :gallery, 'active', 1.0)"), one
        )
        db.execute(
            text(
                "INSERT INTO subject_field (subject_id, name, klass, wrapped_key, ciphertext, created_at) "
                "VALUES (:id, 'phone', 'field', :sealed, :sealed, 1.0)"
            ),
            {"id": subject, "sealed": b"x"},
        )
    engine.dispose()
    with Store(at(tmp_path / "gate.db"), clock) as gate, gate.read() as tx:
        assert {one.key: one for one in tx.ledger.days.every()} == counted
        assert tx.exposed.held(gallery).fields == {"phone": 1}
        assert tx.fields.get(subject, "phone").klass is FieldClass.FIELD
