"""What breaks x whether it had taken effect x what must be true after: every question of an enrolment, search, erasure.

Each line of the table spoils one question of an act once. The act may fail; nothing may be half done, the same act must
succeed when it is asked again, and no answer may be wrong.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import simulated_checks as checks
from moiety.foundation.errors import DuplicatePhoto, Refusal, UnknownSubject
from moiety.people.enrol import Who
from moiety.wire.kinds import Kind, Role
from parts_in_process import ASKER
from simulated_acts import Person
from simulated_net import FATES
from simulated_parts import lay_out
from simulated_time import seeded
from simulated_world import World, undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    Row = Callable[[World, str], Coroutine[Any, Any, None]]

A, B, EYE, MINT = Role.VAULT_A, Role.VAULT_B, Role.EYE, Role.MINT
ENROLMENT = [(B, Kind.BLIND), (EYE, Kind.TEMPLATE), (B, Kind.WRAP), *((half, Kind.PREPARE) for half in (A, B))]
DECIDED = [(A, Kind.COMMIT), (B, Kind.COMMIT)]
SEARCH = [
    (EYE, Kind.PROBE),
    (A, Kind.SEARCH),
    (B, Kind.SEARCH),
    (B, Kind.HELLO),
    (B, Kind.BEGIN),
    (B, Kind.ROUND),
    (B, Kind.FINISH),
    (MINT, Kind.DEAL),
    (MINT, Kind.DEAL_AHEAD),
    (A, Kind.BANDS),
    (B, Kind.BANDS),
    (A, Kind.ROWS),
]
# Asked by or of a vault B that has just been started: later it knows vault A, and has words in stock.
NEW_AT_B = {Kind.HELLO, Kind.DEAL}
ERASURE = [(A, Kind.ERASE), (B, Kind.ERASE)]
UNDOING = [(A, Kind.ABORT), (B, Kind.ABORT), (B, Kind.FORGET)]
# Whoever asked is told; with the others the link may break, or time out, too late to matter.
CERTAIN = {"before", "after"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Give a template and a place to run."""
    base = tmp_path_factory.mktemp("table")
    lay_out(base / "template")
    with undisturbed():
        yield base / "template", base


@pytest.fixture
def world(folders: tuple[Path, Path], request: pytest.FixtureRequest) -> Iterator[World]:
    """Give a site of good weather."""
    with seeded(1):
        yield World(1, folders[0], folders[1] / request.node.name)


def live(world: World, row: Row, fate: str) -> None:
    """Open a gallery and go through one part of the table."""

    async def life() -> None:
        await world.site.revive()
        await world.life.open()
        await row(world, fate)

    world.live(life())
    assert world.complaints == []


def enrol(world: World, image: bytes, who: Who) -> Coroutine[Any, Any, Any]:
    """Let the gate enrol a photo."""
    house = world.site.house
    return world.site.gate(house.enroller.enrol(world.life.gallery, image, who, ASKER))


async def found(world: World, face: Any) -> set[Any]:
    """Say whom the gallery takes a face for; a link that broke unheard breaks with the first word."""
    world.site.loop.suspend(3600.0)
    await asyncio.sleep(1.0)
    (seen,) = await checks.seen_at_last(world.site, world.life.gallery, [Person(0, face, None)])
    return seen


async def clean(world: World) -> None:
    """Settle what is left, and find no half of anything."""
    assert world.weather.armed is None, "the spoilt question was never asked: the table is out of date"
    await world.life.wait(660.0)
    await world.life.settled()
    checks.check_rows(world.site, world.life.gallery)
    checks.check_keys(world.site, world.life.gallery)


async def spoil(fate: str, act: Coroutine[Any, Any, object]) -> None:
    """Do the act with the spoilt question in it."""
    if fate in CERTAIN:
        with pytest.raises(Refusal):
            await act
    else:
        with suppress(Refusal):
            await act


def still_armed(world: World) -> bool:
    """Say whether the spoilt question has not been asked yet."""
    return world.weather.armed is not None


