"""Refresh over real links: all halves change, all answers stay, and what is sent stands in no file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from forged_faces import filled
from moiety.foundation.errors import Busy, PartDown
from moiety.vault import refresh, turns
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client
from parts_in_process import ASKER, InProcess
from refreshed_site import VAULTS, Pause, all_found, cabinet, epochs, files, held, templates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as made:
        yield made


async def test_all_halves_change_and_all_answers_stay(site: InProcess) -> None:
    gallery, persons = await filled(site, 4)
    before, lanes = templates(site, gallery), [cabinet(site, r).shelf(gallery.id).lanes.copy() for r in VAULTS]
    done = await site.upkeep.refresh(gallery.id)
    assert (done.epoch, done.rows) == (2, 4)
    assert epochs(site, gallery) == [2, 2]
    assert held(site, gallery) == [[2], [2]]
    assert np.array_equal(templates(site, gallery), before)
    for role, old in zip(VAULTS, lanes, strict=True):
        new = cabinet(site, role).shelf(gallery.id).lanes
        assert np.mean(new == old) < 0.01, role
    assert await all_found(site, gallery, persons)
    for role in VAULTS:
        await site.restart(role)
        assert await all_found(site, gallery, persons)
    assert np.array_equal(templates(site, gallery), before)
    assert {name.split(".")[1] for name in files(site, Role.VAULT_A)} == {"2"}
    assert {name.split(".")[1] for name in files(site, Role.VAULT_B)} == {"2"}
    keys = [name for name in site.installation.ring(Role.VAULT_B).names() if name.startswith(f"store-{gallery.id}")]
    assert keys == [f"store-{gallery.id}.2.1.key"]


async def test_a_gallery_goes_on_after_many_refreshes(site: InProcess) -> None:
    gallery, persons = await filled(site, 2)
    for number in range(2, 6):
        assert (await site.upkeep.refresh(gallery.id)).epoch == number
        person = site.sight.person()
        made = await site.enrol(gallery, person)
        persons.append(person)
        assert await all_found(site, gallery, persons)
        if number == 4:
            await site.house.eraser.subject(gallery, made.subject, ASKER)
            assert await site.found(gallery, persons.pop()) == set()
    assert len(cabinet(site, Role.VAULT_B).shelf(gallery.id)) == 5


async def test_an_empty_gallery_is_refreshed_too(site: InProcess) -> None:
    gallery = await site.gallery()
    assert (await site.upkeep.refresh(gallery.id)).epoch == 2
    person = site.sight.person()
    await site.enrol(gallery, person)
    assert await all_found(site, gallery, [person])


# ---- while it goes on ----


@pytest.mark.parametrize(
    "kind",
    [Kind.REFRESH_BEGIN, Kind.REFRESH_PULL, Kind.REFRESH_PUSH, Kind.REFRESH_COMMIT, Kind.REFRESH_DROP],
    ids=lambda kind: kind.name,
)
async def test_searches_go_on_at_every_step(site: InProcess, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    gallery, persons = await filled(site, 4)
    pause = Pause(monkeypatch, kind)
    refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
    await pause.reached.wait()
    assert await all_found(site, gallery, persons)
    pause.go_on.set()
    await refreshing
    assert await all_found(site, gallery, persons)


async def test_searches_go_on_between_the_two_switches(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """B has decided and A has not followed yet: A names the old epoch, and B still answers for it."""
    gallery, persons = await filled(site, 4)
    reached, go_on = asyncio.Event(), asyncio.Event()
    real = refresh.Refreshing._switch

    async def switch(self: Any, made: Any) -> None:
        reached.set()
        await go_on.wait()
        await real(self, made)

    monkeypatch.setattr(refresh.Refreshing, "_switch", switch)
    refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
    await reached.wait()
    assert epochs(site, gallery) == [1, 2]
    assert await all_found(site, gallery, persons)
    go_on.set()
    await refreshing
    assert epochs(site, gallery) == [2, 2]


async def test_searches_without_a_pause_all_answer_while_refreshes_run(site: InProcess) -> None:
    """The clock stands still: moved on by one search, it would leave the other's warrant too old."""
    gallery, persons = await filled(site, 3)
    asked = 0

    async def search() -> None:
        nonlocal asked
        while not refreshing.done():
            assert len(await site.found(gallery, persons[asked % 3])) == 1
            asked += 1

    async def refresh_often() -> None:
        for _ in range(4):
            await site.upkeep.refresh(gallery.id)

    refreshing = asyncio.create_task(refresh_often())
    await asyncio.gather(search(), search(), refreshing)
    assert asked >= 4
    assert epochs(site, gallery) == [5, 5]


