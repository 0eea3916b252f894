"""Links: who may ask what, and what happens when a peer breaks the rules, refuses or fails."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING, Any

import pytest

from moiety.foundation.errors import (
    DiskFull,
    Forbidden,
    Refusal,
    Unavailable,
    UnknownGallery,
    WarrantRefused,
    WireBroken,
    refusal_of,
    slugs,
)
from moiety.wire import frames
from moiety.wire.frames import HEADER, MAGIC, Frame, Sort, encode, read_frame
from moiety.wire.kinds import ALLOWED, Kind, Role, may
from moiety.wire.links import Answer
from town_in_process import Town, echo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Handler = Callable[[Frame], Awaitable[Answer]]

SECRET = "Ann Example, embedding [0.25, -0.5]"  # noqa: S105 - what must not be logged, not a password


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with Town(tmp_path) as made:
        yield made


def raising(error: BaseException) -> Handler:
    async def handler(_: Frame) -> Answer:
        raise error

    return handler


# ---- questions and answers ----


async def test_two_parts_that_know_each_other_talk(town: Town) -> None:
    await town.serve({Kind.SEARCH: echo})
    client = town.client()
    answer = await client.call(Kind.SEARCH, {"n": 1}, [b"abc", memoryview(b"de")])
    assert (answer.meta, [bytes(b) for b in answer.buffers]) == ({"n": 1}, [b"abc", b"de"])
    assert (await client.call(Kind.PING, {})).meta["role"] == Role.VAULT_A


async def test_many_questions_at_a_time_each_get_their_own_answer(town: Town) -> None:
    async def slowly(frame: Frame) -> Answer:
        await asyncio.sleep(0.02 - 0.0004 * frame.meta["n"])  # later questions are answered earlier
        return await echo(frame)

    await town.serve({Kind.SEARCH: slowly})
    client = town.client()
    answers = await asyncio.gather(*(client.call(Kind.SEARCH, {"n": n}, [bytes([n]) * 9000]) for n in range(50)))
    assert [(a.meta["n"], bytes(a.buffers[0])[:1]) for a in answers] == [(n, bytes([n])) for n in range(50)]


# ---- who may ask what ----


@pytest.mark.parametrize("role", [Role.EYE, Role.VAULT_B, Role.MINT, Role.VAULT_A])
async def test_only_the_gate_may_search(town: Town, role: Role) -> None:
    await town.serve({Kind.SEARCH: echo})
    with pytest.raises(Forbidden):
        await town.client(role).call(Kind.SEARCH, {})


async def test_a_question_for_which_there_is_no_handler_is_forbidden(town: Town) -> None:
    await town.serve({})
    with pytest.raises(Forbidden):
        await town.client().call(Kind.SEARCH, {})


def test_the_table_of_who_may_ask_is_that_of_the_design() -> None:
    assert set(ALLOWED) == set(Kind)
    talks = {
        (sender, receiver)
        for kind in Kind
        if kind not in {Kind.PING, Kind.COUNTS}  # these say nothing of anybody
        for sender in Role
        for receiver in Role
        if may(sender, kind, receiver)
    }
    assert talks == {
        (Role.GATE, Role.WITNESS),
        (Role.VAULT_A, Role.WITNESS),
        (Role.VAULT_B, Role.WITNESS),
        (Role.GATE, Role.EYE),
        (Role.GATE, Role.VAULT_A),
        (Role.GATE, Role.VAULT_B),
        (Role.VAULT_A, Role.VAULT_B),
        (Role.VAULT_B, Role.MINT),
    }
    for kind in (Kind.HELLO, Kind.BEGIN, Kind.ROUND, Kind.FINISH):
        assert not may(Role.GATE, kind, Role.VAULT_B), "the gate must see nothing of the exchange"
    for kind in (Kind.WRAP, Kind.REVEAL, Kind.BLIND):
        assert not may(Role.GATE, kind, Role.VAULT_A), "A has no personal keys"


@pytest.mark.parametrize("sort", [Sort.ANSWER, Sort.REFUSAL])
async def test_an_answer_that_nobody_asked_for_is_not_handled(town: Town, sort: Sort) -> None:
    await town.serve({Kind.SEARCH: echo})
    reader, writer = await town.raw()
    writer.writelines(encode(Frame(Kind.SEARCH, sort, 1)))
    reply = await asyncio.wait_for(read_frame(reader), 5)
    assert (reply.sort, reply.meta["slug"]) == (Sort.REFUSAL, "forbidden")
    writer.close()


# ---- broken frames ----


def _head(**given: Any) -> bytes:
    at = {"magic": MAGIC, "kind": Kind.PING, "sort": 0, "id": 1, "meta": 2, "buffers": 0} | given
    return HEADER.pack(*at.values())


BROKEN = {
    "bad magic": b"GET / HTTP/1.1\r\nHost: vault\r\n\r\n",
    "4 GiB of meta": _head(meta=2**32 - 1),
    "a 4 GiB buffer": _head(buffers=1) + b"\xff\xff\xff\xff",
    "too many buffers": _head(buffers=2**32 - 1),
    "meta that is a list": _head() + b"[]",
    "meta as deep as the stack": _head(meta=200_000) + b"[" * 200_000,
    "an unknown kind": _head(kind=999) + b"{}",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_frame_closes_its_own_link_and_no_other(
    town: Town, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await town.serve({Kind.SEARCH: echo})
    good = town.client()
    await good.call(Kind.SEARCH, {})
    reader, writer = await town.raw()
    writer.write(content)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert (await good.call(Kind.SEARCH, {"still": "here"})).meta == {"still": "here"}
    assert "closed a link from gate" in caplog.text
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_half_a_frame_holds_up_nobody(town: Town) -> None:
    await town.serve({Kind.SEARCH: echo})
    _, writer = await town.raw()
    writer.write(_head(meta=100) + b"{")
    await writer.drain()
    assert (await town.client().call(Kind.SEARCH, {"n": 1}, seconds=5)).meta == {"n": 1}
    writer.close()
    assert (await town.client().call(Kind.SEARCH, {"n": 2}, seconds=5)).meta == {"n": 2}


async def test_half_a_frame_is_waited_for_only_so_long(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(frames, "FRAME_SECONDS", 0.2)
    await town.serve({Kind.SEARCH: echo})
    reader, writer = await town.raw()
    writer.write(_head(meta=100, buffers=1) + (10).to_bytes(4, "big") + b"{")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert "closed a link from gate" in caplog.text


async def test_an_answer_that_is_too_large_is_refused_not_lost(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def large(_: Frame) -> Answer:
        return Answer({}, [bytes(2000)])

    await town.serve({Kind.ROWS: large})
    client = town.client()
    await client.call(Kind.ROWS, {})
    monkeypatch.setattr(frames, "FRAME_BYTES_MAX", 1000)
    with pytest.raises(WireBroken):
        await client.call(Kind.ROWS, {}, seconds=5)
    assert (await client.call(Kind.PING, {})).meta["role"] == Role.VAULT_A


# ---- refusals and failures ----


async def test_every_refusal_arrives_as_what_it_was(town: Town) -> None:
    async def refuse(frame: Frame) -> Answer:
        raise refusal_of(frame.meta["slug"], "one sentence.")

    await town.serve({Kind.SEARCH: refuse})
    client = town.client()
    for slug, kind in slugs().items():
        with pytest.raises(Refusal) as caught:
            await client.call(Kind.SEARCH, {"slug": slug})
        assert type(caught.value) is kind
        assert str(caught.value) == "one sentence."


@pytest.mark.parametrize(
    ("error", "arrives"),
    [
        (ValueError(SECRET), Unavailable),
        (KeyError(SECRET), Unavailable),
        (OSError(errno.EIO, SECRET), Unavailable),
        (OSError(errno.ENOSPC, SECRET), DiskFull),
        (AssertionError(SECRET), Unavailable),
    ],
    ids=lambda e: getattr(e, "__name__", type(e).__name__),
)
async def test_an_unexpected_error_is_told_and_logged_without_its_text(
    town: Town, error: Exception, arrives: type[Refusal], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await town.serve({Kind.SEARCH: raising(error)})
    with pytest.raises(Refusal) as caught:
        await town.client().call(Kind.SEARCH, {"name": SECRET}, [SECRET.encode()])
    assert type(caught.value) is arrives
    told = str(caught.value) + caplog.text + "".join(str(record.exc_info) for record in caplog.records)
    assert "Ann" not in told
    assert "0.25" not in told
    if arrives is not DiskFull:
        assert "SEARCH failed" in caplog.text
        assert "test_wire_links.py" in caplog.text


async def test_a_refusal_is_logged_by_its_slug_alone(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await town.serve({Kind.SEARCH: raising(UnknownGallery(SECRET)), Kind.ROWS: raising(WarrantRefused())})
    for kind in (Kind.SEARCH, Kind.ROWS):
        with pytest.raises(Refusal):
            await town.client().call(kind, {})
    assert "unknown-gallery" in caplog.text
    assert "Ann" not in caplog.text
