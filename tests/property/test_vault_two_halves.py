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
        self.order: list[int] = []
        self.gone: set[int] = set()
        self.seq = 0
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

    @rule(which=picks, step=st.integers(1, 3))
    def commit(self, which: list[int], step: int) -> None:
        which = list(dict.fromkeys(which))
        places = [(row, self.seq + step * n) for n, row in enumerate(self.ids(which), 1)]
        done = self.both("commit", places, [])
        assert done == (set(which) <= self.prepared)
        if done and which:
            self.seq = places[-1][1]
            self.order += which
            self.prepared -= set(which)

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
        self.order = [i for i in self.order if i not in which]

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
