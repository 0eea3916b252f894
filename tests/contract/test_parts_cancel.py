"""An enrolment that is cut short leaves nobody half-enrolled and takes nothing from anybody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.errors import DuplicatePhoto, PartDown
from moiety.people.enrol import Who
from moiety.wire.kinds import Role
from parts_in_process import ASKER, InProcess

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_asker_who_goes_away_leaves_nobody_half_enrolled(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        await site.enrol(gallery, site.sight.person())
        people = []
        for steps in range(0, 60, 4):
            person = site.sight.person()
            image = site.sight.picture(person)
            asked = asyncio.create_task(site.house.enroller.enrol(gallery, image, Who(), ASKER))
            for _ in range(steps):
                await asyncio.sleep(0.0005)
            asked.cancel()
            with suppress(asyncio.CancelledError):
                await asked
            people.append((person, image))
        await asyncio.sleep(0.5)
        await site.quiet()
        await site.house.settle()
        for person, image in people:
            # Whether the cancelled one was carried out or never begun, a second try leaves exactly one.
            with suppress(DuplicatePhoto):
                await site.house.enroller.enrol(gallery, image, Who(), ASKER)
            assert len(await site.found(gallery, person)) == 1
        orders = {site.vault(role)._cabinet.shelf(gallery.id).order_digest() for role in (Role.VAULT_A, Role.VAULT_B)}
        assert len(orders) == 1
        assert len(site.vault(Role.VAULT_A)._cabinet.shelf(gallery.id)) == len(people) + 1
        with site.store.read() as tx:
            assert tx.intents.pending() == ()


async def test_the_work_goes_on_when_the_asker_goes_away(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        person = site.sight.person()
        image = site.sight.picture(person)
        asked = asyncio.create_task(site.house.enroller.enrol(gallery, image, Who(), ASKER))
        while not site.house.settler._in_hand:  # noqa: ASYNC110 - the settler tells nobody
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        while site.house.settler._in_hand:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        assert len(await site.found(gallery, person)) == 1


async def test_a_failed_second_photo_takes_no_field_from_its_subject(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        person = site.sight.person()
        subject = (await site.enrol(gallery, person)).subject
        await site.house.fields.put(gallery, subject, {"note": "left-handed"}, ASKER)
        await site.stop(Role.VAULT_A)
        with pytest.raises(PartDown):
            await site.enrol(gallery, person, Who(subject=subject), cosine=0.97)
        await site.start(Role.VAULT_A)
        await site.house.settle()
        assert await site.house.fields.reveal(gallery, [(subject, "note")], ASKER) == {(subject, "note"): "left-handed"}
        assert await site.found(gallery, person) == {subject}
