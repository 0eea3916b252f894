"""Words of the mint: for one question, enough, dealt ahead within bounds, and none dealt twice."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from forged_faces import Forger, filled, probe
from moiety.foundation.errors import ExchangeAborted
from moiety.mint.dealer import Dealer
from moiety.vault import comparison, dealings, exchange
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client
from moiety.wire.streams import StreamLink
from parts_in_process import InProcess
from streamed_site import ABORTED, altering, ask, dealer_of, flip, large, without_stock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcess]:
    async with without_stock(tmp_path, monkeypatch) as made:
        yield made


# ---- the mint ----


async def test_a_mint_that_replays_is_noticed(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, persons = await filled(site)
    real = Dealer._make

    def replay(self: Dealer, order: Any, gammas: Any) -> None:
        real(self, type(order)(bytes(32), 0, order.words), gammas)

    with monkeypatch.context() as patched:
        patched.setattr(Dealer, "_make", replay)
        outcomes = [await ask(site, gallery) for _ in range(2)]
        assert outcomes[-1] == ABORTED
    assert len(await site.found(gallery, persons[0])) == 1


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "link"])
@pytest.mark.parametrize("wrong", [{"sid": "00" * 32}, {"first": 8}, {}], ids=["sid", "first", "none"])
async def test_words_for_another_question_are_refused(
    site: InProcess,
    wrong: dict[str, Any],
    streamed: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not streamed:
        monkeypatch.setattr(exchange, "LARGE_WORDS", 1 << 20)
    gallery, _ = await filled(site)
    order = type(dealer_of(site)._order(Frame(Kind.DEAL, meta={"sid": "11" * 32, "first": 0, "words": 8})))
    honest = order.named
    monkeypatch.setattr(order, "named", lambda self: honest(self) | wrong if wrong else {})
    forger = Forger(site, gallery)
    faces = [forger.face(probe(1))]
    outcomes = await forger.each(faces, faces)
    assert all(isinstance(one, ExchangeAborted) for one in outcomes)
    assert "The mint dealt for another question." in [str(one) for one in outcomes]


async def test_too_few_words_are_refused(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, _ = await filled(site)
    real = StreamLink.send

    def send(self: StreamLink, frame: Frame) -> None:
        if frame.kind is Kind.DEAL and frame.buffers:
            frame = Frame(frame.kind, frame.sort, frame.id, frame.meta, [bytes(frame.buffers[0])[:-8]])
        real(self, frame)

    monkeypatch.setattr(StreamLink, "send", send)
    assert await ask(site, gallery) == ABORTED


# ---- words dealt ahead ----


class Watched:
    """What B asks of the mint."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead: list[dict[str, Any]] = []
        self.now: list[dict[str, Any]] = []
        real_call, real_send = Client.call, StreamLink.send

        async def call(line: Client, kind: Kind, meta: dict[str, Any], *more: Any) -> Answer:
            if kind in {Kind.DEAL, Kind.DEAL_AHEAD}:
                (self.now if kind is Kind.DEAL else self.ahead).append(meta)
            return await real_call(line, kind, meta, *more)

        def send(link: StreamLink, frame: Frame) -> None:
            if frame.kind is Kind.DEAL and not frame.buffers:
                self.now.append(frame.meta)
            real_send(link, frame)

        monkeypatch.setattr(Client, "call", call)
        monkeypatch.setattr(StreamLink, "send", send)

    def words(self) -> list[tuple[str, int]]:
        """Every word that was asked for, by sid and number."""
        return [(one["sid"], one["first"] + n) for one in self.ahead + self.now for n in range(one["words"])]


@pytest.fixture
async def stocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[InProcess, Watched]]:
    large(monkeypatch)
    monkeypatch.setattr(dealings, "IDLE_SECONDS", 0.0)
    watched = Watched(monkeypatch)
    async with InProcess(tmp_path) as site:
        yield site, watched


