"""A simulated life: what people ask of a site while its parts die, its links break and its disks fill.

`Life` does what people do, remembers what the site has promised them, and in the end has it checked that it was kept.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import simulated_checks as checks
from moiety.foundation.errors import Refusal
from moiety.matching.galleries import NewGallery
from moiety.people.enrol import Who
from moiety.wire.kinds import Role
from parts_in_process import ASKER, SERVED
from simulated_acts import HOUR, PROBES_PER_HOUR, Acts
from simulated_copies import COPIED, VAULTS
from simulated_disk import DEATHS, FATES, Fuse
from simulated_time import Gone

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from simulated_acts import Person
    from simulated_copies import Copy

    Act = Callable[[], Coroutine[Any, Any, None]]

# The gate's link can be silent for long, but a question has its answer, a refusal or the end of a part by then.
ACT_SECONDS = 1800.0
DAY = 86_400.0
AT_FIRST = (0, 1, 2, 2, 3)


class Life(Acts):
    """One run."""

    async def open(self) -> None:
        """Open the gallery, however often it takes."""
        new = NewGallery("doors", "a door of the site", probes_per_hour=PROBES_PER_HOUR)
        while True:
            try:
                self.gallery = await self.site.gate(self.site.house.galleries.create(new, ASKER))
            except (Refusal, Gone):
                await self.site.revive()
                # Settled first, so that the name is free again, or the gallery found whose opening was not told.
                await self.settled()
                there = await self.site.gate(self.site.house.galleries.list())
                if there:
                    (self.gallery,) = there
                    return
            else:
                return

    async def begin(self) -> None:
        """Open the gallery and let the first people come, before anything goes wrong."""
        await self.open()
        for _ in range(self.dice.choice(AT_FIRST)):
            await self.until_enrolled(
                self._newcomer(f"person {len(self.people)}" if self.dice.random() < 0.5 else None)
            )

    async def do(self, act: Act, name: str = "", after: float = 0.0) -> bool:
        """Do one thing; whether it succeeded. A refusal for a reason of the day is no failure, silence is."""
        name = name or act.__name__
        self.did[name] += 1
        outcome = "done"
        try:
            async with asyncio.timeout(ACT_SECONDS):
                await asyncio.sleep(after)
                await act()
        except (Gone, asyncio.CancelledError) as error:
            outcome = type(error).__name__
        except Refusal as refusal:
            outcome = refusal.slug
        except TimeoutError:
            raise AssertionError(f"{name} was not answered within half an hour") from None
        self.site.fabric.trace.note(f"{self.site.loop.time():.6f} {name} {outcome}")
        return outcome == "done"

    async def step(self) -> None:
        """Do one to three things at a time."""
        acts: list[Act] = self.dice.choices(
            [
                self.enrol,
                self.add_photo,
                self.erase,
                self.erase_photo,
                self.search,
                self.curious,
                self.verify,
                self.name,
                self.tidy,
                self.refresh,
                self.scrub,
                self.back_up,
                self.fuss,
            ],
            [5, 2, 1.5, 1, 2, 0.7, 1, 0.5, 1, 2, 0.3, 2, 2],
            k=self.dice.choice((1, 1, 2, 3)),
        )
        if self.dice.random() < 0.1:
            acts.append(self.replay)
        tasks = [asyncio.create_task(self.do(act, after=self.dice.uniform(0, 0.1))) for act in acts]
        if self.dice.random() < 0.1:  # an impatient browser
            await asyncio.sleep(self.dice.uniform(0, 0.3))
            tasks[0].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome
        self.check_budgets()

    async def trouble(self) -> None:
        """Let something go wrong soon, or be mended, or time pass."""
        dice, site = self.dice, self.site
        if dice.random() < 0.8:
            await site.revive()
        if site.steps.full and dice.random() < 0.6:
            site.steps.full.clear()
        if site.fabric.walls and dice.random() < 0.6:
            site.fabric.walls.clear()
        if dice.random() < 0.2:
            await self.lose_a_disk()
        luck, role = dice.random(), dice.choice((Role.GATE, Role.GATE, *SERVED))
        if luck < 0.45:
            site.steps.fuses.append(self._fuse(role))
        elif luck < 0.53:
            site.loop.call_later(dice.uniform(0, 0.3), site.kill, role)
            self.did["killed"] += 1
        elif luck < 0.61:
            site.steps.full.add(role.value)
            self.did["full disk"] += 1
        elif luck < 0.66:
            site.fabric.walls.add(frozenset(dice.sample((Role.GATE, *SERVED), 2)))
            self.did["wall"] += 1
        elif luck < 0.75:
            site.loop.suspend(dice.choice((10.0, 700.0, HOUR, DAY)))
            await asyncio.sleep(1.0)

    def _fuse(self, role: Role) -> Fuse:
        """Let one of the next durable writes fail: of a part, of any, or at a vault for want of room."""
        dice = self.dice
        if dice.random() < 0.2:
            return Fuse(dice.choice(VAULTS).value, dice.randrange(10), "full")
        return Fuse(dice.choice((None, role.value)), dice.choice((0, 1, 2, 3, 5, 8, 12)), dice.choice(FATES))

    async def lose_a_disk(self) -> None:
        """In good weather a part's disk is lost, and comes back from its last copy, as old as that is."""
        weather, self.site.fabric.weather.bad = self.site.fabric.weather.bad, False
        self.site.steps.fuses.clear()
        await self.calm()
        found = [copy for role in COPIED if (copy := self.copies.fitting(role))]
        if found:
            copy = self.dice.choice(found)
            fuse = Fuse(copy.role.value, self.dice.randrange(40), self.dice.choice(DEATHS))
            self.site.steps.fuses.append(fuse)
            await self._bring_back(copy)
            self.site.steps.fuses.clear()
        self.site.fabric.weather.bad = weather

    async def _bring_back(self, copy: Copy) -> None:
        """Restore a part, start it, and let go of whoever is not whole any more."""
        self.did["restore"] += 1
        await self.copies.bring_back(copy)
        self._may_have_lost(copy)
        await self.until_done(self._reconcile)

    async def _reconcile(self) -> None:
        """Compare gate and vaults, and drop what is not whole."""
        self.photo_lost |= await self.copies.reconcile()

    def _may_have_lost(self, copy: Copy) -> None:
        """Whoever came after the copy may be gone, and so may their photos; all others stay."""
        for person in self.people:
            subject, photos = copy.people.get(person.number, (None, ()))
            if person.enrolled and person.subject == subject:
                person.photos = [photo for photo in person.photos if photo in photos]
            elif person.enrolled:
                person.enrolled = None
        # Nonces and budgets of the hour are in no copy.
        self.site.fabric.said.clear()
        self.answered.clear()

    async def script(self) -> None:
        """Do everything that can be done once, each until it is done; meanwhile somebody dies."""
        first, second = (self._newcomer(name) for name in ("first", None))
        await self.until_enrolled(first)
        await self.until_enrolled(second)
        await self.until_done(self.tidy)
        await self.until_done(lambda: self._photo(first, Who(subject=first.subject, amends=True)), "add_photo")
        await self.until_done(self.search)
        await self.until_done(self.verify)
        await self.until_done(self.name)
        await self.until_done(self.erase_photo)
        await self.until_erased(second)
        await self.until_done(self.refresh)
        await self.until_done(self.search)
        for role in COPIED:
            await self.until_done(functools.partial(self._back_up, role), "back_up")
        await self.until_done(self.scrub)
        for role in COPIED:
            await self.calm()
            copy = self.copies.fitting(role)
            assert copy, f"there is no copy of {role} that fits"
            await self._bring_back(copy)
        await self.until_done(self.search)
        # B's keys turn when they are a day old.
        self.site.loop.suspend(DAY)
        await asyncio.sleep(1.0)
        await self.until_done(self.search)
        await self.until_enrolled(second)

    async def until_done(self, act: Act, name: str = "") -> None:
        """Do a thing until it is done; who was dead is started, and then it must work."""
        for _ in range(3):
            await self.site.revive()
            if await self.do(act, name):
                return
            # Links that died in silence are given up, and the hour has a new budget.
            await self.wait(60.0)
            self.site.loop.suspend(HOUR)
            await self.site.revive()
            await self.settled()
        raise AssertionError(f"{name or act.__name__} does not work, although everybody lives")

    async def until_enrolled(self, person: Person) -> None:
        """Enrol somebody; when it is not known whether it worked, look."""
        while not person.enrolled:
            await self.until_done(lambda: self._enrol_or_find(person), "enrol")

    async def _enrol_or_find(self, person: Person) -> None:
        """Enrol, unless an earlier attempt turns out to have worked."""
        if person.enrolled is None:
            (found,) = await checks.seen_at_last(self.site, self.gallery, [person])
            if found:
                (person.subject,) = found
                person.enrolled = True
                return
        await self._enrol(person, Who(reference=person.reference, amends=True))

    async def until_erased(self, person: Person) -> None:
        """Erase somebody; when it is not known whether it worked, look."""
        await self.until_done(lambda: self._erase(person), "erase")

    async def settled(self) -> None:
        """Let the gate settle everything, which must work in good weather, at the latest when links that broke tell."""
        for _ in range(3):
            if await self.do(self.tidy):
                return
            await self.site.revive()
            await self.wait(120.0)
        raise AssertionError("what was left cannot be settled in good weather")

    async def wait(self, seconds: float) -> None:
        """Let everybody's patience end, one after the other."""
        for _ in range(int(seconds) // 30):
            self.site.loop.suspend(29.0)
            await asyncio.sleep(1.0)

    async def calm(self) -> None:
        """Let all that was begun come to its end, in good weather."""
        site = self.site
        site.fabric.walls.clear()
        site.steps.full.clear()
        await site.revive()
        # Whoever was left hanging is told so by the clocks, in some minutes; so is the gate what is left at the vaults.
        await self.wait(660.0)
        await self.settled()

    async def evening(self) -> None:
        """Good weather again: what is down is started, or everything, and what was left is settled."""
        site = self.site
        site.fabric.weather.bad = False
        site.steps.fuses.clear()
        await self.calm()
        if self.dice.random() < 0.5:
            for role in (*SERVED, Role.GATE):
                site.kill(role)
        await site.revive()
        await self.settled()

    def check_budgets(self) -> None:
        """Hold what the vaults say was spent against what was answered."""
        # A vault whose clock is wrong counts by other hours than these.
        answered = {} if self.site.wrong else self.answered
        checks.check_budgets(self.site, PROBES_PER_HOUR, answered)

    async def check(self) -> None:
        """Hold everything against everything."""
        site, gallery = self.site, self.gallery
        checks.check_rows(site, gallery)
        checks.check_halves(site, gallery, self.people)
        self.check_budgets()
        checks.check_keys(site, gallery)
        checks.check_files(site, gallery)
        found: list[set[Any]] = []
        for first in range(0, len(self.people), PROBES_PER_HOUR // 2):
            site.loop.suspend(2 * HOUR)
            found += await checks.seen_at_last(site, gallery, self.people[first : first + PROBES_PER_HOUR // 2])
        await checks.check_people(site, gallery, self.people, found, self.photo_lost)
        twice = [said.kind.name for said in site.fabric.said if said.answers > 1]
        assert not twice, f"one warrant was accepted twice: {twice}"
        site.house.desk.ledger.verify()