async def enrolment(world: World, fate: str) -> None:
    site, gallery = world.site, world.life.gallery
    for number, spoilt in enumerate([*ENROLMENT, *DECIDED]):
        face = site.sight.person()
        image = site.sight.picture(face, cosine=0.99)
        who = Who(reference=f"person {number}", fields={"phone": "0123"})
        world.weather.armed = (*spoilt, fate)
        await spoil(fate, enrol(world, image, who))
        await clean(world)
        decided = bool(await found(world, face))
        assert decided == (spoilt in DECIDED) or fate not in CERTAIN, spoilt
        try:
            await enrol(world, image, who)
        except DuplicatePhoto:
            assert decided
        (subject,) = await found(world, face)
        asked = [(subject, "phone"), (subject, "reference")]
        told = await site.gate(site.house.fields.reveal(gallery, asked, ASKER))
        assert set(told.values()) == {"0123", f"person {number}"}
        await clean(world)


async def undoing(world: World, fate: str) -> None:
    # The enrolment fails, and so does taking it back; the next act in the gallery takes it back first.
    site, gallery = world.site, world.life.gallery
    for spoilt in UNDOING:
        face = site.sight.person()
        image = site.sight.picture(face, cosine=0.99)
        world.weather.armed = (B, Kind.PREPARE, "after")
        world.weather.then = (*spoilt, fate)
        await spoil("before", enrol(world, image, Who(reference="somebody")))
        await clean(world)
        assert await found(world, face) == set()
        await enrol(world, image, Who(reference="somebody"))
        (subject,) = await found(world, face)
        await site.gate(site.house.eraser.subject(gallery, subject, ASKER))
        await clean(world)


async def search(world: World, fate: str) -> None:
    site, gallery = world.site, world.life.gallery
    face = site.sight.person()
    subject = (await enrol(world, site.sight.picture(face, cosine=0.999), Who())).subject
    await enrol(world, site.sight.picture(site.sight.person(), cosine=0.999), Who())
    for spoilt in SEARCH:
        if spoilt[1] in NEW_AT_B:
            site.kill(B)
        if spoilt[1] is Kind.ROWS:
            site.kill(Role.GATE)
        await site.revive()
        await asyncio.sleep(1.0)
        if spoilt[1] not in NEW_AT_B:
            await world.life.settled()
        world.weather.armed = (*spoilt, fate)
        # The first search may find no more than a broken link; what is dealt ahead is asked for behind an answer.
        while still_armed(world):
            await spoil(
                "" if spoilt[1] is Kind.DEAL_AHEAD else fate, checks.seen(site, gallery, [Person(0, face, None)])
            )
            await asyncio.sleep(1.0)
        assert await found(world, face) == {subject}, spoilt
        verdict = await site.gate(site.house.verifier.verify(gallery, subject, site.sight.picture(face), ASKER))
        assert verdict.same
    await clean(world)


async def erasure(world: World, fate: str) -> None:
    site, gallery = world.site, world.life.gallery
    for spoilt in ERASURE:
        face = site.sight.person()
        subject = (await enrol(world, site.sight.picture(face, cosine=0.999), Who(reference="somebody"))).subject
        await enrol(world, site.sight.picture(face, cosine=0.999), Who(subject=subject, amends=True))
        world.weather.armed = (*spoilt, fate)
        await spoil(fate, site.gate(site.house.eraser.subject(gallery, subject, ASKER)))
        # Nobody finds them from now on, although a vault may not have heard of it.
        assert await found(world, face) == set()
        image = site.sight.picture(face)
        with pytest.raises(UnknownSubject):
            await site.gate(site.house.verifier.verify(gallery, subject, image, ASKER))
        await clean(world)
        assert await found(world, face) == set()


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("row", [enrolment, undoing, search, erasure], ids=lambda row: row.__name__)
def test_what_is_spoilt_is_done_or_undone(world: World, row: Row, fate: str) -> None:
    live(world, row, fate)
