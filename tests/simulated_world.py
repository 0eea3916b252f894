"""One run of the simulation: a site, its sky, its disks and its dice, all from one seed; and what it has to tell."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import shutil
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from moiety.wire.kinds import Role
from simulated_copies import copies_beside
from simulated_disk import Fuse, Steps
from simulated_net import Fabric, Weather
from simulated_parts import Site
from simulated_site import Life
from simulated_time import Trace, VirtualLoop, seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

DAYS_STEPS = (2, 6)


@dataclass
class Told:
    """What one run has to say."""

    name: str
    failed: str | None = None
    trace: str = ""
    lines: list[str] | None = None
    steps: int = 0
    counts: Counter[str] = field(default_factory=Counter)


class World:
    """What one run happens in; use it with `seeded`."""

    def __init__(self, seed: int, template: Path, folder: Path, *, keep: bool = False) -> None:
        """Begin from `template` in `folder`; `keep` the lines of the trace."""
        self.dice = random.Random(seed)  # noqa: S311 - a run that can be repeated
        self.loop = VirtualLoop(self.dice)
        self.trace = Trace(keep=keep)
        self.weather = Weather(self.dice, Counter())
        self.steps = Steps(self.trace, self.dice)
        self.fabric = Fabric(self.loop, self.dice, self.trace, self.weather)
        self.site = Site(template, folder, self.loop, self.fabric, self.steps)
        self.life = Life(self.site, self.dice)
        self.complaints: list[str] = []
        _heard.errors.clear()

    def live(self, life: Coroutine[Any, Any, None]) -> None:
        """Run one life to its end, and leave nothing of it."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(life)
        finally:
            # What nobody was told of, and what a part told its log only. What is torn down now does not count.
            self.complaints = [*self.loop.complaints, *_heard.errors, *self.loop.unheard()]
            for process in self.site.processes.values():
                process.die()
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
            self.loop.bury()
            asyncio.set_event_loop(None)

    def counts(self) -> Counter[str]:
        """Count what happened."""
        seen, did = self.weather.seen, self.life.did
        return Counter(
            runs=1,
            acts=sum(did.values()) - did["full disk"] - did["wall"] - did["killed"],
            refreshes=did["refresh"],
            backups=did["back_up"],
            restores=did["restore"],
            durable_writes=self.steps.taken,
            deaths=self.steps.deaths + did["killed"],
            full_disks=did["full disk"],
            cuts=sum(seen[fate] for fate in ("before", "after", "cut", "half")),
            repeats=seen["twice"] + seen["again"] + did["replay"],
            delays=seen["slow"] + did["wall"],
        )


async def by_dice(world: World) -> None:
    """Live some hours at random."""
    site, life, dice = world.site, world.life, world.dice
    if dice.random() < 0.3:
        site.wrong = {role: dice.uniform(-50.0, 50.0) for role in Role}
    await site.revive()
    await life.begin()
    world.weather.bad = True
    for _ in range(dice.randint(*DAYS_STEPS)):
        await life.step()
        await life.trouble()
    await life.evening()
    await life.check()


async def by_script(world: World) -> None:
    """Live the one life in which everything happens once."""
    await world.site.revive()
    await world.life.open()
    await world.life.script()
    await world.life.evening()
    await world.life.check()


def run(
    name: str,
    seed: int,
    life: Callable[[World], Coroutine[Any, Any, None]],
    folders: tuple[Path, Path],
    *,
    fuse: Fuse | None = None,
    keep: bool = False,
) -> Told:
    """Live one life by a seed, from the template in the first folder, in the second; a fuse burns from the start."""
    told = Told(name)
    for old in (folders[1], copies_beside(folders[1])):
        shutil.rmtree(old, ignore_errors=True)
    with seeded(seed):
        world = World(seed, *folders, keep=keep)
        if fuse:
            world.steps.fuses.append(fuse)
        try:
            world.live(life(world))
        except Exception:  # noqa: BLE001 - whatever it is, the run is named
            told.failed = traceback.format_exc()
    if world.complaints:
        told.failed = "\n".join([*world.complaints, told.failed or "Otherwise everything was well in the end."])
    told.trace, told.lines, told.steps = world.trace.digest(), world.trace.lines, world.steps.taken
    told.counts = world.counts()
    return told


class _Heard(logging.Handler):
    """Keeps what parts log as errors."""

    errors: ClassVar[list[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.errors.append(record.getMessage())


_heard = _Heard(logging.ERROR)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hear errors only, and leave the garbage of others alone."""
    logging.disable(logging.WARNING)
    logging.getLogger("moiety").addHandler(_heard)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        logging.getLogger("moiety").removeHandler(_heard)
        gc.enable()
        gc.unfreeze()
        logging.disable(logging.NOTSET)
