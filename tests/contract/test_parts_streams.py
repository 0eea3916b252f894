"""Large questions over streams: answered alike, altered by nobody unnoticed, ended for good when their asker goes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from forged_faces import filled
from moiety.foundation.errors import ExchangeAborted, PartDown, Refusal
from moiety.mint.dealer import Dealer
from moiety.vault import comparison, exchange
from moiety.vault.sitting import Sitting
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer
from streamed_site import ABORTED, altering, ask, flip, without_stock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from moiety.vault.comparison import Half
    from parts_in_process import InProcess


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcess]:
    async with without_stock(tmp_path, monkeypatch) as made:
        yield made


async def calm(site: InProcess) -> None:
    """Wait until no question is under way at B, and its threads have nothing to do."""
    async with asyncio.timeout(5):
        while site.vault_b._answering._sessions or any(  # noqa: ASYNC110 - threads tell nobody
            thread.is_alive() for thread in busy(site)
        ):
            await asyncio.sleep(0.01)


def busy(site: InProcess) -> list[Any]:
    streams = site.servers[Role.VAULT_B]._streams
    assert streams
    exchange_a: Any = site.vault_a._asking
    idle = len(exchange_a._streams._idle)
    threads = list(streams._threads)
    return threads if len(threads) > idle else []


# ---- answers ----


async def test_large_questions_are_answered_as_small_ones_are(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, persons = await filled(site, 5)
    by_streams = [await site.found(gallery, person) for person in persons]
    assert all(len(found) == 1 for found in by_streams)
    monkeypatch.setattr(exchange, "LARGE_WORDS", 1 << 20)
    assert [await site.found(gallery, person) for person in persons] == by_streams
    assert await ask(site, gallery) == [Answer, Answer]


async def test_many_chunks_and_many_questions_at_once(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "CHUNK_WORDS", 1)
    gallery, persons = await filled(site, 3)
    right = [await site.found(gallery, person) for person in persons]
    found = await asyncio.gather(*(site.found(gallery, person) for person in persons * 4))
    assert found == right * 4
    assert await asyncio.gather(*(ask(site, gallery) for _ in range(3))) == [[Answer, Answer]] * 3
    streams = site.servers[Role.VAULT_B]._streams
    assert streams
    assert len(streams._threads) <= exchange.CHUNKS_AT_ONCE


# ---- altered on the way ----


async def test_one_flipped_bit_anywhere_ends_it(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, persons = await filled(site)
    for number in (0, 1, 7, 14):
        for sort in (0, 1):
            with monkeypatch.context() as patched:
                altering(patched, number, sort, flip)
                assert await ask(site, gallery) == ABORTED, (number, sort)
    assert len(await site.found(gallery, persons[0])) == 1


async def test_with_the_check_off_a_flipped_bit_changes_answers(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the comparison the same alteration goes unnoticed and the answers are wrong."""
    gallery, persons = await filled(site, 5)
    right = [await site.found(gallery, person) for person in persons]
    monkeypatch.setattr(exchange, "agree", lambda *_: None)
    assert [await site.found(gallery, person) for person in persons] == right
    altering(monkeypatch, 14, 0, lambda raw: bytes(byte ^ 0xFF for byte in raw))
    assert [await site.found(gallery, person) for person in persons] != right


@pytest.mark.parametrize("sort", [0, 1], ids=["A", "B"])
@pytest.mark.parametrize("alter", [lambda raw: raw[:-8], lambda raw: raw + bytes(8), lambda _: b""], ids=range(3))
async def test_a_message_of_another_size_ends_it_at_once(
    site: InProcess, sort: int, alter: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, persons = await filled(site)
    began = time.monotonic()
    with monkeypatch.context() as patched:
        altering(patched, 3, sort, alter)
        assert ExchangeAborted in await ask(site, gallery)
    assert time.monotonic() - began < 5
    await calm(site)
    assert len(await site.found(gallery, persons[0])) == 1


def open_stream(streams: Any, meta: dict[str, Any]) -> None:
    with streams.lent() as link:
        link.send(Frame(Kind.STREAM, meta=meta))
        link.receive()


@pytest.mark.parametrize("meta", [{}, {"chunk": -1}, {"chunk": 99}, {"chunk": 0}], ids=str)
async def test_a_stream_for_no_chunk_of_a_question_is_refused(
    site: InProcess, meta: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request, another chunk, or one that was begun before."""
    gallery, _ = await filled(site, 1)
    told: list[Refusal] = []
    real = exchange.Asking._in_thread

    def twice(self: Any, streams: Any, request: str, sitting: Sitting, index: int) -> None:
        real(self, streams, request, sitting, index)
        asked = {"request": request, **meta} if meta else {"request": "another", "chunk": 0}
        with pytest.raises(ExchangeAborted) as caught:
            open_stream(streams, asked)
        told.append(caught.value)

    monkeypatch.setattr(exchange.Asking, "_in_thread", twice)
    await ask(site, gallery)
    assert [str(one) for one in told] in (["There is no such chunk."], ["There is no such session."])


# ---- who goes away ----


async def test_a_gate_that_goes_away_ends_the_question_at_both(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, persons = await filled(site)
    slow = Sitting.fill

    def fill(self: Sitting, index: int, half: Half) -> None:
        time.sleep(1.0)
        slow(self, index, half)

    with monkeypatch.context() as patched:
        patched.setattr(Sitting, "fill", fill)
        asked = asyncio.create_task(ask(site, gallery))
        await asyncio.sleep(0.4)
        await site.restart_gate()
        assert await asked == [PartDown, PartDown]
        await calm(site)
    assert len(await site.found(gallery, persons[0])) == 1


@pytest.mark.parametrize("role", [Role.VAULT_A, Role.VAULT_B, Role.MINT])
async def test_a_part_that_goes_away_ends_the_question_at_the_other(
    site: InProcess, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, persons = await filled(site)
    slow = Dealer._make if role is Role.MINT else Sitting.fill

    def slowly(self: Any, *given: Any) -> None:
        time.sleep(1.0)
        slow(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Dealer if role is Role.MINT else Sitting, slow.__name__, slowly)
        asked = asyncio.create_task(ask(site, gallery))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        await site.stop(role)
        assert set(await asked) <= {PartDown, ExchangeAborted}
        assert time.monotonic() - began < 5
    await site.start(role)
    assert len(await site.found(gallery, persons[0])) == 1
