"""What is said of many rows at once is what is said of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from moiety.kernel import nonce_of
from moiety.warrants.batch import commit_batch, commit_rows, row_nonces
from moiety.warrants.statement import commit_row, row_label

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_-0123456789", min_size=1, max_size=40)


@given(
    tenant=NAMES,
    gallery=NAMES,
    epoch=st.integers(1, 2**63),
    count=st.integers(0, 9),
    dim=st.sampled_from([1, 32, 128, 512]),
    seed=st.integers(0, 2**32),
)
def test_a_batch_says_of_each_row_what_is_said_of_one(
    tenant: str, gallery: str, epoch: int, count: int, dim: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    ids, salts = (random.integers(0, 256, (count, size), np.uint8) for size in (16, 32))
    lanes = random.integers(0, 1 << 16, (count, dim), np.uint16)
    at = (tenant, gallery, epoch)
    one_by_one = [
        commit_row(tenant, gallery, ids[i].tobytes(), epoch, salts[i].tobytes(), lanes[i].tobytes())
        for i in range(count)
    ]
    assert commit_rows(at, ids, salts, lanes) == one_by_one
    nonces = [nonce_of(row_label(tenant, gallery, one.tobytes(), epoch)) for one in ids]
    assert [one.tobytes() for one in row_nonces(at, ids)] == nonces


def test_a_batch_is_bound_to_its_rows_and_their_order() -> None:
    ids, kept = bytes(range(32)), bytes(range(64))
    seen = {
        commit_batch(ids, kept),
        commit_batch(ids[16:] + ids[:16], kept[32:] + kept[:32]),
        commit_batch(ids, kept[32:] + kept[:32]),
        commit_batch(ids[:16], kept[:32]),
        commit_batch(ids + kept[:16], kept[16:]),
    }
    assert len(seen) == 5
