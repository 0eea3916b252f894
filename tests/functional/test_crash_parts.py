"""Each other part is killed at each step of an enrolment and of an erasure; the gate lives on, or restarts too.

The gate's services run in this process over real links to the real processes, so that the step is exact.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harness import OTHERS, Site
from moiety.foundation.errors import DuplicatePhoto, PartDown, Refusal, Unavailable, UnknownSubject
from moiety.matching.desk import Asker
from moiety.matching.galleries import NewGallery
from moiety.people.enrol import Who
from moiety.wire import links
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moiety.cli.samples import Samples
    from moiety.foundation.ids import SubjectId
    from moiety.people.house import House
    from moiety.storage import Gallery
    from moiety.wire.frames import Buffer
    from moiety.wire.links import Answer, Client

pytestmark = pytest.mark.slow

ME = Asker("owner", "a test of crashes")
Step = tuple[Kind, Role]
ENROLMENT: tuple[Step, ...] = (
    (Kind.BLIND, Role.VAULT_B),
    (Kind.TEMPLATE, Role.EYE),
    (Kind.WRAP, Role.VAULT_B),
    (Kind.PREPARE, Role.VAULT_A),
    (Kind.PREPARE, Role.VAULT_B),
    (Kind.COMMIT, Role.VAULT_A),
    (Kind.COMMIT, Role.VAULT_B),
)
ERASURE: tuple[Step, ...] = ((Kind.ERASE, Role.VAULT_A), (Kind.ERASE, Role.VAULT_B))
DURING_SECONDS = 0.004
# They have no memory, and after the measurement no step needs them: they die together.
BYSTANDERS = (Role.EYE, Role.MINT)


@dataclass
class Cut:
    """Kills parts at a step: before the message is sent, while it is worked on, or when the answer was on its way."""

    site: Site
    victims: tuple[Role, ...]
    step: Step
    when: str
    patch: pytest.MonkeyPatch
    done: bool = False

    def kill(self) -> None:
        """Cut the power."""
        for victim in self.victims:
            self.site.kill(victim)
        if self.victims is not BYSTANDERS or self.step[1] is Role.EYE:
            # The supervisor keeps a dead part's socket: asking it takes as long as a connection may take.
            self.patch.setattr(links, "CONNECT_SECONDS", 0.3)

    def mend(self) -> None:
        """Start again what was killed."""
        self.site.restart_all(self.victims)
        self.patch.undo()

    def put_on(self, house: House) -> None:
        """Watch the messages of a gate."""
        lines = house.desk.links
        for role, line in ((Role.EYE, lines.eye), (Role.VAULT_A, lines.a), (Role.VAULT_B, lines.b)):
            self._watch(role, line)

    def _watch(self, role: Role, line: Client) -> None:
        call = line.call

        async def watched(
            kind: Kind, meta: dict[str, Any], buffers: Sequence[Buffer] = (), seconds: float = links.CALL_SECONDS
        ) -> Answer:
            if self.done or (kind, role) != self.step:
                return await call(kind, meta, buffers, seconds)
            self.done = True
            if self.when == "before":
                self.kill()
                return await call(kind, meta, buffers, seconds)
            asked = asyncio.ensure_future(call(kind, meta, buffers, seconds))
            if self.when == "during":
                await asyncio.sleep(DURING_SECONDS)
                self.kill()
                return await asked
            await asked
            self.kill()
            raise PartDown(f"{role} went away.")

        line.call = watched  # type: ignore[method-assign]  # the step is put around the real call


@dataclass
class Guests:
    """One gallery of an installation without a gate, in which one person lives and another comes and goes."""

    site: Site
    gallery: str
    photo: bytes
    other: bytes

    def house(self) -> tuple[House, Gallery]:
        """Be a gate that has just started."""
        made = self.site.house()
        return made, made.desk.gallery(self.gallery)

    async def close(self, house: House) -> None:
        """End a gate."""
        lines = house.desk.links
        for line in (lines.eye, lines.a, lines.b, lines.mint):
            await line.close()
        house.desk.store.close()

    async def enrol(self, house: House, gallery: Gallery) -> SubjectId:
        who = Who(reference="guest", fields={"room": "12"})
        return (await house.enroller.enrol(gallery, self.photo, who, ME)).subject

    async def who(self, house: House, gallery: Gallery) -> list[str]:
        """Say who of the gallery is in the guest's other photo."""
        answers = await house.identifier.identify(gallery, self.other, ME)
        return [candidate.subject for candidate in answers[0].candidates]

    async def check(self, house: House, gallery: Gallery) -> bool:
        """Check that the guest is all there or not at all; says which."""
        found = await self.who(house, gallery)
        self.site.holding().check_whole()
        assert self.site.holding().people == 1 + len(found)
        assert await house.fields.find(gallery, "guest") == (found[0] if found else None)
        for subject in found:
            names = [(subject, "reference"), (subject, "room")]
            opened = await house.fields.reveal(gallery, names, ME)  # type: ignore[arg-type]  # ids are strings
            assert list(opened.values()) == ["guest", "12"]
        return bool(found)


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory, photos: Samples) -> Iterator[Guests]:
    """Run eye, vaults and mint; the gate is played here."""
    with Site(tmp_path_factory.mktemp("guests") / "data", OTHERS) as site:
        known = Guests(site, "lobby", photos.enrol["Barack Obama"][0].read_bytes(), photos.probe.read_bytes())
        resident = photos.enrol["Joe Biden"][0].read_bytes()

        async def open_lobby() -> None:
            house = site.house()
            gallery = await house.galleries.create(NewGallery("lobby", "a lobby"), ME)
            await house.enroller.enrol(gallery, resident, Who(reference="resident"), ME)
            await known.close(house)

        asyncio.run(open_lobby())
        yield known


