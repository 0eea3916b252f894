"""Both halves' stores keep what a vault needs of them: durable, all or none, gone for good, never the same id twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.foundation.errors import AlreadyThere, NotFound, Unverified
from moiety.kernel import expand, nonce_of
from moiety.vault import register
from moiety.warrants.statement import row_label
from vault_samples import Sample, Store, policy, sample

if TYPE_CHECKING:
    from pathlib import Path

POLICY = policy()
OTHER = policy(gallery="gal_other")


@pytest.fixture(params=["a", "b"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made = Store(tmp_path, request.param)
    for one in (POLICY, OTHER):
        made.cabinet.set_policy(one)
    return made


@pytest.fixture
def samples() -> list[Sample]:
    random = np.random.default_rng(1)
    return [sample(random, POLICY) for _ in range(6)]


def prepared(store: Store, *given: Sample) -> None:
    store.prepare(POLICY, *given)


def lane(store: Store, one: Sample) -> bytes:
    """Work out what this half must multiply with."""
    if store.half == "a":
        return one.to_a[32:]
    nonce = np.frombuffer(nonce_of(row_label(POLICY.tenant, POLICY.gallery, one.row_id, 1)), np.uint8)
    pad: bytes = expand(np.frombuffer(one.to_b[:32], np.uint8).reshape(1, -1), nonce.reshape(1, -1), 128).tobytes()
    return pad


def test_what_was_prepared_is_there_in_any_order_and_after_a_restart(store: Store, samples: list[Sample]) -> None:
    prepared(store, *samples[:4])
    prepared(store, *samples[4:])
    for _ in "this process", "the next one":
        for wanted in (samples, samples[::-1], samples[2:3], samples[5:0:-2]):
            lanes = store.lanes(POLICY, [one.row_id for one in wanted])
            assert [row.tobytes() for row in lanes] == [lane(store, one) for one in wanted]
        store = store.again()


def test_row_and_pad_are_the_template(tmp_path: Path, samples: list[Sample]) -> None:
    a, b = Store(tmp_path / "a", "a"), Store(tmp_path / "b", "b")
    ids = [one.row_id for one in samples]
    for half in (a, b):
        half.cabinet.set_policy(POLICY)
        prepared(half, *samples)
    joined = a.lanes(POLICY, ids) + b.lanes(POLICY, ids)
    assert np.array_equal(joined.view(np.int16), np.stack([one.template for one in samples]).astype(np.int16))


def test_many_rows_are_read_as_few(store: Store, monkeypatch: pytest.MonkeyPatch, samples: list[Sample]) -> None:
    prepared(store, *samples)
    ids = [one.row_id for one in samples]
    few = store.lanes(POLICY, ids)
    monkeypatch.setattr(register, "IDS_PER_QUERY", 2)
    assert np.array_equal(store.lanes(POLICY, ids), few)


def test_no_rows_are_no_lanes(store: Store) -> None:
    assert store.lanes(POLICY, []).shape == (0, 128)


def test_a_missing_row_is_named_missing(store: Store, samples: list[Sample]) -> None:
    prepared(store, samples[0])
    with pytest.raises(NotFound):
        store.lanes(POLICY, [samples[0].row_id, samples[1].row_id])
    with pytest.raises(NotFound):
        store.lanes(OTHER, [samples[0].row_id])


@pytest.mark.parametrize("where", [0, 31, 32, 40, -1])
def test_an_altered_half_is_refused_at_the_door(store: Store, samples: list[Sample], where: int) -> None:
    one = samples[0]
    raw = bytearray(one.to_a if store.half == "a" else one.to_b)
    raw[where] ^= 1
    if store.half == "b" and where in {0, 31}:
        # A seed is no part of the commitment; the pair is checked by A's row alone, and the eye has signed for both.
        assert store.halves.open_half(POLICY, one.statement, bytes(raw)).lane != one.to_b[:32]
        return
    with pytest.raises(Unverified):
        store.halves.open_half(POLICY, one.statement, bytes(raw))


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(32), bytes(64), bytes(5000)], ids=len)
def test_a_half_of_the_wrong_size_is_refused(store: Store, samples: list[Sample], raw: bytes) -> None:
    with pytest.raises(Unverified):
        store.halves.open_half(POLICY, samples[0].statement, raw)


def test_a_half_of_another_gallery_or_row_is_refused_at_a(tmp_path: Path, samples: list[Sample]) -> None:
    a = Store(tmp_path, "a")
    with pytest.raises(Unverified):
        a.halves.open_half(OTHER, samples[0].statement, samples[0].to_a)
    with pytest.raises(Unverified):
        a.halves.open_half(POLICY, samples[0].statement, samples[1].to_a)


def test_a_batch_is_kept_whole_or_not_at_all(store: Store, samples: list[Sample]) -> None:
    prepared(store, samples[0])
    with pytest.raises(AlreadyThere):
        prepared(store, samples[1], samples[2], samples[0], samples[3])
    with pytest.raises(AlreadyThere):
        prepared(store, samples[4], samples[4])
    assert store.journal.read("SELECT row_id FROM row") == [(samples[0].row_id,)]
    assert store.lanes(POLICY, [samples[0].row_id])[0].tobytes() == lane(store, samples[0])
    prepared(store, *samples[1:])
    lanes = store.lanes(POLICY, [one.row_id for one in samples])
    assert [row.tobytes() for row in lanes] == [lane(store, one) for one in samples]


def test_a_destroyed_row_is_gone_and_its_id_never_comes_back(store: Store, samples: list[Sample]) -> None:
    prepared(store, *samples)
    store.halves.destroy(POLICY, [samples[1].row_id, samples[4].row_id], 5.0)
    store.halves.destroy(POLICY, [samples[1].row_id], 6.0)  # once more changes nothing
    store = store.again()
    assert store.tombstones == {samples[1].row_id, samples[4].row_id}
    with pytest.raises(NotFound):
        store.lanes(POLICY, [samples[1].row_id])
    with pytest.raises(AlreadyThere):
        prepared(store, samples[1])
    kept = [one for i, one in enumerate(samples) if i not in {1, 4}]
    assert [row.tobytes() for row in store.lanes(POLICY, [one.row_id for one in kept])] == [
        lane(store, one) for one in kept
    ]


def test_an_unknown_row_gets_its_tombstone_too(store: Store, samples: list[Sample]) -> None:
    store.halves.destroy(POLICY, [samples[0].row_id], 5.0)
    with pytest.raises(AlreadyThere):
        prepared(store, samples[0])


def test_a_row_is_not_destroyed_in_the_name_of_another_gallery(store: Store, samples: list[Sample]) -> None:
    prepared(store, samples[0])
    store.halves.destroy(OTHER, [samples[0].row_id], 5.0)
    assert store.lanes(POLICY, [samples[0].row_id])[0].tobytes() == lane(store, samples[0])
    assert store.tombstones == set()


def test_nothing_that_was_destroyed_or_sealed_stands_on_the_disk(store: Store, samples: list[Sample]) -> None:
    prepared(store, *samples)
    if store.half == "b":
        assert not any(one.to_b[:32] in store.bytes_on_disk() for one in samples), "a seed stands there in clear"
    else:
        assert all(lane(store, one) in store.bytes_on_disk() for one in samples)
    sealed = dict(store.journal.read("SELECT row_id, sealed FROM fresh"))
    store.halves.destroy(POLICY, [one.row_id for one in samples[:3]], 5.0)
    left = store.bytes_on_disk()
    for one in samples[:3]:
        assert (lane(store, one) if store.half == "a" else sealed[one.row_id]) not in left
    assert all((lane(store, one) if store.half == "a" else sealed[one.row_id]) in left for one in samples[3:])


def test_files_are_for_the_owner_alone(store: Store, samples: list[Sample]) -> None:
    prepared(store, *samples)
    for path in store.folder.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path.name