async def test_an_enrolment_that_met_a_refresh_is_made_anew(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, persons = await filled(site, 2)
    pause = Pause(monkeypatch, Kind.REFRESH_COMMIT)
    refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
    await pause.reached.wait()
    person = site.sight.person()
    enrolling = asyncio.create_task(site.enrol(gallery, person))
    await asyncio.sleep(0.2)
    assert not enrolling.done()
    pause.go_on.set()
    await refreshing
    await enrolling
    assert await all_found(site, gallery, [*persons, person])


async def test_a_refresh_that_takes_long_sends_changes_away_and_keeps_nobody_from_searching(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, persons = await filled(site, 2)
    subject = next(iter(await site.found(gallery, persons[0])))
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.05)
    pause = Pause(monkeypatch, Kind.REFRESH_COMMIT)
    refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
    await pause.reached.wait()
    fresh = site.sight.person()
    with pytest.raises(Busy, match=r"try again in \d+ s"):
        await site.enrol(gallery, fresh)
    with pytest.raises(Busy):
        await site.house.eraser.subject(gallery, subject, ASKER)
    # Whoever is being erased is in no answer from the first moment on.
    assert await site.found(gallery, persons[0]) == set()
    assert len(await site.found(gallery, persons[1])) == 1
    pause.go_on.set()
    await refreshing
    await site.enrol(gallery, fresh)
    assert await all_found(site, gallery, [persons[1], fresh])
    assert len(cabinet(site, Role.VAULT_A).shelf(gallery.id)) == 2


async def test_a_row_that_was_prepared_before_is_committed_meanwhile_or_after(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, persons = await filled(site, 2)
    commit, renew = Pause(monkeypatch, Kind.COMMIT), Pause(monkeypatch, Kind.REFRESH_PULL)
    person = site.sight.person()
    enrolling = asyncio.create_task(site.enrol(gallery, person))
    await commit.reached.wait()
    refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
    await renew.reached.wait()
    commit.go_on.set()
    await enrolling
    assert epochs(site, gallery) == [1, 1]
    assert await all_found(site, gallery, [*persons, person])
    renew.go_on.set()
    await refreshing
    assert await all_found(site, gallery, [*persons, person])
    for role in VAULTS:
        await site.restart(role)
    assert await all_found(site, gallery, [*persons, person])


async def test_a_refresh_that_is_given_up_while_it_is_decided_leaves_one_whole_epoch(site: InProcess) -> None:
    gallery, persons = await filled(site, 2)
    turns_at_b = site.vault_b._turns
    async with turns_at_b.shared(gallery.id):
        refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
        while not turns_at_b._turns[gallery.id].entry.locked():  # noqa: ASYNC110 - B decides, and waits for its turn
            await asyncio.sleep(0.01)
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)
        # The next question finds the refresh still under way at B, and gives it up.
        asking = asyncio.create_task(site.found(gallery, persons[0]))
        await asyncio.sleep(0.2)
    await asyncio.gather(asking, return_exceptions=True)
    for _ in range(2):
        assert await all_found(site, gallery, persons)
        assert epochs(site, gallery) == [2, 2]
        assert held(site, gallery) == [[2], [2]]
        await site.restart(Role.VAULT_B)


async def test_a_row_that_only_one_vault_has_prepared_is_not_carried_over(site: InProcess) -> None:
    gallery, persons = await filled(site, 2)
    real, seen = Client.call, []

    async def call(line: Client, kind: Kind, *given: Any, **named: Any) -> Answer:
        if kind is Kind.PREPARE and line._role is Role.VAULT_B:
            seen.append(kind)
            raise PartDown("kept from vault B")
        if kind is Kind.ABORT:
            raise PartDown("kept from both")
        return await real(line, kind, *given, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Client, "call", call)
        with pytest.raises(PartDown):
            await site.enrol(gallery, site.sight.person())
        await asyncio.sleep(0.2)
        assert seen
        await site.upkeep.refresh(gallery.id)
    assert await all_found(site, gallery, persons)
    assert len(cabinet(site, Role.VAULT_A)._journal.read("SELECT 1 FROM row")) == 2


# ---- what stands on disk ----


async def test_differences_stand_in_no_file(
    site: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    gallery, persons = await filled(site, 4)
    real, deltas = Client.call, []

    async def call(line: Client, kind: Kind, *given: Any, **named: Any) -> Answer:
        answer = await real(line, kind, *given, **named)
        if kind is Kind.REFRESH_PULL:
            deltas.append(bytes(answer.buffers[0]))
        return answer

    monkeypatch.setattr(Client, "call", call)
    pause = Pause(monkeypatch, Kind.REFRESH_COMMIT)
    refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
    await pause.reached.wait()
    stand_nowhere(deltas, tmp_path)
    pause.go_on.set()
    await refreshing
    stand_nowhere(deltas, tmp_path)
    assert sum(map(len, deltas)) == len(persons) * 128 * 2
    assert not any(delta.hex()[:16] in caplog.text for delta in deltas)


def stand_nowhere(deltas: list[bytes], folder: Path) -> None:
    """Look for eight neighbouring numbers of each difference in every file."""
    pieces = {delta[at : at + 16] for delta in deltas for at in range(0, len(delta), 64)}
    assert len(pieces) > 8
    looked_at = 0
    for path in folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            looked_at += len(raw)
            assert not any(piece in raw for piece in pieces), path.name
    assert looked_at > 10_000
