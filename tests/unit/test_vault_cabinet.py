"""Two phases in one half: what is prepared is not searched, what is committed stays, and every step may be repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety.foundation.errors import AlreadyThere, DiskFull, Fault, NotFound, OutOfStep, UnknownGallery, Unverified
from moiety.vault.journal import Journal
from moiety.vault.policy import GalleryPolicy, Needs, Standing
from vault_samples import TENANT, Sample, Store, policy, sample

if TYPE_CHECKING:
    from pathlib import Path

POLICY = policy()
G = POLICY.gallery


@pytest.fixture(params=["a", "b"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made = Store(tmp_path, request.param)
    made.cabinet.set_policy(POLICY)
    return made


@pytest.fixture
def samples() -> list[Sample]:
    random = np.random.default_rng(1)
    return [sample(random, POLICY) for _ in range(6)]


def prepare(store: Store, *given: Sample) -> list[bytes]:
    store.cabinet.prepare(G, [store.opened(POLICY, one) for one in given])
    return [one.row_id for one in given]


def live(store: Store) -> list[bytes]:
    """Give the order in memory, after checking that the next process would load the same."""
    shelf = store.cabinet.shelf(G)
    then = Store(store.folder, store.half, store.clock)
    try:
        again = then.cabinet.shelf(G)
        assert again.row_ids == shelf.row_ids
        assert again.order_digest() == shelf.order_digest()
        assert np.array_equal(again.lanes, shelf.lanes)
    finally:
        then.journal.close()
    return shelf.row_ids


def test_prepared_rows_are_in_no_search_until_they_are_committed(store: Store, samples: list[Sample]) -> None:
    one, other = prepare(store, *samples[:2])
    assert live(store) == []
    store.cabinet.commit(G, [(other, 1)], [])
    assert live(store) == [other]
    store.cabinet.commit(G, [(one, 2)], [])
    assert live(store) == [other, one]


def test_rows_stand_in_the_order_of_their_numbers_not_of_their_arrival(store: Store, samples: list[Sample]) -> None:
    ids = prepare(store, *samples)
    store.cabinet.commit(G, [(ids[4], 30), (ids[0], 10), (ids[2], 20)], [])
    store.cabinet.commit(G, [(ids[1], 31)], [])
    assert live(store) == [ids[0], ids[2], ids[4], ids[1]]


def test_a_commit_may_be_repeated(store: Store, samples: list[Sample]) -> None:
    ids = prepare(store, *samples[:3])
    store.cabinet.commit(G, [(ids[0], 1), (ids[1], 2)], [])
    store.cabinet.commit(G, [(ids[0], 1), (ids[1], 2)], [])
    store.cabinet.commit(G, [(ids[1], 2), (ids[2], 3)], [])
    assert live(store) == ids


def test_a_row_that_comes_late_takes_its_place(store: Store, samples: list[Sample]) -> None:
    """One vault may hear of a second enrolment before it hears of the first: in the end both have one order."""
    ids = prepare(store, *samples)
    store.cabinet.commit(G, [(ids[0], 5), (ids[1], 9)], [])
    store.cabinet.commit(G, [(ids[2], 7)], [])
    store.cabinet.commit(G, [(ids[3], 1), (ids[4], 10)], [])
    assert live(store) == [ids[3], ids[0], ids[2], ids[1], ids[4]]
    store.cabinet.erase(G, [ids[2]])
    store.cabinet.commit(G, [(ids[5], 8)], [])
    assert live(store) == [ids[3], ids[0], ids[5], ids[1], ids[4]]


def test_a_commit_to_a_place_that_is_taken_changes_nothing(store: Store, samples: list[Sample]) -> None:
    ids = prepare(store, *samples[:3])
    store.cabinet.commit(G, [(ids[0], 5)], [])
    for places in ([(ids[1], 5)], [(ids[0], 6)], [(ids[0], 4)], [(ids[1], 6), (ids[2], 5)], [(ids[1], 6), (ids[1], 7)]):
        with pytest.raises(OutOfStep):
            store.cabinet.commit(G, places, [])
        assert live(store) == [ids[0]]


def test_a_commit_of_a_row_that_was_never_prepared_changes_nothing(store: Store, samples: list[Sample]) -> None:
    ids = prepare(store, *samples[:2])
    with pytest.raises(NotFound):
        store.cabinet.commit(G, [(ids[0], 1), (samples[5].row_id, 2)], [])
    assert live(store) == []
    store.cabinet.commit(G, [(ids[0], 1)], [])
    assert live(store) == ids[:1]


def test_an_abort_removes_prepared_rows_only_and_may_be_repeated(store: Store, samples: list[Sample]) -> None:
    ids = prepare(store, *samples[:4])
    store.cabinet.commit(G, [(ids[0], 1)], [])
    for _ in range(2):
        store.cabinet.abort(G, [ids[0], ids[1], samples[5].row_id])
    assert live(store) == [ids[0]]
    assert store.tombstones == {ids[1]}
    with pytest.raises(NotFound):
        store.cabinet.commit(G, [(ids[1], 2)], [])
    assert set(store.cabinet.prepared(G)) == set(ids[2:4])
    store.cabinet.abort(G, store.cabinet.prepared(G))
    assert store.journal.read("SELECT row_id FROM row") == [(ids[0],)]
    with pytest.raises(AlreadyThere):
        prepare(store, samples[1])


def test_an_erased_row_leaves_at_once_and_may_be_erased_again(store: Store, samples: list[Sample]) -> None:
    ids = prepare(store, *samples)
    store.cabinet.commit(G, [(row_id, seq) for seq, row_id in enumerate(ids[:5], 1)], [])
    store.cabinet.erase(G, [ids[0], ids[3], ids[5]])  # the last is only prepared
    store.cabinet.erase(G, [ids[0], ids[3]])
    assert live(store) == [ids[1], ids[2], ids[4]]
    assert store.tombstones == {ids[0], ids[3], ids[5]}
    with pytest.raises(NotFound):
        store.cabinet.commit(G, [(ids[0], 9)], [])


def test_a_half_that_cannot_be_read_is_not_committed_and_can_be_later(
    store: Store, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = prepare(store, samples[0])

    def fails(*_: object) -> None:
        raise DiskFull

    with monkeypatch.context() as patched:
        patched.setattr(type(store.halves), "load", fails)
        with pytest.raises(DiskFull):
            store.cabinet.commit(G, [(ids[0], 1)], [])
    store.cabinet.commit(G, [(ids[0], 1)], [])
    assert live(store) == ids


def test_galleries_do_not_touch_each_other(store: Store, samples: list[Sample]) -> None:
    other = policy(gallery="gal_other")
    store.cabinet.set_policy(other)
    ids = prepare(store, *samples[:2])
    store.cabinet.commit(G, [(ids[0], 1)], [])
    with pytest.raises(NotFound):
        store.cabinet.commit(other.gallery, [(ids[1], 1)], [])
    store.cabinet.abort(other.gallery, [ids[1]])
    assert store.cabinet.prepared(other.gallery) == []
    store.cabinet.erase(other.gallery, [ids[0]])
    assert live(store) == [ids[0]]
    store.cabinet.commit(G, [(ids[1], 2)], [])
    assert live(store) == ids


def test_a_person_is_made_live_in_their_own_gallery_only(tmp_path: Path) -> None:
    store = Store(tmp_path, "b")
    store.cabinet.set_policy(POLICY)
    store.cabinet.set_policy(policy(gallery="gal_other"))
    with store.journal.transaction() as db:
        db.execute("INSERT INTO person VALUES (?, ?, 'prepared', ?)", (b"h" * 16, G, b"sealed"))
    store.cabinet.commit("gal_other", [], [b"h" * 16])
    assert store.journal.read("SELECT state FROM person") == [("prepared",)]
    store.cabinet.commit(G, [], [b"h" * 16])
    assert store.journal.read("SELECT state FROM person") == [("live",)]


# ---- policies ----


def test_a_policy_is_set_once(store: Store) -> None:
    store.cabinet.set_policy(POLICY)
    with pytest.raises(AlreadyThere):
        store.cabinet.set_policy(policy(thresholds=(5000,)))
    store = store.again()
    assert store.cabinet.policy(G) == POLICY
    with pytest.raises(AlreadyThere):
        store.cabinet.set_policy(policy(version=2))


def test_only_an_empty_gallery_can_be_dropped(store: Store, samples: list[Sample]) -> None:
    (row,) = prepare(store, samples[0])
    with pytest.raises(AlreadyThere):
        store.cabinet.drop_policy(G)
    store.cabinet.abort(G, [row])
    store.cabinet.drop_policy(G)
    store.cabinet.drop_policy(G)
    for now in (store, store.again()):
        for ask in (now.cabinet.policy, now.cabinet.shelf, now.cabinet.epoch):
            with pytest.raises(UnknownGallery):
                ask(G)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": ()},
        {"thresholds": (6000, 6000)},
        {"thresholds": (9000, 6000)},
        {"thresholds": (1, 2, 3, 4)},
        {"thresholds": (16_130,)},
        {"dim": 100},
        {"gallery": ""},
        {"gallery": "../../rules"},
        {"gallery": "a/b"},
        {"gallery": "gal\n"},
        {"gallery": "g" * 65},
    ],
    ids=str,
)
def test_a_policy_that_cannot_stand_is_refused(wrong: dict[str, object]) -> None:
    policy().check()
    with pytest.raises(Unverified):
        policy(**wrong).check()
    assert GalleryPolicy.decode(policy(**wrong).encode()) == policy(**wrong)


def test_the_standing_policy_bounds_what_the_gate_opens() -> None:
    standing = Standing(TENANT, 1, service_opens=1)
    standing.check()
    standing.must_allow(POLICY)
    for more in (
        {"version": 2},
        {"asks": Needs.TWO_PERSON},
        {"enrols": Needs.DEVICE},
        {"erases": Needs.OPERATOR},
        {"reveals": Needs.OPERATOR},
        {"thresholds": (standing.threshold_min - 1,)},
        {"probes_per_hour": standing.probes_per_hour_max + 1},
        {"templates_per_hour": standing.templates_per_hour_max + 1},
        {"erasures_per_hour": standing.erasures_per_hour_max + 1},
        {"reveals_per_hour": standing.reveals_per_hour_max + 1},
    ):
        with pytest.raises(Unverified):
            standing.must_allow(policy(**more))
    with pytest.raises(Unverified):
        Standing(TENANT, 1, service_opens=0).must_allow(POLICY)
    wrongs: tuple[dict[str, Any], ...] = ({"service_opens": 2}, {"threshold_min": 16_130})
    for wrong in wrongs:
        with pytest.raises(Unverified):
            replace(standing, **wrong).check()


# ---- the journal ----


def test_a_damaged_or_newer_journal_stops_the_process(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"not a database" * 500)
    with pytest.raises(Fault, match="damaged"):
        Journal(tmp_path / "damaged")
    newer = Journal(tmp_path / "newer")
    newer.read("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(Fault, match="version 99"):
        Journal(tmp_path / "newer")


def test_a_full_disk_keeps_nothing_of_the_transaction(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    (pages,) = journal.read("PRAGMA page_count")[0]
    journal.read(f"PRAGMA max_page_count = {pages + 2}")

    def fill(count: int) -> None:
        with journal.transaction() as db:
            for number in range(count):
                db.execute("INSERT INTO nonce VALUES (?, ?)", (number.to_bytes(400), 1))

    with pytest.raises(DiskFull):
        fill(100)
    assert journal.read("SELECT count(*) FROM nonce") == [(0,)]
    fill(2)
    assert journal.read("SELECT count(*) FROM nonce") == [(2,)]
