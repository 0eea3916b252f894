"""One vault's own disk is full from a certain step on; when there is room again, the person is whole or not there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from guests import ENROLMENT, ERASURE, ME, Guests, Step, at_step
from harness import OTHERS, Site
from moiety.cli import installation
from moiety.foundation.errors import Refusal, Unavailable
from moiety.people.enrol import IN_DOUBT
from moiety.wire.kinds import Kind, Role
from small_disks import SmallDisk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from moiety.cli.samples import Samples
    from moiety.people.house import House
    from moiety.wire.links import Answer

pytestmark = pytest.mark.slow

VAULTS = (Role.VAULT_A, Role.VAULT_B)
# All that a vault writes in an enrolment; the eye writes nothing.
WRITES = tuple(step for step in ENROLMENT if step[1] in VAULTS)


@pytest.fixture(scope="module")
def disks(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[installation.Installation, dict[Role, SmallDisk]]]:
    """Give a new installation whose vaults have a small disk each."""
    made = installation.create(tmp_path_factory.mktemp("disks") / "data")
    found = {role: SmallDisk(made.folder(role), [role]) for role in VAULTS}
    yield made, found
    for disk in found.values():
        disk.close()


@pytest.fixture(scope="module")
def guests(disks: tuple[installation.Installation, dict[Role, SmallDisk]], photos: Samples) -> Iterator[Guests]:
    """Run eye, vaults and mint; the gate is played here."""
    with Site(disks[0].data, OTHERS) as site:
        yield asyncio.run(Guests.move_in(site, photos))


def _fill_at(house: House, step: Step, disk: SmallDisk, site: Site) -> None:
    """Fill the disk right before a message."""

    async def around(call: Callable[[], Awaitable[Answer]]) -> Answer:
        disk.fill(site)
        return await call()

    at_step(house, step, around)


def _id(step: Step) -> str:
    return f"{step[0].name}-at-{step[1]}"


@pytest.mark.parametrize("step", WRITES, ids=_id)
async def test_an_enrolment_for_which_there_is_no_room(
    guests: Guests, disks: tuple[installation.Installation, dict[Role, SmallDisk]], step: Step
) -> None:
    disk = disks[1][step[1]]
    house, gallery = guests.house()
    # A gate that has just started settles first, which writes at the vaults: let it do that while there is room.
    await house.settle()
    _fill_at(house, step, disk, guests.site)
    try:
        with pytest.raises(Unavailable) as refused:
            await guests.enrol(house, gallery)
        assert refused.value.slug in disk.codes
    finally:
        disk.free(guests.site)
    there = await guests.check(house, gallery)
    assert there == (step[0] is Kind.COMMIT)
    assert (str(refused.value) == IN_DOUBT) == there
    if not there:
        await guests.enrol(house, gallery)
        assert await guests.check(house, gallery)
    (subject,) = await guests.who(house, gallery)
    await house.eraser.subject(gallery, subject, ME)  # type: ignore[arg-type]  # ids are strings
    assert not await guests.check(house, gallery)
    await guests.close(house)


@pytest.mark.parametrize("step", ERASURE, ids=_id)
async def test_an_erasure_for_which_there_is_no_room(
    guests: Guests, disks: tuple[installation.Installation, dict[Role, SmallDisk]], step: Step
) -> None:
    disk = disks[1][step[1]]
    house, gallery = guests.house()
    subject = await guests.enrol(house, gallery)
    _fill_at(house, step, disk, guests.site)
    try:
        with pytest.raises(Unavailable) as refused:
            await house.eraser.subject(gallery, subject, ME)
        assert refused.value.slug in disk.codes
    finally:
        disk.free(guests.site)
    assert not await guests.check(house, gallery)
    await guests.close(house)


@pytest.mark.parametrize("role", VAULTS)
async def test_a_question_for_which_there_is_no_room(
    guests: Guests, disks: tuple[installation.Installation, dict[Role, SmallDisk]], role: Role
) -> None:
    """A vault that cannot write down that a nonce is used does not answer."""
    disk = disks[1][role]
    house, gallery = guests.house()
    await guests.who(house, gallery)
    disk.fill(guests.site)
    try:
        with pytest.raises(Refusal) as refused:
            await guests.who(house, gallery)
        assert isinstance(refused.value, Unavailable)
    finally:
        disk.free(guests.site)
    assert not await guests.check(house, gallery)
    await guests.close(house)
