"""Each other part is killed at each step of an enrolment and of an erasure; the gate lives on, or restarts too."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from guests import ENROLMENT, ERASURE, ME, Guests, Step, at_step
from harness import OTHERS, Site
from moiety.foundation.errors import DuplicatePhoto, PartDown, Refusal, Unavailable, UnknownSubject
from moiety.people.enrol import IN_DOUBT
from moiety.people.erase import BEGUN
from moiety.wire import network
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from moiety.cli.samples import Samples
    from moiety.people.house import House
    from moiety.storage import Gallery
    from moiety.wire.links import Answer

pytestmark = pytest.mark.slow

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
            self.patch.setattr(network, "CONNECT_SECONDS", 0.3)

    def mend(self) -> None:
        """Start again what was killed."""
        self.site.restart_all(self.victims)
        self.patch.undo()

    def put_on(self, house: House) -> None:
        """Lie in wait at the step of a gate."""
        at_step(house, self.step, self._around)

    async def _around(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        self.done = True
        if self.when == "before":
            self.kill()
            return await call()
        asked = asyncio.ensure_future(call())
        if self.when == "during":
            await asyncio.sleep(DURING_SECONDS)
            self.kill()
            return await asked
        await asked
        self.kill()
        raise PartDown(f"{self.step[1]} went away.")


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory, photos: Samples) -> Iterator[Guests]:
    """Run eye, vaults and mint; the gate is played here."""
    with Site(tmp_path_factory.mktemp("guests") / "data", OTHERS) as site:
        yield asyncio.run(Guests.move_in(site, photos))


def _cases(steps: tuple[Step, ...]) -> list[Any]:
    """Give every part at every step, and the vault that is asked also during its work and when its answer is lost."""
    everybody = [(Role.VAULT_A,), (Role.VAULT_B,), BYSTANDERS]
    cases = [(step, victims, "before") for step in steps for victims in everybody]
    # What goes to both vaults goes to them at once: for those who are not asked it is one step.
    twice = {(kind, Role.VAULT_B) for kind in (Kind.PREPARE, Kind.COMMIT, Kind.ERASE)}
    cases = [case for case in cases if case[1] is not BYSTANDERS or case[0] not in twice]
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
    house, gallery = await guests.enter()
    cut = Cut(guests.site, victims, step, when, monkeypatch)
    cut.put_on(house)
    refused = None
    try:
        await guests.enrol(house, gallery)
    except Unavailable as refusal:
        refused = refusal
    house, gallery = await _after(guests, house, cut)
    there = await guests.check(house, gallery)
    # From the gate's decision on the person is enrolled, even if the answer says that a part is away,
    # and then the answer says so.
    assert there == (refused is None or str(refused) == IN_DOUBT)
    # A part killed during its work may have answered before, and be missed at a later step only.
    assert when == "during" or there == (refused is None or step[0] is Kind.COMMIT)
    if victims is BYSTANDERS:
        assert (refused is not None) == (step[0] in {Kind.BLIND, Kind.TEMPLATE})
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
    house, gallery = await guests.enter()
    subject = await guests.enrol(house, gallery)
    cut = Cut(guests.site, victims, step, when, monkeypatch)
    cut.put_on(house)
    refusal: Refusal | None = None
    try:
        await house.eraser.subject(gallery, subject, ME)
    except PartDown as down:
        refusal = down
    assert (refusal is not None) == (victims is not BYSTANDERS) or when == "during"
    assert refusal is None or str(refusal) == BEGUN
    with pytest.raises(UnknownSubject):
        await house.directory.subject(gallery, subject)
    house, gallery = await _after(guests, house, cut)
    assert not await guests.check(house, gallery)
    await guests.close(house)
