"""A site on which questions fail before or after they took effect, links break and parts are restarted.

`Weather` stands in front of every line and decides what becomes of each call; `Run` does what people do, remembers
what the site has promised, and checks in the end that it was kept.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from moiety.foundation.errors import PartDown, Refusal, UnknownSubject
from moiety.people.enrol import Who
from moiety.warrants.targets import person_handle
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client
from parts_in_process import ASKER, DIM, InProcess

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine, Sequence

    from numpy.typing import NDArray

    from moiety.storage import Gallery
    from moiety.wire.frames import Buffer

VAULTS = (Role.VAULT_A, Role.VAULT_B)
PROBES_PER_HOUR = 12
FATES = ("before", "after", "cut")


@dataclass(slots=True, eq=False)
class Person:
    """Somebody who may be enrolled; `subject` is known when an enrolment was acknowledged."""

    number: int
    face: NDArray[Any]
    reference: str | None
    subject: Any = None
    photos: list[Any] = field(default_factory=list)
    # What must hold of them in the end; None: an act failed, so either is right.
    enrolled: bool | None = False


class Weather:
    """Decides at each call whether and how it fails."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.bad = False
        # The fate of the next question of a kind to a part, whatever the weather.
        self.armed: tuple[Role, Kind, str] | None = None
        # What is armed next, when that has happened.
        self.then: tuple[Role, Kind, str] | None = None
        self.seen: set[tuple[Role, Kind, str]] = set()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in front of every line of every part."""
        real = Client.call

        async def call(
            line: Client, kind: Kind, meta: dict[str, Any], buffers: Sequence[Buffer] = (), *more: float
        ) -> Answer:
            fate = self._fate(line._role, kind)
            if fate == "before":
                raise PartDown("The simulation keeps this question from its part.")
            if fate == "cut":
                return await self._cut(line, real(line, kind, meta, buffers, *more))
            answer = await real(line, kind, meta, buffers, *more)
            if fate == "after":
                raise PartDown("The simulation keeps this answer from its asker.")
            return answer

        monkeypatch.setattr(Client, "call", call)

    def _fate(self, role: Role, kind: Kind) -> str:
        if self.armed and self.armed[:2] == (role, kind):
            self.seen.add(self.armed)
            fate, self.armed, self.then = self.armed[2], self.then, None
            return fate
        if not self.bad:
            return "well"
        # A search alone asks some forty times; an enrolment a few.
        often = 0.004 if kind in {Kind.ROUND, Kind.DEAL} else 0.07
        fate = self._dice.choice(FATES) if self._dice.random() < often else "well"
        if fate != "well":
            self.seen.add((role, kind, fate))
        return fate

    async def _cut(self, line: Client, call: Coroutine[Any, Any, Answer]) -> Answer:
        """Break the link a little later, when the question may have been received, answered or neither."""
        turns = self._dice.choice((0, 1, 5, 20, 60))
        asked = asyncio.create_task(call)
        for _ in range(turns):
            await asyncio.sleep(0)
        if line._open:
            writer: Any = line._open.link.writer
            writer.transport.abort()
        return await asked


class Run:
    """One run: what the gate is asked to do, and what it has promised."""

    def __init__(self, site: InProcess, gallery: Gallery, dice: random.Random, weather: Weather) -> None:
        self.site, self.gallery, self.dice, self.weather = site, gallery, dice, weather
        self.people: list[Person] = []
        self.down: set[Role] = set()

    # ---- acts ----

    async def enrol(self) -> None:
        number = len(self.people)
        reference = f"person {number}" if self.dice.random() < 0.5 else None
        person = Person(number, self.site.sight.person(), reference)
        self.people.append(person)
        person.enrolled = None
        made = await self.site.enrol(self.gallery, person.face, Who(reference=reference))
        person.subject, person.enrolled = made.subject, True
        person.photos.append(made.photo)

    async def add_photo(self) -> None:
        person = self._one(enrolled=True)
        if person is None:
            return
        made = await self.site.enrol(self.gallery, person.face, Who(subject=person.subject))
        assert not made.new_subject
        person.photos.append(made.photo)

    async def erase(self) -> None:
        person = self._one(enrolled=True)
        if person is None:
            return
        # From the first step on nobody finds them, whatever becomes of the rest; before it nothing has changed.
        person.enrolled = None
        try:
            await self.site.house.eraser.subject(self.gallery, person.subject, ASKER)
        except UnknownSubject:
            pytest.fail("an acknowledged subject is not known")
        person.enrolled = False

    async def erase_photo(self) -> None:
        person = self._one(enrolled=True)
        if person is None or len(person.photos) < 2:
            return
        photo = person.photos.pop()
        await self.site.house.eraser.photo(self.gallery, person.subject, photo, ASKER)

    async def search(self) -> None:
        person = self._one()
        if person is None:
            return
        expected = person.enrolled
        found = await self.site.found(self.gallery, person.face)
        if expected is not None and person.enrolled == expected:
            assert found == ({person.subject} if expected else set()), f"person {person.number}"

    async def verify(self) -> None:
        person = self._one(enrolled=True)
        if person is None:
            return
        image = self.site.sight.picture(person.face)
        verdict = await self.site.house.verifier.verify(self.gallery, person.subject, image, ASKER)
        assert verdict.same or not person.enrolled

    def _one(self, *, enrolled: bool | None = None) -> Person | None:
        """Pick a person, of those that were acknowledged and not erased where `enrolled` says so."""
        some = [p for p in self.people if enrolled is None or p.enrolled is enrolled]
        return self.dice.choice(some) if some else None

    async def step(self) -> None:
        """Do one to three things at a time; a refusal for a reason of the day is no failure."""
        acts: list[Callable[[], Coroutine[Any, Any, None]]] = self.dice.choices(
            [self.enrol, self.add_photo, self.erase, self.erase_photo, self.search, self.verify],
            [5, 2, 1.5, 1, 3, 1],
            k=self.dice.choice((1, 1, 2, 3)),
        )
        tasks = [asyncio.create_task(act()) for act in acts]
        if self.dice.random() < 0.1:  # an impatient browser
            for _ in range(self.dice.choice((1, 10, 100))):
                await asyncio.sleep(0)
            tasks[0].cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal | asyncio.CancelledError):
                raise outcome

    async def trouble(self) -> None:
        """Stop, start or restart a part, or let time pass."""
        dice = self.dice.random()
        role = self.dice.choice((*VAULTS, Role.MINT))
        if self.down and dice < 0.6:
            await self.site.start(self.down.pop())
        elif dice < 0.1 and role not in self.down:
            await self.site.stop(role)
            self.down.add(role)
        elif dice < 0.2 and role not in self.down:
            await self.site.restart(role)
        elif dice < 0.25:
            await self.site.restart_gate()
        elif dice < 0.35:
            self.site.clock.move(self.dice.choice((10.0, 700.0, 3600.0)))
            self.check_budgets()

    async def settle(self) -> None:
        """Good weather again: everything is started anew and what was left is settled."""
        self.weather.bad = False
        for role in sorted(self.down):
            await self.site.start(role)
        self.down.clear()
        for role in VAULTS:
            await self.site.restart(role)
        await self.site.restart_gate()
        await self.site.house.settle()
        self.site.clock.move(7200)

    # ---- what must be true ----

    def check_budgets(self) -> None:
        for role in set(VAULTS) - self.down:
            journal = self.site.vault(role)._cabinet._journal
            query = "SELECT max(spent) FROM budget WHERE meter = 'probes'"
            assert (journal.read(query)[0][0] or 0) <= PROBES_PER_HOUR

    def check_rows(self) -> None:
        """Hold both vaults' rows against the gate's active ones: the same, in one order, and no others anywhere."""
        with self.site.store.read() as tx:
            assert tx.intents.pending() == ()
            rows = [bytes(active.row_id) for active in tx.templates.active_rows(self.gallery.id)]
            counts = tx.templates.count(self.gallery.id)
        assert (counts.pending, counts.erasing, counts.active) == (0, 0, len(rows))
        digests = set()
        for role in VAULTS:
            cabinet = self.site.vault(role)._cabinet
            shelf = cabinet.shelf(self.gallery.id)
            assert shelf.row_ids == rows
            assert {row for (row,) in cabinet._journal.read("SELECT row_id FROM row")} == set(rows)
            digests.add(shelf.order_digest())
        assert len(digests) == 1
        # A's file holds nothing but the rows of its journal.
        file = self.site.installation.folder(Role.VAULT_A) / "rows" / f"{self.gallery.id}.1.rows"
        slots = file.read_bytes() if file.exists() else b""
        used = sum(any(slots[at : at + 2 * DIM]) for at in range(0, len(slots), 2 * DIM))
        assert used == len(rows)

    async def check_people(self) -> None:
        """Whoever the gate calls active is found, everybody else is not, and promises were kept."""
        infos = await self.site.house.directory.page(self.gallery, limit=1000)
        active = {info.id: info.photos for info in infos}
        assert all(active.values()), "an active subject without a photo"
        for person in self.people:
            if person.number % PROBES_PER_HOUR == 0:
                self.site.clock.move(3600)
            found = await self.site.found(self.gallery, person.face)
            assert found <= set(active)
            assert len(found) <= 1
            if person.enrolled is not None:
                assert found == ({person.subject} if person.enrolled else set()), f"person {person.number}"
            if person.enrolled:
                assert active[person.subject] >= len(person.photos)
            for subject in found:
                del active[subject]
                if person.reference:
                    assert await self.site.house.fields.find(self.gallery, person.reference) == subject
                    labels = await self.site.house.fields.labels(self.gallery, [subject], ASKER)
                    assert labels == {subject: person.reference}
        assert active == {}, "a subject whom nobody was enrolled as"

    def check_keys(self) -> None:
        """B has a live key for each subject with fields, and for nobody else."""
        with self.site.store.read() as tx:
            page = tx.subjects.page(self.gallery.id, limit=1000)
            named = {one.id for one in page if tx.fields.list(one.id)}
        tenant = self.site.installation.tenant
        handles = {person_handle(tenant, self.gallery.id, subject) for subject in named}
        journal = self.site.vault_b._cabinet._journal
        assert dict(journal.read("SELECT handle, state FROM person")) == dict.fromkeys(handles, "live")