async def until(true: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


async def full(site: InProcess) -> None:
    """Wait until the stock is as it should be."""
    stock = site.vault_b._answering._dealings._stock
    await until(
        lambda: (
            len(stock) >= dealings.AHEAD_SIDS
            and all(one.settled and one.asked == one._words.shape[1] for one in stock.values())
        )
    )


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "link"])
async def test_words_dealt_ahead_are_used_and_none_is_dealt_twice(
    stocked: tuple[InProcess, Watched],
    streamed: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not streamed:
        monkeypatch.setattr(exchange, "LARGE_WORDS", 1 << 20)
    site, watched = stocked
    gallery, persons = await filled(site)
    right = [await site.found(gallery, person) for person in persons]
    await full(site)
    watched.now.clear()
    for _ in range(2):
        assert [await site.found(gallery, person) for person in persons] == right
        await full(site)
    assert watched.now == [], "everything was dealt ahead"
    assert watched.ahead
    # A larger question takes what there is ahead and asks for the rest, word by word once.
    for _ in range(2):
        assert await ask(site, gallery) == [Answer, Answer]
    await full(site)
    found = await asyncio.gather(*(site.found(gallery, person) for person in persons * 3))
    assert found == right * 3
    words = watched.words()
    assert len(words) == len(set(words))


async def test_a_question_right_behind_another_waits_for_what_is_on_its_way(
    stocked: tuple[InProcess, Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, watched = stocked
    gallery, persons = await filled(site)
    slow = Dealer._make

    def slowly(self: Any, *given: Any) -> None:
        time.sleep(0.05)
        slow(self, *given)

    monkeypatch.setattr(Dealer, "_make", slowly)
    for wait in (0.0, 0.02, 0.05, 0.08) * 2:
        assert len(await site.found(gallery, persons[0])) == 1
        await asyncio.sleep(wait)
    words = watched.words()
    assert len(words) == len(set(words))


async def test_what_was_dealt_ahead_of_an_aborted_or_skipped_question_is_burnt(
    stocked: tuple[InProcess, Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, watched = stocked
    gallery, persons = await filled(site)
    await site.found(gallery, persons[0])
    await full(site)
    before = set(site.vault_b._answering._dealings._stock)
    with monkeypatch.context() as patched:
        altering(patched, 2, 0, flip)
        assert await ask(site, gallery) == ABORTED
    await full(site)
    after = set(site.vault_b._answering._dealings._stock)
    assert len(before - after) == 1, "the sid of the aborted question"
    await site.restart(Role.VAULT_A)  # meets anew: none of the sids that were expected comes
    assert len(await site.found(gallery, persons[0])) == 1
    await full(site)
    assert not after & set(site.vault_b._answering._dealings._stock)
    assert len(await site.found(gallery, persons[0])) == 1
    words = watched.words()
    assert len(words) == len(set(words))


async def test_a_sid_for_which_there_is_no_room_any_more_is_burnt(stocked: tuple[InProcess, Watched]) -> None:
    site, watched = stocked
    gallery, persons = await filled(site)
    stock = site.vault_b._answering._dealings
    assert len(await site.found(gallery, persons[0])) == 1
    await full(site)
    expected = set(stock._stock)
    # Larger questions from now on: there is room for one sid only, and the others' words are let go.
    stock._stock_words = comparison.STREAM_STEP
    assert len(await site.found(gallery, persons[0])) == 1
    await until(lambda: len(stock._stock) <= 1)
    assert len(expected & set(stock._burnt)) >= 2
    # At once, one behind the other, before anything more is dealt ahead.
    for _ in range(4):
        assert await ask(site, gallery) == [Answer, Answer]
    words = watched.words()
    assert len(words) == len(set(words))


async def test_a_mint_that_is_away_while_nobody_asks_does_no_harm(
    stocked: tuple[InProcess, Watched], caplog: pytest.LogCaptureFixture
) -> None:
    site, _ = stocked
    gallery, persons = await filled(site)
    await site.found(gallery, persons[0])
    await full(site)
    await site.stop(Role.MINT)
    assert len(await site.found(gallery, persons[0])) == 1, "the words for it were there"
    await until(lambda: "the mint deals nothing ahead" in caplog.text)
    await site.start(Role.MINT)
    assert [await ask(site, gallery) for _ in range(6)] == [[Answer, Answer]] * 6


async def test_the_stock_keeps_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large(monkeypatch)
    monkeypatch.setattr(dealings, "IDLE_SECONDS", 0.0)
    for bound, sids in ((0, 0), (dealings.BYTES_A_WORD * 7, 0), (dealings.BYTES_A_WORD * 17, 2)):
        async with InProcess(tmp_path / str(bound)) as site:
            site.vault_b._answering._dealings._stock_words = bound // dealings.BYTES_A_WORD
            gallery, persons = await filled(site, 1)
            await site.found(gallery, persons[0])
            await asyncio.sleep(0.1)
            stock = site.vault_b._answering._dealings._stock
            assert len(stock) == sids
            assert sum(one._words.nbytes for one in stock.values()) <= bound
