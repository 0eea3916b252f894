"""Batches over real links: one statement and one warrant for many templates, of which every one is checked."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from databases import BOTH
from moiety.cli.bench.importing import Entrance
from moiety.eye.halver import Halver, Setting
from moiety.eye.rotations import Rotations
from moiety.foundation.envelopes import seal_to, unseal_from
from moiety.foundation.errors import AlreadyThere, BadInput, OtherEpoch, WarrantRefused
from moiety.kernel import norm_sq
from moiety.storage.batches import Newcomer
from moiety.vault.policy import Needs
from moiety.warrants import batch as batches
from moiety.warrants.statement import Statement
from moiety.warrants.targets import sealing_bound
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind, Role
from parts_in_process import ASKER, DIM, InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from moiety.eye.halver import Sealed
    from moiety.storage import Gallery
    from moiety.vault.cabinet import Cabinet

pytestmark = BOTH
VAULTS = (Role.VAULT_A, Role.VAULT_B)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as made:
        yield made


def entrance(site: InProcess, gallery: Gallery) -> Entrance:
    at = site.place(Role.EYE)
    vaults = (at.sealing(Role.VAULT_A), at.sealing(Role.VAULT_B))
    return Entrance(site.house, gallery, Halver(Rotations(at.identity.keys), at.identity.signing, vaults, site.clock))


def halved(door: Entrance, faces: list[Any], epoch: int = 1) -> Sealed:
    gallery = door.gallery
    rotation, model = bytes.fromhex(gallery.rotation_id), bytes.fromhex(gallery.model_sha256)
    setting = Setting(door.house.desk.tenant, gallery.id, rotation, model, epoch)
    pictures = [os.urandom(32) for _ in faces]
    return door.halver.templates(setting, pictures, os.urandom(32), np.stack(faces))


def cabinets(site: InProcess) -> list[Cabinet]:
    return [site.vault(role)._cabinet for role in VAULTS]


async def test_a_batch_is_enrolled_as_one_by_one(site: InProcess) -> None:
    gallery = await site.gallery(templates_per_hour=1000)
    door = entrance(site, gallery)
    single = site.sight.person()
    await site.enrol(gallery, single)
    faces = [site.sight.person() for _ in range(40)]
    await door.enter_batch(halved(door, faces[:25]))
    await door.enter_batch(halved(door, faces[25:]))
    for number in (0, 24, 25, 39):
        assert len(await site.found(gallery, faces[number])) == 1
    assert len(await site.found(gallery, single)) == 1
    a, b = (cabinet.shelf(gallery.id) for cabinet in cabinets(site))
    assert a.row_ids == b.row_ids
    assert len(a) == 41
    joined = (a.lanes + b.lanes).view(np.int16)
    assert np.all(norm_sq(joined.astype(np.int8)) <= 127**2)
    assert len({one.tobytes() for one in joined}) == 41
    for role in VAULTS:
        await site.restart(role)
    assert len(await site.found(gallery, faces[30])) == 1
    assert (await site.upkeep.scrub(gallery.id)).excluded == []
    subject = next(iter(await site.found(gallery, faces[7])))
    await site.house.eraser.subject(gallery, subject, ASKER)
    assert await site.found(gallery, faces[7]) == set()


async def prepare(site: InProcess, door: Entrance, batch: Sealed, half: str = "ab") -> None:
    """Send a batch to one vault or both."""
    warrant = site.desk.warrant_for(Act.ENROL, door.gallery, batch.statement, ASKER)
    for line, sealed in ((site.links.a, batch.to_a), (site.links.b, batch.to_b)):
        if ("a" if line is site.links.a else "b") in half:
            buffers = [warrant, batch.statement, batch.signature, sealed]
            await line.call(Kind.PREPARE, {"gallery": door.gallery.id}, buffers)


def rows(site: InProcess) -> int:
    return sum(len(cabinet._journal.read("SELECT 1 FROM row")) for cabinet in cabinets(site))


@pytest.mark.parametrize("half", ["a", "b"])
@pytest.mark.parametrize("what", ["a row", "an id", "two in another order", "one less", "half a row", "nothing"])
async def test_a_batch_of_which_anything_was_altered_is_refused_whole(site: InProcess, half: str, what: str) -> None:
    gallery = await site.gallery()
    door = entrance(site, gallery)
    batch = halved(door, [site.sight.person() for _ in range(5)])
    role = Role.VAULT_A if half == "a" else Role.VAULT_B
    size = 16 + 32 + (2 * DIM if half == "a" else 32)
    content = bytearray(_opened(site, batch, half))
    assert len(content) == 5 * size
    if what == "a row":
        content[3 * size + 16 + 40] ^= 1
    elif what == "an id":
        content[0] ^= 1
    elif what == "two in another order":
        content[:size], content[size : 2 * size] = content[size : 2 * size], content[:size]
    else:
        del content[{"one less": 4 * size, "half a row": 4 * size + size // 2, "nothing": 0}[what] :]
    bound = sealing_bound(half, _nonce(batch))
    sealed = seal_to(site.place(Role.GATE).sealing(role), bytes(content), bound)
    altered = replace(batch, **{f"to_{half}": sealed})
    with pytest.raises(WarrantRefused):
        await prepare(site, door, altered, half)
    assert rows(site) == 0


def _nonce(batch: Sealed) -> bytes:
    return Statement.decode(batch.statement).nonce


def _opened(site: InProcess, batch: Sealed, half: str) -> bytes:
    role = Role.VAULT_A if half == "a" else Role.VAULT_B
    sealed = batch.to_a if half == "a" else batch.to_b
    return unseal_from(site.place(role).identity.sealing, sealed, sealing_bound(half, _nonce(batch)))


async def test_a_batch_costs_as_much_as_it_has_templates(site: InProcess) -> None:
    gallery = await site.gallery(templates_per_hour=12)
    door = entrance(site, gallery)
    await prepare(site, door, halved(door, [site.sight.person() for _ in range(10)]))
    with pytest.raises(WarrantRefused):
        await prepare(site, door, halved(door, [site.sight.person() for _ in range(3)]))
    await prepare(site, door, halved(door, [site.sight.person() for _ in range(2)]))
    assert rows(site) == 24


async def test_a_batch_of_another_epoch_must_be_made_anew(site: InProcess) -> None:
    gallery = await site.gallery()
    door = entrance(site, gallery)
    with pytest.raises(OtherEpoch):
        await prepare(site, door, halved(door, [site.sight.person()], epoch=2))
    assert rows(site) == 0


async def test_where_people_sign_nobody_signs_for_a_batch(site: InProcess) -> None:
    gallery = await site.gallery()
    await site.put_policy(gallery.id, enrols=Needs.DEVICE)
    gallery = (await site.desk.terms(gallery, Act.ENROL)).gallery
    door = entrance(site, gallery)
    with pytest.raises(WarrantRefused):
        await prepare(site, door, halved(door, [site.sight.person()]))
    assert rows(site) == 0


async def test_too_many_rows_at_once_are_refused(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = await site.gallery()
    door = entrance(site, gallery)
    monkeypatch.setattr("moiety.vault.service.BATCH_MAX", 4)
    with pytest.raises(BadInput, match="At most 4"):
        await prepare(site, door, halved(door, [site.sight.person() for _ in range(5)]))
    assert batches.BATCH_MAX == 4096


async def test_the_gate_enters_a_batch_whole_or_not_at_all(site: InProcess) -> None:
    gallery = await site.gallery()
    door = entrance(site, gallery)
    await door.enter_batch(halved(door, [site.sight.person() for _ in range(3)]))
    with site.store.read() as tx:
        (known, *_) = tx.subjects.page(gallery.id)
        before = tx.templates.count(gallery.id)
    people = [Newcomer(f"sub_{i}", f"pho_{i}", os.urandom(16), b"b", os.urandom(32)) for i in range(3)]  # type: ignore[arg-type]  # ids are strings
    people.append(replace(people[0], subject_id=known.id))
    with pytest.raises(AlreadyThere), site.store.begin() as tx:
        tx.batches.enter(gallery.id, people)
    with site.store.begin() as tx:
        assert tx.templates.count(gallery.id) == before
        places = tx.batches.enter(gallery.id, people[:3])
    assert [seq for _, seq in places] == [4, 5, 6]
