"""A refresh that dies at any durable write of either vault leaves both with one and the same epoch, and nothing else.

Both halves' own code, wired to each other without links; the disk of one ends its process before or after its n-th
durable write, for every n that there is.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety.cli.bench.fill import templates
from moiety.drill.noise import auc
from moiety.foundation.disk import SystemDisk, SystemFile
from moiety.foundation.errors import PartDown, Refusal
from moiety.kernel import split_many
from moiety.vault.attest import Attesting, Comparing
from moiety.vault.halves import HalfRow
from moiety.vault.refresh import Refreshing
from moiety.vault.renewal import Renewing
from moiety.vault.turns import Changes, Turns
from moiety.warrants.batch import commit_rows, row_nonces
from moiety.wire.frames import Frame
from vault_samples import Store, policy, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from moiety.wire.kinds import Kind
    from moiety.wire.links import Answer

POLICY = policy()
G = POLICY.gallery


class Died(BaseException):
    """The process has ended."""


class MortalDisk(SystemDisk):
    """A disk whose process ends at its n-th durable write, and does nothing more."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.before = True
        self.dead = False
        self.steps = 0

    def step(self, work: Callable[[], Any]) -> Any:
        if self.dead:
            raise Died
        self.steps += 1
        last = self.left == 0
        self.left = None if self.left is None else self.left - 1
        if last and self.before:
            self.dead = True
            raise Died
        done = work()
        if last:
            self.dead = True
            raise Died
        return done

    def write(self, *given: Any, **named: Any) -> None:
        self.step(lambda: SystemDisk.write(self, *given, **named))

    def open(self, path: Path, mode: int = 0o600) -> SystemFile:
        file: SystemFile = (
            SystemDisk.open(self, path, mode) if path.exists() else self.step(lambda: SystemDisk.open(self, path, mode))
        )
        real, step = file.sync, self.step
        file.sync = lambda: step(real)  # type: ignore[method-assign]  # this file alone
        return file

    def remove(self, path: Path) -> None:
        if path.exists():
            self.step(lambda: SystemDisk.remove(self, path))

    def shred(self, path: Path) -> None:
        if path.exists():
            self.step(lambda: SystemDisk.shred(self, path))

    def commit(self, commit: Callable[[], object]) -> None:
        self.step(commit)


