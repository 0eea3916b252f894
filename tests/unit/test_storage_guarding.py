"""Alerts, locks, budgets of an hour, decoys and deployments: what they keep, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from databases import BOTH, at
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import NotFound
from moiety.foundation.ids import GalleryId, SubjectId, new_gallery_id, new_subject_id
from moiety.ledger import Kind, Ledger
from moiety.storage import Store
from moiety.storage.guard_records import Alert, Deployment, Lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moiety.storage import Transaction

pytestmark = BOTH
START = 1_800_000_000.0
OLGA = "opr_aaaaaaaaaaaaaaaa"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Store]:
    with Store(at(tmp_path / "gate.db"), HandClock(START)) as made:
        yield made


def subject_of(tx: Transaction, name: str = "doors") -> tuple[GalleryId, SubjectId]:
    made = tx.galleries.create(
        gallery_id=new_gallery_id(),
        name=name,
        purpose="a door",
        model_name="m",
        model_sha256="0" * 64,
        dim=512,
        rotation_id="ab",
        fmr_target=1e-4,
        thresholds=(1,),
        bands=("strong",),
    )
    return made.id, tx.subjects.add(made.id, new_subject_id()).id


def test_alerts_are_counted_again_seen_and_shown_the_unseen_first(gate: Store) -> None:
    with gate.begin() as tx:
        _, subject = subject_of(tx)
        for number, about in enumerate((subject, None)):
            at_ = START + number
            tx.alerts.put(Alert(f"alr_{number}", "repeated", OLGA, None, about, 1, at_, at_))
        assert tx.alerts.since("repeated", OLGA, subject, START - 1) == tx.alerts.get("alr_0")
        assert tx.alerts.since("repeated", OLGA, subject, START) is None
        assert tx.alerts.since("canary", OLGA, subject, 0.0) is None
        first = tx.alerts.get("alr_0")
        tx.alerts.put(replace(first, seen_at=START + 5, seen_by="owner"))
        assert [one.id for one in tx.alerts.page()] == ["alr_1", "alr_0"]
        assert tx.alerts.counts() == {("repeated", False): 1, ("repeated", True): 1}
        tx.alerts.again(tx.alerts.get("alr_0"), START + 9)
    with gate.read() as tx:
        seen = tx.alerts.get("alr_0")
        assert (seen.times, seen.last_at, seen.seen_at, seen.seen_by) == (2, START + 9, None, None)
        with pytest.raises(NotFound):
            tx.alerts.get("alr_9")


def test_locks_hold_until_they_are_taken_away(gate: Store) -> None:
    with gate.begin() as tx:
        tx.alerts.lock(Lock(OLGA, "alr_1", START))
        tx.alerts.lock(Lock(OLGA, "alr_2", START + 1))
    with gate.begin() as tx:
        assert tx.alerts.locks() == (Lock(OLGA, "alr_2", START + 1),)
        tx.alerts.unlock(OLGA)
        assert tx.alerts.locked(OLGA) is None
        with pytest.raises(NotFound):
            tx.alerts.unlock(OLGA)


def test_what_was_spent_counts_by_the_hour_and_before_is_forgotten(gate: Store) -> None:
    with gate.begin() as tx:
        assert [tx.spent.add(OLGA, "field", 7, 2) for _ in range(3)] == [2, 4, 6]
        assert tx.spent.add(OLGA, "label", 7, 50) == 50
        assert tx.spent.add("opr_other", "field", 7, 1) == 1
        assert tx.spent.add(OLGA, "field", 8, 1) == 1
        assert tx.spent.add("opr_other", "field", 7, 1) == 2


def test_looks_are_counted_from_the_ledger(gate: Store) -> None:
    ledger = Ledger(gate, bytes(32))
    with gate.begin() as tx:
        gallery, subject = subject_of(tx)
        for act, actor in (("candidate", OLGA), ("verify", OLGA), ("reveal", OLGA), ("candidate", "owner")):
            ledger.append(tx, Kind.CONSULTATION, act, actor=actor, purpose="p", gallery=gallery, subject=subject)
        acts = ("candidate", "verify")
        assert tx.alerts.looks(OLGA, subject, acts, int(START * 1e6) - 1) == 2
        assert tx.alerts.looks(OLGA, subject, acts, int(START * 1e6)) == 0


def test_decoys_go_with_their_subject_and_deployments_with_their_gallery(gate: Store) -> None:
    with gate.begin() as tx:
        gallery, subject = subject_of(tx)
        other = tx.subjects.add(gallery, new_subject_id()).id
        tx.decoys.add(subject, START)
        assert tx.decoys.among([subject, other]) == {subject}
        tx.subjects.delete(gallery, subject)
        assert tx.decoys.among([subject]) == frozenset()
        wanted = Deployment(gallery, "DPIA-1", START, police=True, two_to_search=False)
        tx.deployments.put(wanted)
        tx.galleries.set_thresholds(gallery, [5])
    with gate.begin() as tx:
        assert tx.deployments.get(gallery) == wanted
        assert tx.galleries.get(gallery).thresholds == (5,)
        tx.subjects.delete(gallery, other)
        tx.galleries.remove(gallery)
        assert tx.deployments.get(gallery) is None
