"""What people ask of a simulated site, one act at a time, and what it has promised them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import simulated_checks as checks
from moiety.foundation.errors import ExchangeAborted, PartDown, Refusal, Unavailable, UnknownSubject
from moiety.people.enrol import IN_DOUBT, Who
from moiety.people.erase import BEGUN
from moiety.wire.kinds import Role
from parts_in_process import ASKER, PaintedFace
from simulated_copies import COPIED, Copies

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

    from moiety.storage import Gallery
    from simulated_parts import Site


PROBES_PER_HOUR = 8
PEOPLE = 10
HOUR = 3600.0


@dataclass(slots=True, eq=False)
class Person:
    """Somebody who may be enrolled; `subject` is known when an enrolment was acknowledged."""

    number: int
    face: NDArray[Any]
    reference: str | None
    subject: Any = None
    photos: list[Any] = field(default_factory=list)
    # The embedding of each photo that was acknowledged.
    templates: dict[Any, NDArray[Any]] = field(default_factory=dict)
    # What must hold of them in the end; None: an act failed half-way, so either is right.
    enrolled: bool | None = False


class Acts:
    """What the gate and the vaults' own machines are asked to do, and what they have promised."""

    def __init__(self, site: Site, dice: random.Random) -> None:
        """Live in `site`."""
        self.site, self.dice = site, dice
        self.gallery: Gallery
        self.people: list[Person] = []
        self.did: Counter[str] = Counter()
        self.copies = Copies(site)
        # Subjects whose last photo went with a lost disk: they can be named, and not be found.
        self.photo_lost: set[Any] = set()
        # Answered probes by the hour of the vaults' clocks.
        self.answered: Counter[int] = Counter()

    # ---- acts ----

    async def enrol(self) -> None:
        """Enrol somebody new, or somebody who was erased."""
        person = self._one(enrolled=False) if self.dice.random() < 0.3 else None
        if person is None:
            if len(self.people) == PEOPLE:
                return
            person = self._newcomer(f"person {len(self.people)}" if self.dice.random() < 0.5 else None)
        await self._enrol(person, Who(reference=person.reference, amends=True))

    def _newcomer(self, reference: str | None) -> Person:
        """Meet somebody whom nobody knows."""
        person = Person(len(self.people), self.site.sight.person(), reference)
        self.people.append(person)
        return person

    async def _enrol(self, person: Person, who: Who) -> None:
        """Enrol a new photo of somebody who is not enrolled."""
        person.enrolled, person.subject, person.photos = None, None, []
        try:
            await self._photo(person, who)
        except Refusal as refusal:
            # Nothing was kept, unless the message says otherwise.
            if isinstance(refusal, Unavailable) and str(refusal) != IN_DOUBT:
                person.enrolled = False
            raise
        person.enrolled = True

    async def _photo(self, person: Person, who: Who) -> None:
        """Enrol one photo, and note what it must open to."""
        face = self.site.sight.like(person.face, 0.999)
        image = self.site.sight.paint(PaintedFace(face))
        made = await self.site.gate(self.site.house.enroller.enrol(self.gallery, image, who, ASKER))
        person.subject = made.subject
        person.photos.append(made.photo)
        person.templates[made.photo] = face

    async def add_photo(self) -> None:
        """Add a photo to somebody who is enrolled."""
        person = self._one(enrolled=True)
        if person and person.subject:
            await self._photo(person, Who(subject=person.subject, amends=True))

    async def erase(self) -> None:
        """Erase somebody; from the first step on nobody finds them, whatever becomes of the rest."""
        person = self._one(enrolled=True)
        if person and person.subject:
            await self._erase(person)

    async def _erase(self, person: Person) -> None:
        """Erase somebody who is enrolled, or of whom an attempt to erase them may have worked."""
        sure, person.enrolled = person.enrolled, None
        try:
            await self.site.gate(self.site.house.eraser.subject(self.gallery, person.subject, ASKER))
        except UnknownSubject:
            assert not sure, f"the acknowledged person {person.number} is not known"
        except Refusal as refusal:
            if str(refusal) == BEGUN:
                person.enrolled = False
            raise
        person.enrolled = False

    async def erase_photo(self) -> None:
        """Erase one of somebody's photos."""
        person = self._one(enrolled=True)
        if person and person.subject and len(person.photos) > 1:
            photo = person.photos.pop()
            await self.site.gate(self.site.house.eraser.photo(self.gallery, person.subject, photo, ASKER))

    async def search(self) -> None:
        """Look for some people in one picture; each answer must be right for who they were all the while."""
        people = [*self.people, Person(-1, self.site.sight.person(), None)]
        people = self.dice.sample(people, min(len(people), self.dice.choice((1, 1, 2, 5))))
        before = [(person.enrolled, person.subject) for person in people]
        begun = self._hour()
        found = await checks.seen(self.site, self.gallery, people)
        self._spent(begun, len(people))
        for person, was, is_found in zip(people, before, found, strict=True):
            if was == (person.enrolled, person.subject) and person.enrolled is not None:
                assert is_found == ({person.subject} if person.enrolled else set()), f"person {person.number}"

    def _spent(self, begun: int, probes: int) -> None:
        """Count answered probes, unless the hour has changed meanwhile."""
        if begun == self._hour():
            self.answered[begun] += probes
            assert self.answered[begun] <= PROBES_PER_HOUR, "more probes were answered than the budget has"

    async def curious(self) -> None:
        """Look for people again and again, until the budget of the hour is spent."""
        for _ in range(PROBES_PER_HOUR):
            with contextlib.suppress(PartDown, ExchangeAborted):
                await self.search()

    async def verify(self) -> None:
        """Ask whether somebody is who they are."""
        person = self._one(enrolled=True)
        if person is None or person.subject is None:
            return
        image = self.site.sight.picture(person.face)
        begun = self._hour()
        verdict = await self.site.gate(self.site.house.verifier.verify(self.gallery, person.subject, image, ASKER))
        self._spent(begun, 1)
        assert verdict.same or not person.enrolled, f"person {person.number} is not the same"

    async def name(self) -> None:
        """Look somebody's name up, both ways."""
        person = self._one(enrolled=True)
        if person is None or person.subject is None or person.reference is None:
            return
        labels = await self.site.gate(self.site.house.fields.labels(self.gallery, [person.subject], ASKER))
        if person.enrolled:
            assert labels == {person.subject: person.reference}, f"person {person.number} has another name"

    async def refresh(self) -> None:
        """Give every row new halves."""
        await self.site.ask(Role.VAULT_A, "refresh", gallery=self.gallery.id)

    async def scrub(self) -> None:
        """Read everything again from both disks; nothing is damaged by what happens here."""
        told = await self.site.ask(Role.VAULT_A, "scrub", gallery=self.gallery.id)
        assert [one["found"] for one in told["galleries"]] == [0], "a scrub found damaged rows"

    async def back_up(self) -> None:
        """Back up a part."""
        await self._back_up(self.dice.choice(COPIED))

    async def _back_up(self, role: Role) -> None:
        """Back up a part, and remember who was enrolled before and after."""
        before = self._enrolled()
        copy = await self.copies.take(role, before)
        after = self._enrolled()
        for number in [number for number in before if after.get(number) != before[number]]:
            del copy.people[number]

    def _enrolled(self) -> dict[int, tuple[Any, tuple[Any, ...]]]:
        """Say who is enrolled for sure, as whom, with which photos."""
        return {one.number: (one.subject, tuple(one.photos)) for one in self.people if one.enrolled and one.subject}

    async def tidy(self) -> None:
        """Do what the gate does by itself every half minute, and what it does every ten minutes."""
        if self.dice.random() < 0.5:
            self.site.house.settler._swept = float("-inf")
        await self.site.gate(self.site.house.settle())
        await self.site.gate(self.site.house.retention.sweep())

    async def fuss(self) -> None:
        """Enrol somebody while the gate sweeps all the time."""
        enrolling = asyncio.ensure_future(self.enrol())
        try:
            while not enrolling.done():
                self.site.house.settler._swept = float("-inf")
                with contextlib.suppress(Refusal):
                    await self.site.gate(self.site.house.settle())
                await asyncio.sleep(self.dice.uniform(0, 0.002))
            await enrolling
        finally:
            enrolling.cancel()
            await asyncio.gather(enrolling, return_exceptions=True)

    async def replay(self) -> None:
        """Say again, over a new link, what a warrant allowed once."""
        heard = [said for said in self.site.fabric.said if said.answers]
        if heard:
            said = self.dice.choice(heard[-20:])
            accepted = await self.site.say_again(said)
            assert accepted is not True, f"a replayed {said.kind.name} was accepted"

    def _hour(self) -> int:
        """Give the hour of vault A's clock."""
        return int(self.site.now(Role.VAULT_A) // HOUR)

    def _one(self, *, enrolled: bool | None = None) -> Person | None:
        """Pick a person, of those that were acknowledged and not erased where `enrolled` says so."""
        some = [p for p in self.people if enrolled is None or p.enrolled is enrolled]
        return self.dice.choice(some) if some else None
