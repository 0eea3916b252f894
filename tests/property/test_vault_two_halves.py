"""After any run of operations both halves have the same rows in the same order, in memory and for the next process.

Seeded runs beside a plain model: which rows are prepared, which are live and at which places.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety.foundation.errors import Refusal
from vault_samples import Store, policy, sample

if TYPE_CHECKING:
    from pathlib import Path

    from vault_samples import Sample

POLICY = policy()
G = POLICY.gallery
ROWS, STEPS = 60, 80


class TwoHalves:
    """Both halves and what must be true of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        numbers = np.random.default_rng(seed)
        self.dice = random.Random(seed)  # noqa: S311 - a run that can be repeated
        self.samples: list[Sample] = [sample(numbers, POLICY) for _ in range(ROWS)]
        self.halves = [Store(folder / half, half) for half in "ab"]
        for half in self.halves:
            half.cabinet.set_policy(POLICY)
        self.fresh = set(range(ROWS))
        self.prepared: set[int] = set()
        self.places: dict[int, int] = {}
        self.done: Counter[str] = Counter()

    @property
    def order(self) -> list[int]:
        return [self.places[seq] for seq in sorted(self.places)]

    def ids(self, which: list[int]) -> list[bytes]:
        return [self.samples[i].row_id for i in which]

    def some(self, *of: set[int]) -> list[int]:
        """Pick a few, mostly of the sets that make sense and now and then any."""
        likely = sorted(set().union(*of)) if self.dice.random() < 0.85 else list(range(ROWS))
        return self.dice.sample(likely, min(len(likely), self.dice.randint(1, 5)))

    def both(self, act: str, *given: Any) -> bool:
        """Ask both; they must agree on whether it can be done, and why not."""
        told = set()
        for half in self.halves:
            try:
                if act == "prepare":
                    half.cabinet.prepare(G, [half.opened(POLICY, self.samples[i]) for i in given[0]])
                else:
                    getattr(half.cabinet, act)(G, *given)
            except Refusal as refusal:
                told.add(refusal.slug)
            else:
                told.add("")
        assert len(told) == 1
        done = told == {""}
        self.done[act if done else f"no {act}"] += 1
        return done

    # ---- acts ----

    def prepare(self) -> None:
        which = self.some(self.fresh)
        assert self.both("prepare", which) == (set(which) <= self.fresh)
        if set(which) <= self.fresh:
            self.prepared |= set(which)
            self.fresh -= set(which)

    def commit(self) -> None:
        which = self.some(self.prepared)
        first = self.dice.randint(1, 150)
        places = {first + 2 * n: i for n, i in enumerate(which)}
        asked = [(self.samples[i].row_id, seq) for seq, i in places.items()]
        self.dice.shuffle(asked)
        fits = set(which) <= self.prepared and not places.keys() & self.places.keys()
        assert self.both("commit", asked, []) == fits
        if fits:
            self.done["late"] += bool(self.places) and first < max(self.places)
            self.places |= places
            self.prepared -= set(which)
            assert self.both("commit", asked, [])  # once more changes nothing

    def abort(self) -> None:
        everything = sorted(self.prepared)
        which = everything if self.dice.random() < 0.2 else self.some(self.prepared, set(self.places.values()))
        assert self.both("abort", self.ids(which))
        self.prepared -= set(which)

    def erase(self) -> None:
        which = self.some(self.prepared, set(self.places.values()))
        assert self.both("erase", self.ids(which))
        for kept in (self.fresh, self.prepared):
            kept -= set(which)
        self.places = {seq: i for seq, i in self.places.items() if i not in which}

    def restart(self) -> None:
        half = self.dice.randrange(2)
        self.halves[half] = self.halves[half].again()

    def rotate(self) -> None:
        self.halves[1].turn_keys()

    def step(self) -> None:
        acts = (self.prepare, self.commit, self.abort, self.erase, self.restart, self.rotate)
        self.dice.choices(acts, (5, 6, 1, 2, 1, 0.5))[0]()

    # ---- what must be true ----

    def check(self) -> None:
        """Hold memory against the model."""
        a, b = (half.cabinet.shelf(G) for half in self.halves)
        assert a.row_ids == b.row_ids == self.ids(self.order)
        assert a.order_digest() == b.order_digest()
        joined = (a.lanes + b.lanes).view(np.int16)
        assert np.array_equal(joined, [self.samples[i].template for i in self.order] or joined[:0])

    def check_disk(self) -> None:
        """Hold the next process's memory, and all rows on disk, against the model."""
        self.halves = [half.again() for half in self.halves]
        self.check()
        for half in self.halves:
            rows = {row for (row,) in half.journal.read("SELECT row_id FROM row")}
            assert rows == set(self.ids([*self.order, *self.prepared]))
            assert half.tombstones.isdisjoint(rows)
            half.journal.close()


@pytest.mark.parametrize("seed", range(8))
def test_both_halves_stay_in_step(tmp_path: Path, seed: int) -> None:
    run = TwoHalves(tmp_path, seed)
    for _ in range(STEPS):
        run.step()
        run.check()
    run.check_disk()
    assert run.done["late"] > 0
    assert run.done["no commit"] > 0
    assert min(run.done[act] for act in ("prepare", "commit", "abort", "erase")) > 1