class Line:
    """A line from A to B that ends with either of them."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    async def call(self, kind: Kind, meta: dict[str, Any], buffers: Sequence[Any] = (), seconds: float = 0.0) -> Answer:
        del seconds
        if self.pair.disks["a"].dead:
            raise Died
        try:
            if self.pair.disks["b"].dead:
                raise PartDown
            answer: Answer = await self.pair.handlers[kind](Frame(kind, meta=meta, buffers=buffers))
        except Died:
            raise PartDown from None
        return answer


class Pair:
    """Both vaults over their folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disks: dict[str, MortalDisk] = {}
        self.stores: dict[str, Store] = {}
        for half in "ab":
            self.start(half)
        self.wire()

    def start(self, half: str) -> None:
        self.disks[half] = MortalDisk()
        clock = self.stores[half].clock if half in self.stores else None
        self.stores[half] = Store(self.folder / half, half, clock, self.disks[half])

    def wire(self) -> None:
        """Give both new processes' memories, for those that have died."""
        a, b, line = self.stores["a"], self.stores["b"], Line(self)
        self.turns, self.changes = {half: Turns() for half in "ab"}, {half: Changes() for half in "ab"}
        given: Any = (line, self.turns["a"], self.changes["a"])
        self.refreshing = Refreshing(a.journal, a.cabinet, a.rows, *given)
        self.attesting = Attesting(a.cabinet, a.rows, *given)
        at_b: Any = (self.turns["b"], self.changes["b"])
        renewing = Renewing(b.journal, b.cabinet, b.seeds, b.clock, *at_b)
        comparing = Comparing(b.cabinet, b.seeds, *at_b)
        self.handlers: dict[Kind, Any] = {**renewing.handlers(), **comparing.handlers()}

    def again(self, *halves: str) -> None:
        for half in halves:
            self.stores[half].journal.close()
            self.start(half)
        self.wire()

    def fill(self, rows: int, prepared: int = 0, seed: int = 1) -> None:
        random = np.random.default_rng(seed)
        made = [sample(random, POLICY) for _ in range(rows + prepared)]
        for half in self.stores.values():
            half.cabinet.set_policy(POLICY)
            ids = half.prepare(POLICY, *made)
            half.cabinet.commit(G, [(row_id, 10 * i) for i, row_id in enumerate(ids[:rows])], [])
        self.prepared = [one.row_id for one in made[rows:]]

    def templates(self) -> Any:
        a, b = (self.stores[half].cabinet.shelf(G) for half in "ab")
        assert a.epoch == b.epoch
        assert a.row_ids == b.row_ids
        return (a.lanes + b.lanes).view(np.int16).copy()

    def check(self, templates: Any) -> None:
        """One epoch at both, whole, in memory and on disk; nothing of any other lies about."""
        generations = [list(self.stores[half].cabinet.held(G).values()) for half in "ab"]
        assert [len(held) for held in generations] == [1, 1]
        ((of_a,), (of_b,)) = generations
        assert (of_a.epoch, of_a.mark) == (of_b.epoch, of_b.mark)
        for restart in (False, True):
            if restart:
                self.again("a", "b")
            assert np.array_equal(self.templates(), templates)
        names_a = {path.name.split(".")[1] for path in (self.folder / "a" / "rows").iterdir()}
        assert names_a == {str(of_a.epoch)}
        names_b = {path.name for path in (self.folder / "b" / "seeds").iterdir()}
        assert names_b <= {f"{G}.{of_b.epoch}.{of_b.key}.seeds"}
        keys = {name for name in self.stores["b"].keys.names() if name.startswith(f"store-{G}")}
        assert keys == {f"store-{G}.{of_b.epoch}.{of_b.key}.key"}

    async def refresh(self) -> None:
        await self.refreshing.run(G)


async def died(pair: Pair, half: str, left: int, *, before: bool) -> bool:
    """Run a refresh in which a half dies; says whether it did."""
    disk = pair.disks[half]
    disk.left, disk.before = left, before
    with suppress(Died, Refusal):
        await pair.refresh()
    disk.left = None
    return disk.dead


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("half", ["a", "b"])
async def test_a_refresh_that_dies_at_any_durable_write_leaves_one_epoch(
    tmp_path: Path, half: str, *, before: bool
) -> None:
    deaths, epochs = 0, set()
    while True:
        pair = Pair(tmp_path / str(deaths))
        pair.fill(5, prepared=2)
        templates = pair.templates()
        if not await died(pair, half, deaths, before=before):
            break
        # The one that died starts anew, or both do.
        pair.again(half, *("ab".replace(half, "") if deaths % 2 else ""))
        await pair.refreshing.resolve(G)
        epochs.add(pair.stores["a"].cabinet.epoch(G))
        pair.check(templates)
        # Whoever was prepared can still be committed at both, or at none.
        for store in pair.stores.values():
            store.cabinet.commit(G, [(row_id, 1000 + i) for i, row_id in enumerate(pair.prepared)], [])
        whole = pair.templates()
        assert len(whole) == 7
        await pair.attesting.attest(G, files=True)
        await pair.refresh()
        pair.check(whole)
        deaths += 1
    # Some died before B's decision and some after it.
    assert epochs == {1, 2}
    assert deaths > 6


