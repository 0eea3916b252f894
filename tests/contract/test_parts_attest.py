"""Attestation and scrub over real links: a row that was damaged or altered anywhere is in no answer, and is named."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety.foundation.errors import Busy, ExchangeAborted, PartDown, Unavailable
from moiety.matching.verify import DAMAGED
from moiety.people.enrol import Who
from moiety.vault import attest, upkeep
from moiety.vault.seed_records import RECORD_BYTES, SEALED_BYTES
from moiety.vault.seeds import SeedStore
from moiety.wire.kinds import Kind, Role
from parts_in_process import ASKER, DIM, InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from moiety.people.enrol import Enrolled
    from moiety.storage import Gallery
    from moiety.vault.cabinet import Cabinet

VAULTS = (Role.VAULT_A, Role.VAULT_B)
PEOPLE = 5


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as made:
        yield made


class Crowd:
    """A gallery of some people, and who of them is in answers."""

    def __init__(self, site: InProcess, gallery: Gallery) -> None:
        self.site, self.gallery = site, gallery
        self.faces: list[Any] = []
        self.enrolled: list[Enrolled] = []

    @classmethod
    async def of(cls, site: InProcess) -> Crowd:
        made = cls(site, await site.gallery())
        for _ in range(PEOPLE):
            made.faces.append(site.sight.person())
            made.enrolled.append(await site.enrol(made.gallery, made.faces[-1]))
        return made

    def cabinet(self, role: Role) -> Cabinet:
        return self.site.vault(role)._cabinet

    def row(self, number: int) -> bytes:
        with self.site.store.read() as tx:
            return bytes(tx.templates.get(self.enrolled[number].photo).row_id)

    def slot(self, role: Role, number: int) -> int:
        query = "SELECT slot FROM row WHERE row_id = ?"
        slot: int = self.cabinet(role)._journal.read(query, (self.row(number),))[0][0]
        return slot

    def excluded(self) -> list[set[int]]:
        numbers = {self.row(number): number for number in range(PEOPLE)}
        return [{numbers[row] for row in self.cabinet(role).excluded(self.gallery.id)} for role in VAULTS]

    async def settled(self) -> None:
        """Ask until the gallery answers: the first questions may find something out."""
        for _ in range(3):
            try:
                await self.site.found(self.gallery, self.site.sight.person())
            except (ExchangeAborted, Busy):
                continue
            return
        pytest.fail("the gallery does not come back")

    async def check(self, without: set[int]) -> None:
        """Everybody is found but those whose half is damaged, and both vaults have the same out."""
        await self.settled()
        assert self.excluded() == [without, without]
        for number, face in enumerate(self.faces):
            self.site.clock.move(600)
            found = await self.site.found(self.gallery, face)
            assert found == (set() if number in without else {self.enrolled[number].subject}), number
        orders = [self.cabinet(role).shelf(self.gallery.id).order_digest() for role in VAULTS]
        assert orders[0] == orders[1]

    async def turn_b(self) -> None:
        """Let a day go by at B: seeds lie in a file then."""
        store = self.cabinet(Role.VAULT_B)._halves
        assert isinstance(store, SeedStore)
        await asyncio.to_thread(store.turn, self.cabinet(Role.VAULT_B).generation(self.gallery.id))

    def file(self, role: Role, sort: str) -> Path:
        folder = self.site.installation.folder(role) / ("rows" if role is Role.VAULT_A else "seeds")
        (found,) = [path for path in folder.iterdir() if path.name.endswith(sort)]
        return found

    def alter(self, role: Role, sort: str, at: int) -> None:
        """Turn one bit of a file round."""
        with self.file(role, sort).open("r+b") as file:
            file.seek(at)
            (byte,) = file.read(1)
            file.seek(at)
            file.write(bytes([byte ^ 1]))


def _row(crowd: Crowd, number: int) -> tuple[Role, str, int]:
    return Role.VAULT_A, "rows", crowd.slot(Role.VAULT_A, number) * 2 * DIM + 17


def _salt(crowd: Crowd, number: int) -> tuple[Role, str, int]:
    return Role.VAULT_A, "salts", crowd.slot(Role.VAULT_A, number) * 32 + 5


def _commitment_at_a(crowd: Crowd, number: int) -> tuple[Role, str, int]:
    return Role.VAULT_A, "commitments", crowd.slot(Role.VAULT_A, number) * 32


def _seed(crowd: Crowd, number: int) -> tuple[Role, str, int]:
    return Role.VAULT_B, "seeds", crowd.slot(Role.VAULT_B, number) * RECORD_BYTES + 20


def _commitment_at_b(crowd: Crowd, number: int) -> tuple[Role, str, int]:
    return Role.VAULT_B, "seeds", crowd.slot(Role.VAULT_B, number) * RECORD_BYTES + SEALED_BYTES + 3


WHAT = {where.__name__.strip("_"): where for where in (_row, _salt, _commitment_at_a, _seed, _commitment_at_b)}


@pytest.mark.parametrize("where", WHAT.values(), ids=WHAT.keys())
@pytest.mark.parametrize("when", ["while it is stopped", "while it runs"])
async def test_what_was_altered_is_excluded_at_both_and_named_and_nobody_else(
    site: InProcess,
    caplog: pytest.LogCaptureFixture,
    where: Callable[[Crowd, int], tuple[Role, str, int]],
    when: str,
) -> None:
    crowd = await Crowd.of(site)
    await crowd.turn_b()
    await crowd.check(set())
    role, sort, at = where(crowd, 2)
    if when == "while it runs":
        crowd.alter(role, sort, at)
        # Memory is right: nobody notices before the scrub, and its answers are right until then.
        await crowd.check(set())
        assert (await site.upkeep.scrub(crowd.gallery.id)).excluded == [crowd.row(2)]
    else:
        await site.stop(role)
        crowd.alter(role, sort, at)
        await site.start(role)
    await crowd.check({2})
    assert crowd.row(2).hex() in caplog.text
    told = await site.upkeep.words()["upkeep"]({"gallery": crowd.gallery.id})
    assert told["galleries"][0]["excluded"] == [crowd.row(2).hex()]
    state = await site.links.b.call(Kind.STATE, {"gallery": crowd.gallery.id})
    assert state.meta["excluded"] == [crowd.row(2).hex()]
    for restarted in VAULTS:
        await site.restart(restarted)
    await crowd.check({2})


async def test_a_victims_row_under_an_intruders_photo_never_becomes_a_hit(site: InProcess) -> None:
    """Write access to A and a photo of the victim move the victim's template onto the intruder, where nobody looks."""
    crowd = await Crowd.of(site)
    await crowd.check(set())
    intruder = site.sight.person()
    await site.enrol(crowd.gallery, intruder)
    a = crowd.cabinet(Role.VAULT_A).shelf(crowd.gallery.id)
    b = crowd.cabinet(Role.VAULT_B).shelf(crowd.gallery.id)
    victim = list(map(bytes, a.ids)).index(crowd.row(1))
    templates = a.lanes + b.lanes
    moved = (a.lanes[victim] - templates[victim] + templates[-1]).astype(np.uint16)
    slot = crowd.slot(Role.VAULT_A, 1)
    await site.stop(Role.VAULT_A)
    with crowd.file(Role.VAULT_A, "rows").open("r+b") as file:
        file.seek(slot * 2 * DIM)
        file.write(moved.tobytes())
    await site.start(Role.VAULT_A)
    await crowd.settled()
    found = await site.found(crowd.gallery, intruder)
    assert crowd.enrolled[1].subject not in found
    assert len(found) == 1
    assert crowd.excluded() == [{1}, {1}]


