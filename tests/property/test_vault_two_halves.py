"""After any run of operations both halves have the same rows in the same order, in memory and for the next process."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moiety.foundation.errors import Refusal
from vault_samples import Sample, Store, policy, sample

POLICY = policy()
G = POLICY.gallery
picks = st.lists(st.integers(0, 11), max_size=4)


class TwoHalves(RuleBasedStateMachine):
    """A plain model beside both halves: which rows are prepared, which are live and in which order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.samples: list[Sample] = []
        self.prepared: set[int] = set()
        self.places: dict[int, int] = {}
        self.gone: set[int] = set()
        self.halves: list[Store] = []

    @initialize(seed=st.integers(0, 3))
    def open(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.samples = [sample(random, POLICY) for _ in range(12)]
        self.halves = [Store(Path(self._folder.name) / half, half) for half in "ab"]
        for half in self.halves:
            half.cabinet.set_policy(POLICY)

    def both(self, name: str, *given: object) -> bool:
        """Ask both; they must agree on whether it can be done."""
        done = []
        for half in self.halves:
            try:
                getattr(half.cabinet, name)(G, *given)
            except Refusal as refusal:
                done.append(refusal.slug)
            else:
                done.append("")
        assert done[0] == done[1]
        return not done[0]

    def ids(self, which: list[int]) -> list[bytes]:
        return [self.samples[i].row_id for i in which]

    @rule(which=picks)
    def prepare(self, which: list[int]) -> None:
        free = len(set(which)) == len(which) and not set(which) & (self.prepared | set(self.order) | self.gone)
        done = []
        for half in self.halves:
            try:
                half.cabinet.prepare(G, [half.opened(POLICY, self.samples[i]) for i in which])
            except Refusal:
                done.append(False)
            else:
                done.append(True)
        assert done == [free, free]
        if free:
            self.prepared |= set(which)

    @precondition(lambda self: self.prepared)
    @rule(data=st.data(), first=st.integers(1, 30), step=st.integers(1, 3))
    def commit_what_is_there(self, data: st.DataObject, first: int, step: int) -> None:
        self.commit(data.draw(st.lists(st.sampled_from(sorted(self.prepared)), min_size=1, max_size=3)), first, step)

    @rule(which=picks, first=st.integers(1, 30), step=st.integers(1, 3))
    def commit_anything(self, which: list[int], first: int, step: int) -> None:
        self.commit(which, first, step)

    def commit(self, which: list[int], first: int, step: int) -> None:
        """Places may come late, between or before those that are live."""
        which = list(dict.fromkeys(which))
        places = {first + step * n: i for n, i in enumerate(which)}
        done = self.both("commit", [(self.samples[i].row_id, seq) for seq, i in places.items()], [])
        assert done == (set(which) <= self.prepared and not places.keys() & self.places.keys())
        if done:
            self.places |= places
            self.prepared -= set(which)

    @property
    def order(self) -> list[int]:
        return [self.places[seq] for seq in sorted(self.places)]

    @rule(which=picks)
    def abort(self, which: list[int]) -> None:
        assert self.both("abort", self.ids(which))
        self.gone |= self.prepared & set(which)
        self.prepared -= set(which)

    @precondition(lambda self: self.prepared)
    @rule()
    def abort_all(self) -> None:
        assert self.both("abort", None)
        self.gone |= self.prepared
        self.prepared = set()

    @rule(which=picks)
    def erase(self, which: list[int]) -> None:
        assert self.both("erase", self.ids(which))
        self.gone |= set(which)
        self.prepared -= set(which)
        self.places = {seq: i for seq, i in self.places.items() if i not in which}

    @rule(half=st.integers(0, 1))
    def restart(self, half: int) -> None:
        self.halves[half] = self.halves[half].again()

    @rule()
    def rotate(self) -> None:
        key = self.halves[1].store_key
        assert key is not None
        key.rotate()

    @invariant()
    def memory_is_what_the_model_says(self) -> None:
        shelves = [half.cabinet.shelf(G) for half in self.halves]
        assert [shelf.row_ids for shelf in shelves] == [self.ids(self.order)] * len(shelves)
        if shelves:
            assert shelves[0].order_digest() == shelves[1].order_digest()
            joined = (shelves[0].lanes + shelves[1].lanes).view(np.int16)
            wanted = np.stack([self.samples[i].template for i in self.order]) if self.order else joined[:0]
            assert np.array_equal(joined, wanted)

    def teardown(self) -> None:
        for half in self.halves:
            again = half.again()
            assert again.cabinet.shelf(G).row_ids == self.ids(self.order)
            assert {row for (row,) in again.journal.read("SELECT row_id FROM row")} == set(
                self.ids([*self.order, *self.prepared])
            )
            again.journal.close()
        self._folder.cleanup()


TwoHalves.TestCase.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_two_halves = TwoHalves.TestCase
