"""Large questions over streams: answered alike, altered by nobody unnoticed, ended for good when their asker goes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from forged_faces import Forger
from moiety.foundation.errors import ExchangeAborted, PartDown, Refusal
from moiety.kernel import quantise
from moiety.mint.dealer import Dealer
from moiety.vault import comparison, dealings, exchange
from moiety.vault.sitting import Sitting
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client
from moiety.wire.streams import StreamLink
from parts_in_process import DIM, InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from moiety.storage import Gallery
    from moiety.vault.comparison import Half

ABORTED = [ExchangeAborted, ExchangeAborted]
BATCH = 6


@pytest.fixture(autouse=True)
def _every_question_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LARGE_WORDS", 0)
    monkeypatch.setattr(comparison, "CHUNK_WORDS", BATCH)
    monkeypatch.setattr(comparison, "SMALL_WORDS", 0)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcess]:
    monkeypatch.setenv("MOIETY_MINT_STOCK_MB", "0")
    async with InProcess(tmp_path) as made:
        yield made


def probe(seed: int) -> Any:
    drawn = np.random.default_rng(seed).standard_normal(DIM)
    return quantise((drawn / np.linalg.norm(drawn)).astype(np.float32))


async def filled(site: InProcess, people: int = 3) -> tuple[Gallery, list[Any]]:
    gallery = await site.gallery()
    persons = [site.sight.person() for _ in range(people)]
    for person in persons:
        await site.enrol(gallery, person)
    return gallery, persons


async def ask(site: InProcess, gallery: Gallery) -> list[type]:
    """Ask about a batch of probes; gives what came of it at both."""
    forger = Forger(site, gallery)
    faces = [forger.face(probe(seed)) for seed in range(BATCH)]
    return [type(one) for one in await forger.each(faces, faces)]


def dealer_of(site: InProcess) -> Dealer:
    found = getattr(site.servers[Role.MINT]._handlers[Kind.DEAL], "__self__", None)
    assert isinstance(found, Dealer)
    return found


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


def altering(monkeypatch: pytest.MonkeyPatch, number: int, sort: int, alter: Callable[[bytes], bytes]) -> None:
    """Alter what A (sort 0) or B (sort 1) sends in one round."""
    real = StreamLink.send

    def send(self: StreamLink, frame: Frame) -> None:
        if frame.kind is Kind.ROUND and (frame.id, frame.sort) == (number, sort):
            frame = Frame(frame.kind, frame.sort, frame.id, frame.meta, [alter(bytes(b)) for b in frame.buffers])
        real(self, frame)

    monkeypatch.setattr(StreamLink, "send", send)


def flip(raw: bytes) -> bytes:
    return bytes([raw[0] ^ 1]) + raw[1:]


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


@pytest.mark.parametrize("large", [True, False], ids=["stream", "link"])
@pytest.mark.parametrize("wrong", [{"sid": "00" * 32}, {"first": 8}, {}], ids=["sid", "first", "none"])
async def test_words_for_another_question_are_refused(
    site: InProcess,
    wrong: dict[str, Any],
    large: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not large:
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
    monkeypatch.setattr(dealings, "IDLE_SECONDS", 0.0)
    watched = Watched(monkeypatch)
    async with InProcess(tmp_path) as site:
        yield site, watched


async def full(site: InProcess) -> None:
    """Wait until the stock is as it should be."""
    found = site.vault_b._answering._dealings
    async with asyncio.timeout(5):
        while len(found._stock) < dealings.AHEAD_SIDS or not all(  # noqa: ASYNC110 - it tells nobody
            one.settled and one.asked == one._words.shape[1] for one in found._stock.values()
        ):
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("large", [True, False], ids=["stream", "link"])
async def test_words_dealt_ahead_are_used_and_none_is_dealt_twice(
    stocked: tuple[InProcess, Watched],
    large: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not large:
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


async def test_a_mint_that_is_away_while_nobody_asks_does_no_harm(
    stocked: tuple[InProcess, Watched], caplog: pytest.LogCaptureFixture
) -> None:
    site, _ = stocked
    gallery, persons = await filled(site)
    await site.found(gallery, persons[0])
    await full(site)
    await site.stop(Role.MINT)
    assert len(await site.found(gallery, persons[0])) == 1, "the words for it were there"
    async with asyncio.timeout(5):
        while "the mint deals nothing ahead" not in caplog.text:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    await site.start(Role.MINT)
    assert [await ask(site, gallery) for _ in range(6)] == [[Answer, Answer]] * 6


async def test_the_stock_keeps_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
