"""Searching the ledger: an index for each thing asked about, and a clock that was put back hides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from databases import BOTH, at
from moiety.foundation.clock import HandClock
from moiety.foundation.ids import SubjectId
from moiety.ledger import Kind, Ledger
from moiety.storage import Store
from moiety.storage.ledger_days import DAY_US
from moiety.storage.ledger_entries import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = 1_800_000_000.0
HOUR = 3600.0
ADA, BEN = "opr_aaaaaaaaaaaaaaaa", "opr_bbbbbbbbbbbbbbbb"
WHO = SubjectId("sub_aaaaaaaaaaaaaaaa")
HALL = "gal_aaaaaaaaaaaaaaaa"
WANTED = (
    Wanted(kind="erasure"),
    Wanted(act="erase"),
    Wanted(actor=BEN),
    Wanted(subject_id=WHO),
    Wanted(gallery_id=HALL),
    Wanted(kind="erasure", act="erase", actor=BEN, gallery_id=HALL),
    Wanted(kind="erasure", act="erase", gallery_id=HALL),
    Wanted(kind="erasure", act="erase"),
)


def written(ledger: Ledger, store: Store, actor: str, act: str = "identify") -> int:
    with store.begin() as tx:
        ledger.append(tx, Kind.CONSULTATION, act, actor=actor, purpose="doors")
        last = tx.ledger.last()
    assert last is not None
    return last.seq


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    with Store(at(tmp_path / "gate.db"), clock) as made:
        yield made


def found(store: Store, wanted: Wanted, before: int | None = None) -> list[int]:
    with store.read() as tx:
        return [one.seq for one in tx.ledger.search(wanted, before=before, limit=100)]


@BOTH
def test_entries_are_found_by_what_is_asked_also_where_the_clock_was_put_back(store: Store, clock: HandClock) -> None:
    ledger = Ledger(store, bytes(32))
    days = []
    for _ in range(3):
        clock.move(2 * 24 * HOUR)
        days.append(written(ledger, store, ADA))
    clock.move(-12 * HOUR)
    late = written(ledger, store, BEN, "verify")
    clock.move(5 * 24 * HOUR)
    last = written(ledger, store, ADA)
    assert found(store, Wanted(actor=BEN)) == [late]
    assert found(store, Wanted(actor=BEN, act="identify")) == []
    assert found(store, Wanted(actor=ADA), before=last) == days[::-1]
    # What was written at half past a day by a clock that had been past it is of that half day.
    noon = int((START + 5.25 * 24 * HOUR) * 1_000_000)
    assert found(store, Wanted(since_us=noon, until_us=noon + DAY_US // 2)) == [late]
    assert found(store, Wanted(since_us=noon, until_us=noon + DAY_US)) == [late, days[-1]]
    assert found(store, Wanted(until_us=int(START * 1_000_000))) == []


def test_each_thing_asked_about_is_found_by_an_index_on_sqlite(tmp_path: Path) -> None:
    with Store(tmp_path / "gate.db", HandClock(START)) as store:
        asked: list[tuple[str, Any]] = []
        event.listen(store.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        for one in WANTED:
            assert found(store, one) == []
        queries = [one for one in asked if "ORDER BY" in one[0]]
        with store.engine.connect() as db:
            plans = [str(db.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all()) for text, given in queries]
    assert len(plans) == len(WANTED)
    # Who has acts about one person has few of them: those are read.
    assert [plan for plan in plans if "COVERING INDEX" not in plan and "subject_id" not in plan] == []
    assert [plan for plan in plans if "SCAN sought" in plan] == []