class Life:
    """What may happen to a pair, and how many rows it has."""

    ACTS = ("refresh", "die", "enrol", "erase", "turn", "restart")

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.pair = Pair(folder)
        self.pair.fill(6)
        self.live, self.next_seq = 6, 100

    async def step(self) -> None:
        await getattr(self, str(self.random.choice(self.ACTS, p=[0.3, 0.3, 0.15, 0.1, 0.05, 0.1])))()
        assert len(self.pair.templates()) == self.live

    async def refresh(self) -> None:
        await self.pair.refresh()

    async def die(self) -> None:
        half, left = str(self.random.choice(["a", "b"])), int(self.random.integers(0, 14))
        if await died(self.pair, half, left, before=bool(self.random.integers(2))):
            self.pair.again(half, *("ab" if self.random.random() < 0.3 else ""))
        await self.pair.refreshing.resolve(G)

    async def enrol(self) -> None:
        made = sample(self.random, POLICY, self.pair.stores["a"].cabinet.epoch(G))
        for store in self.pair.stores.values():
            store.prepare(POLICY, made)
            store.cabinet.commit(G, [(made.row_id, self.next_seq)], [])
        self.live, self.next_seq = self.live + 1, self.next_seq + 1

    async def erase(self) -> None:
        if self.live > 2:
            gone = self.pair.stores["a"].cabinet.shelf(G).row_ids[int(self.random.integers(self.live))]
            for store in self.pair.stores.values():
                store.cabinet.erase(G, [gone])
            self.live -= 1

    async def turn(self) -> None:
        self.pair.stores["b"].turn_keys()

    async def restart(self) -> None:
        self.pair.again(str(self.random.choice(["a", "b"])))
        await self.pair.refreshing.resolve(G)


@pytest.mark.parametrize("seed", range(3))
async def test_refreshes_deaths_and_changes_in_any_order_mix_no_epochs(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path, seed)
    for _ in range(25):
        await life.step()
    found = await life.pair.attesting.attest(G, files=True)
    assert (found.rows, found.excluded) == (life.live, [])


def crowd(pair: Pair, rows: int) -> Any:
    """Put many rows into both vaults at once; gives their templates f64[rows, d]."""
    random = np.random.default_rng(7)
    drawn = templates(rows, POLICY.dim, 7)
    ids, seeds, salts = (random.integers(0, 256, (rows, size), np.uint8) for size in (16, 32, 32))
    at = (POLICY.tenant, G, 1)
    lanes = split_many(drawn, seeds, row_nonces(at, ids))
    told = commit_rows(at, ids, salts, lanes)
    names = [one.tobytes() for one in ids]
    halves = {
        "a": [HalfRow(*one) for one in zip(names, [1] * rows, told, map(bytes, lanes), map(bytes, salts), strict=True)],
        "b": [HalfRow(*one) for one in zip(names, [1] * rows, told, map(bytes, seeds), strict=True)],
    }
    for half, store in pair.stores.items():
        store.cabinet.set_policy(POLICY)
        store.cabinet.prepare(G, halves[half])
        store.cabinet.commit(G, [(row_id, i) for i, row_id in enumerate(names)], [])
    return drawn.astype(np.float64)


async def test_halves_of_different_epochs_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    """A of one epoch and B of the next: their sum points at its own template no more than at any other."""
    pair = Pair(tmp_path)
    faces = crowd(pair, 20_000)
    old = [store.cabinet.shelf(G).lanes.copy() for store in pair.stores.values()]
    await pair.refresh()
    new = [store.cabinet.shelf(G).lanes for store in pair.stores.values()]
    for mixed in (old[0] + new[1], new[0] + old[1], old[0] - new[0]):
        assert abs(auc(*_scores(mixed, faces)) - 0.5) < 0.01
    # The control: halves of one epoch.
    assert auc(*_scores(new[0] + new[1], faces)) > 0.999


def _scores(mixed: Any, faces: Any) -> tuple[Any, Any]:
    """Compare each row with its own template, and with those of five others."""
    numbers = mixed.view(np.int16).astype(np.float64)
    mated, *others = (np.einsum("ij,ij->i", numbers, np.roll(faces, shift, axis=0)) for shift in range(6))
    return mated, np.concatenate(others)
