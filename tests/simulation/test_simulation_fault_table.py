"""What breaks x whether it had taken effect x what must be true after: every question of an enrolment, search, erasure.

Each line of the table spoils one question of an act once. The act may fail; nothing may be half done, the same act must
succeed when it is asked again, and no answer may be wrong.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.errors import DuplicatePhoto, Refusal, UnknownSubject
from moiety.people.enrol import Who
from moiety.wire.kinds import Kind, Role
from parts_in_process import ASKER, InProcess
from simulated_site import FATES, Run, Weather

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

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
    (A, Kind.BANDS),
    (B, Kind.BANDS),
    (A, Kind.ROWS),
]
ERASURE = [(A, Kind.ERASE), (B, Kind.ERASE)]
UNDOING = [(A, Kind.ABORT), (B, Kind.ABORT), (B, Kind.FORGET)]


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    dice = random.Random(1)  # noqa: S311 - a run that can be repeated
    weather = Weather(dice)
    weather.install(monkeypatch)
    async with InProcess(tmp_path) as site:
        yield Run(site, await site.gallery(), dice, weather)


async def clean(run: Run) -> None:
    """Settle what is left, and find no half of anything."""
    assert run.weather.armed is None, "the spoilt question was never asked: the table is out of date"
    await run.site.house.settle()
    await run.site.quiet()
    run.check_rows()
    run.check_keys()


async def spoil(fate: str, act: Awaitable[object]) -> None:
    """Do the act with the spoilt question in it; a link that is cut may have been cut too late to matter."""
    if fate == "cut":
        with suppress(Refusal):
            await act
    else:
        with pytest.raises(Refusal):
            await act


@pytest.mark.parametrize("fate", FATES)
async def test_enrolment(run: Run, fate: str) -> None:
    site, gallery = run.site, run.gallery
    for number, spoilt in enumerate([*ENROLMENT, *DECIDED]):
        face = site.sight.person()
        image = site.sight.picture(face, cosine=0.99)
        who = Who(reference=f"person {number}", fields={"phone": "0123"})
        run.weather.armed = (*spoilt, fate)
        await spoil(fate, site.house.enroller.enrol(gallery, image, who, ASKER))
        await clean(run)
        decided = bool(await site.found(gallery, face))
        assert decided == (spoilt in DECIDED) or fate == "cut", spoilt
        try:
            await site.house.enroller.enrol(gallery, image, who, ASKER)
        except DuplicatePhoto:
            assert decided
        (subject,) = await site.found(gallery, face)
        told = await site.house.fields.reveal(gallery, [(subject, "phone"), (subject, "reference")], ASKER)
        assert set(told.values()) == {"0123", f"person {number}"}
        await clean(run)


@pytest.mark.parametrize("fate", FATES)
async def test_undoing_an_enrolment(run: Run, fate: str) -> None:
    """The enrolment fails, and so does taking it back; the next act in the gallery takes it back first."""
    site, gallery = run.site, run.gallery
    for spoilt in UNDOING:
        face = site.sight.person()
        image = site.sight.picture(face, cosine=0.99)
        run.weather.armed = (B, Kind.PREPARE, "after")
        run.weather.then = (*spoilt, fate)
        await spoil("before", site.house.enroller.enrol(gallery, image, Who(reference="somebody"), ASKER))
        assert await site.found(gallery, face) == set()
        await clean(run)
        await site.house.enroller.enrol(gallery, image, Who(reference="somebody"), ASKER)
        (subject,) = await site.found(gallery, face)
        await site.house.eraser.subject(gallery, subject, ASKER)
        await clean(run)


@pytest.mark.parametrize("fate", FATES)
async def test_search(run: Run, fate: str) -> None:
    site, gallery = run.site, run.gallery
    face = site.sight.person()
    subject = (await site.enrol(gallery, face)).subject
    await site.enrol(gallery, site.sight.person())
    for spoilt in SEARCH:
        if spoilt[1] is Kind.HELLO:
            await site.restart(B)
        if spoilt[1] is Kind.ROWS:
            await site.restart_gate()
        run.weather.armed = (*spoilt, fate)
        await spoil(fate, site.found(gallery, face))
        assert await site.found(gallery, face) == {subject}
        assert (await site.house.verifier.verify(gallery, subject, site.sight.picture(face), ASKER)).same
    await clean(run)


@pytest.mark.parametrize("fate", FATES)
async def test_erasure(run: Run, fate: str) -> None:
    site, gallery = run.site, run.gallery
    for spoilt in ERASURE:
        face = site.sight.person()
        subject = (await site.enrol(gallery, face, Who(reference="somebody"))).subject
        await site.enrol(gallery, face, Who(subject=subject))
        run.weather.armed = (*spoilt, fate)
        await spoil(fate, site.house.eraser.subject(gallery, subject, ASKER))
        # Nobody finds them from now on, although a vault may not have heard of it.
        assert await site.found(gallery, face) == set()
        with pytest.raises(UnknownSubject):
            await site.house.verifier.verify(gallery, subject, site.sight.picture(face), ASKER)
        await clean(run)
        assert await site.found(gallery, face) == set()