def _cases(steps: tuple[Step, ...]) -> list[Any]:
    """Give every part at every step, and the vault that is asked also during its work and when its answer is lost."""
    everybody = [(Role.VAULT_A,), (Role.VAULT_B,), BYSTANDERS]
    cases = [(step, victims, "before") for step in steps for victims in everybody]
    vaults = [step for step in steps if step[1] in {Role.VAULT_A, Role.VAULT_B}]
    cases += [(step, (step[1],), when) for step in vaults for when in ("during", "lost")]
    return [
        pytest.param(*case, id=f"{case[2]}-{case[0][0].name}-at-{case[0][1]}-kills-{'-and-'.join(case[1])}")
        for case in cases
    ]


async def _after(guests: Guests, house: House, cut: Cut) -> tuple[House, Gallery]:
    """Start what was killed; where the answer was lost, the gate starts anew as well."""
    assert cut.done
    cut.mend()
    if cut.when != "lost":
        return house, house.desk.gallery(guests.gallery)
    await guests.close(house)
    return guests.house()


@pytest.mark.parametrize(("step", "victims", "when"), _cases(ENROLMENT))
async def test_an_enrolment_during_which_a_part_dies_is_whole_or_nothing(
    guests: Guests, monkeypatch: pytest.MonkeyPatch, step: Step, victims: tuple[Role, ...], when: str
) -> None:
    house, gallery = guests.house()
    cut = Cut(guests.site, victims, step, when, monkeypatch)
    cut.put_on(house)
    refused = False
    try:
        await guests.enrol(house, gallery)
    except Unavailable:
        refused = True
    house, gallery = await _after(guests, house, cut)
    there = await guests.check(house, gallery)
    # From the gate's decision on the person is enrolled, even if the answer said that a part is away.
    assert there == (not refused or step[0] is Kind.COMMIT)
    if victims is BYSTANDERS:
        assert refused == (step[0] in {Kind.BLIND, Kind.TEMPLATE})
    if there:
        with pytest.raises(DuplicatePhoto):
            await guests.enrol(house, gallery)
    else:
        await guests.enrol(house, gallery)
    assert await guests.check(house, gallery)
    (subject,) = await guests.who(house, gallery)
    await house.eraser.subject(gallery, subject, ME)  # type: ignore[arg-type]  # ids are strings
    assert not await guests.check(house, gallery)
    await guests.close(house)


@pytest.mark.parametrize(("step", "victims", "when"), _cases(ERASURE))
async def test_an_erasure_during_which_a_part_dies_is_finished(
    guests: Guests, monkeypatch: pytest.MonkeyPatch, step: Step, victims: tuple[Role, ...], when: str
) -> None:
    house, gallery = guests.house()
    subject = await guests.enrol(house, gallery)
    cut = Cut(guests.site, victims, step, when, monkeypatch)
    cut.put_on(house)
    refusal: Refusal | None = None
    try:
        await house.eraser.subject(gallery, subject, ME)
    except PartDown as down:
        refusal = down
    assert (refusal is not None) == (victims is not BYSTANDERS) or when == "during"
    with pytest.raises(UnknownSubject):
        await house.directory.subject(gallery, subject)
    house, gallery = await _after(guests, house, cut)
    assert not await guests.check(house, gallery)
    await guests.close(house)
