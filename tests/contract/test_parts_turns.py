"""Turns at a gallery: a question keeps rows still only while both vaults work on it, however it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from moiety.foundation.errors import Unavailable
from moiety.vault import answering
from moiety.vault.turns import Changes, Turns
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client
from parts_in_process import InProcess

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_question_whose_a_went_away_keeps_b_still_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "SILENCE_SECONDS", 0.3)
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        person = site.sight.person()
        await site.enrol(gallery, person)
        assert await site.found(gallery, person)
        reached, never = asyncio.Event(), asyncio.Event()
        real = Client.call

        async def call(line: Client, kind: Kind, *given: Any, **named: Any) -> Answer:
            if kind is Kind.ROUND:
                reached.set()
                await never.wait()
            return await real(line, kind, *given, **named)

        with monkeypatch.context() as patched:
            patched.setattr(Client, "call", call)
            asked = asyncio.create_task(site.found(gallery, person))
            await reached.wait()
            turns = site.vault_b._turns
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), turns.alone(gallery.id):
                    pass
            async with asyncio.timeout(5), turns.alone(gallery.id):
                pass
            await site.stop(Role.VAULT_A)
            with pytest.raises(Unavailable):
                await asked
        await site.start(Role.VAULT_A)
        assert await site.found(gallery, person)


async def test_many_search_and_one_alone_changes_in_the_order_of_their_coming() -> None:
    turns, seen = Turns(), []
    go_on = asyncio.Event()

    async def search(name: str) -> None:
        async with turns.shared("gal"):
            seen.append(f"{name} in")
            await go_on.wait()
            seen.append(f"{name} out")

    async def change() -> None:
        async with turns.alone("gal"):
            seen.append("change")

    tasks = [asyncio.create_task(search("one")), asyncio.create_task(search("two"))]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(change()))
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(search("late")))
    async with turns.shared("other"):
        await asyncio.sleep(0.01)
    assert seen == ["one in", "two in"]
    go_on.set()
    await asyncio.gather(*tasks)
    assert seen == ["one in", "two in", "one out", "two out", "change", "late in", "late out"]


async def test_whoever_gives_up_waiting_leaves_nothing_behind() -> None:
    turns = Turns()
    async with turns.shared("gal"):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), turns.alone("gal"):
                    pass
    async with asyncio.timeout(1), turns.alone("gal"):
        pass


async def test_a_hold_lets_some_changes_through_and_says_how_long_the_others_wait() -> None:
    changes = Changes()
    with changes.held("gal") as hold:
        async with changes.one("gal"):
            pass
        now = asyncio.get_running_loop().time()
        assert hold.seconds_left(now) == 10
        hold.part, hold.began = 0.25, now - 5
        assert hold.seconds_left(now) == 15
        waiting = asyncio.create_task(_one(changes))
        await asyncio.sleep(0.01)
        assert not waiting.done()
    await waiting


async def _one(changes: Changes) -> None:
    async with changes.one("gal", held_back=True):
        pass