async def test_the_control_of_the_last_one(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """With attestation off the same change makes the intruder the victim."""
    monkeypatch.setattr(upkeep.Upkeep, "ready", _nothing)
    monkeypatch.setattr(attest.Attesting, "attest", _nothing)
    crowd = await Crowd.of(site)
    intruder = site.sight.person()
    await site.enrol(crowd.gallery, intruder)
    a = crowd.cabinet(Role.VAULT_A).shelf(crowd.gallery.id)
    b = crowd.cabinet(Role.VAULT_B).shelf(crowd.gallery.id)
    victim = list(map(bytes, a.ids)).index(crowd.row(1))
    templates = a.lanes + b.lanes
    a._lanes[victim] = a.lanes[victim] - templates[victim] + templates[-1]
    assert crowd.enrolled[1].subject in await site.found(crowd.gallery, intruder)


async def _nothing(*_: object, **__: object) -> None:
    """Attest nothing."""


async def test_a_gallery_answers_only_after_it_was_attested(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = await Crowd.of(site)
    monkeypatch.setattr(upkeep, "PATIENCE_SECONDS", 0.2)
    go_on = asyncio.Event()
    real = attest.Attesting.attest

    async def slowly(self: attest.Attesting, gallery: str, *, files: bool) -> attest.Attested:
        await go_on.wait()
        return await real(self, gallery, files=files)

    monkeypatch.setattr(attest.Attesting, "attest", slowly)
    await site.restart(Role.VAULT_A)
    with pytest.raises(Busy, match="attested"):
        await site.found(crowd.gallery, crowd.faces[0])
    go_on.set()
    await crowd.check(set())


async def test_while_b_is_away_the_refusal_says_so(site: InProcess) -> None:
    crowd = await Crowd.of(site)
    await site.stop(Role.VAULT_B)
    await site.restart(Role.VAULT_A)
    with pytest.raises(PartDown, match="vault-b"):
        await site.found(crowd.gallery, crowd.faces[0])
    with pytest.raises(PartDown, match="vault-b"):
        await site.upkeep.scrub(crowd.gallery.id)
    await site.start(Role.VAULT_B)
    await crowd.check(set())


async def test_a_crash_between_the_two_exclusions_is_made_good(site: InProcess) -> None:
    crowd = await Crowd.of(site)
    await crowd.check(set())
    # B has excluded, A has not heard of it; then A has excluded, and B has not.
    for number, role in enumerate(VAULTS[::-1]):
        crowd.cabinet(role).exclude(crowd.gallery.id, [crowd.row(number)])
        await crowd.check(set(range(number + 1)))
    for role in VAULTS:
        await site.restart(role)
    await crowd.check({0, 1})


async def test_a_refresh_carries_over_nothing_that_is_excluded(site: InProcess) -> None:
    crowd = await Crowd.of(site)
    await crowd.turn_b()
    role, sort, at = _seed(crowd, 3)
    await site.stop(role)
    crowd.alter(role, sort, at)
    await site.start(role)
    assert (await site.upkeep.refresh(crowd.gallery.id)).rows == PEOPLE - 1
    await crowd.check({3})
    for restarted in VAULTS:
        await site.restart(restarted)
    await crowd.check({3})


async def test_a_refresh_does_not_launder_a_row_that_was_altered(site: InProcess) -> None:
    """New commitments would hide the change: so a refresh attests first what was not attested since its load."""
    crowd = await Crowd.of(site)
    role, sort, at = _row(crowd, 4)
    await site.stop(role)
    crowd.alter(role, sort, at)
    await site.start(role)
    assert (await site.upkeep.refresh(crowd.gallery.id)).rows == PEOPLE - 1
    await crowd.check({4})


# ---- the gate ----


async def test_an_excluded_row_breaks_nothing_for_others_and_tells_nothing_false(site: InProcess) -> None:
    crowd = await Crowd.of(site)
    gallery, house = crowd.gallery, site.house
    second = await site.enrol(gallery, crowd.faces[1], Who(subject=crowd.enrolled[1].subject), cosine=0.98)
    role, sort, at = _row(crowd, 0)
    other = crowd.slot(Role.VAULT_A, 2)
    await site.stop(role)
    crowd.alter(role, sort, at)
    with crowd.file(role, sort).open("r+b") as file:
        file.seek(other * 2 * DIM)
        file.write(bytes(2 * DIM))
    await site.start(role)
    await crowd.settled()
    assert crowd.excluded() == [{0, 2}, {0, 2}]

    async def same(number: int) -> bool:
        picture = site.sight.picture(crowd.faces[number])
        return (await house.verifier.verify(gallery, crowd.enrolled[number].subject, picture, ASKER)).same

    assert await same(1)
    assert await same(3)
    # No answer is better than a false one.
    with pytest.raises(Unavailable, match=DAMAGED):
        await same(0)
    photos = {number: await house.directory.photos(gallery, crowd.enrolled[number].subject) for number in (0, 1)}
    assert [photo.excluded for photo in photos[0]] == [True]
    assert {photo.id: photo.excluded for photo in photos[1]} == {crowd.enrolled[1].photo: False, second.photo: False}
    # A new photo makes the person whole again; the damaged one can be erased like any other.
    await site.enrol(gallery, crowd.faces[0], Who(subject=crowd.enrolled[0].subject), cosine=0.97)
    assert await same(0)
    assert await site.found(gallery, crowd.faces[0]) == {crowd.enrolled[0].subject}
    await house.eraser.photo(gallery, crowd.enrolled[0].subject, crowd.enrolled[0].photo, ASKER)
    await house.eraser.subject(gallery, crowd.enrolled[2].subject, ASKER)
    assert crowd.cabinet(Role.VAULT_A).excluded(gallery.id) == []
    assert crowd.cabinet(Role.VAULT_B).excluded(gallery.id) == []
    assert await same(0)


async def test_canaries_that_were_damaged_ring_no_alarm_for_ever(site: InProcess) -> None:
    crowd = await Crowd.of(site)
    await site.house.canaries.plant(crowd.gallery, 2)
    assert await site.house.canaries.check(crowd.gallery)
    with site.store.read() as tx:
        rows = [bytes(canary.row_id) for canary in tx.canaries.searchable(crowd.gallery.id)]
    for role in VAULTS:
        crowd.cabinet(role).exclude(crowd.gallery.id, rows)
    assert await site.house.canaries.check(crowd.gallery)
