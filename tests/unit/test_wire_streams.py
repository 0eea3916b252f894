"""Streams: what is sent arrives where it should, on the port of all links; whoever breaks the rules ends alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from bad_lines import BadLine
from mirrored_streams import LARGE, ask, gone, lines, mirror, mirrored, refused, serve
from moiety.foundation.errors import ExchangeAborted, Forbidden, PartDown, Unavailable, WireBroken
from moiety.wire import streams
from moiety.wire.cards import Peers
from moiety.wire.frames import HEADER, MAGIC, Frame, Sort
from moiety.wire.kinds import Kind, Role
from moiety.wire.streams import StreamLink, Streams
from town_in_process import Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with Town(tmp_path) as made:
        yield made


# ---- what is sent arrives ----


@pytest.mark.parametrize("size", [0, 1, 16_384, LARGE])
async def test_what_is_sent_arrives_where_it_was_wanted(town: Town, size: int) -> None:
    await serve(town)
    await asyncio.to_thread(mirrored, lines(town), size)


async def test_links_and_streams_share_a_port_and_a_stream_is_used_again(town: Town) -> None:
    await serve(town)
    with BadLine(("127.0.0.1", town.port)) as line:
        lent = lines(town, port=line.address[1])
        for _ in range(5):
            await asyncio.to_thread(mirrored, lent)
            assert (await town.client(Role.VAULT_A, Role.VAULT_B).call(Kind.ROUND, {"n": 1})).meta == {"n": 1}
        assert line.connections == 1
        counted = lent.sent_bytes, lent.received_bytes
        assert all(5 * LARGE < count < 5.05 * LARGE for count in counted)


async def test_streams_run_side_by_side(town: Town) -> None:
    await serve(town)
    lent = lines(town)
    await asyncio.gather(*(asyncio.to_thread(mirrored, lent) for _ in range(8)))
    assert 1 <= len(lent._idle) <= 8


def dribbling(port: int) -> socket.socket:
    """Listen for one connection and carry it on, its first message in pieces of 50 bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while got := source.recv(1 << 16):
                sink.sendall(got)
            sink.shutdown(socket.SHUT_WR)

    def carry() -> None:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=pump, args=(far, near), daemon=True).start()
        hello = near.recv(1 << 16)
        for at in range(0, len(hello), 50):
            far.sendall(hello[at : at + 50])
            time.sleep(0.01)
        pump(near, far)

    threading.Thread(target=carry, daemon=True).start()
    return listener


async def test_a_first_message_in_pieces_is_waited_for(town: Town) -> None:
    await serve(town)
    with dribbling(town.port) as listener:
        await asyncio.to_thread(mirrored, lines(town, port=listener.getsockname()[1]), 1000)


# ---- who may ask for what ----


async def test_only_a_may_have_a_stream_of_b(town: Town) -> None:
    await serve(town)
    for role in (Role.GATE, Role.EYE, Role.MINT):
        assert isinstance(await refused(lambda: mirrored(lines(town, role))), Forbidden), role  # noqa: B023 - run at once
    assert isinstance(await refused(lambda: ask(lines(town), Kind.SEARCH)), Forbidden)
    await asyncio.to_thread(mirrored, lines(town))


async def test_an_answer_that_nobody_asked_for_is_not_handled(town: Town) -> None:
    await serve(town)
    assert isinstance(await refused(lambda: ask(lines(town), Kind.STREAM, Sort.ANSWER)), Forbidden)


async def test_a_stranger_gets_no_stream_and_hears_why(town: Town) -> None:
    await serve(town)
    stranger = town.identity(Role.VAULT_A, "stranger")
    asking = Streams(stranger, town.peers, Role.VAULT_B, "127.0.0.1", town.port)
    told = await refused(lambda: mirrored(asking))
    assert isinstance(told, PartDown)
    assert "card" in str(told) or "went away" in str(told)
    await asyncio.to_thread(mirrored, lines(town))


async def test_another_part_at_the_address_is_not_believed(town: Town) -> None:
    await town.serve({}, Role.MINT, {Kind.STREAM: mirror})
    assert "Something else answers" in str(await refused(lambda: mirrored(lines(town))))


async def test_a_certificate_that_has_ended_is_named(town: Town) -> None:
    late = town.identity(Role.VAULT_A, "old", days_ago=500)
    town.peers = Peers([*(town.peers[role] for role in Role if role is not Role.VAULT_A), late.card()])
    await serve(town)
    asking = Streams(late, town.peers, Role.VAULT_B, "127.0.0.1", town.port)
    assert "our certificate has ended" in str(await refused(lambda: mirrored(asking, 100)))


# ---- peers that break the rules ----


def head(**given: Any) -> bytes:
    at = {"magic": MAGIC, "kind": Kind.STREAM, "sort": 0, "id": 1, "meta": 2, "buffers": 0} | given
    return HEADER.pack(*at.values())


BROKEN = {
    "bad magic": b"GET / HTTP/1.1\r\nHost: vault\r\n\r\n",
    "4 GiB of meta": head(meta=2**32 - 1),
    "1 MiB of meta": head(meta=2**20),
    "a 4 GiB buffer": head(buffers=1) + b"\xff\xff\xff\xff",
    "a buffer that nobody wants": head(buffers=1) + (4096).to_bytes(4, "big") + b"{}",
    "too many buffers": head(buffers=2**32 - 1),
    "meta that is a list": head() + b"[]",
    "an unknown kind": head(kind=999) + b"{}",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_frame_closes_its_own_stream_and_no_other(
    town: Town, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await serve(town)
    good = lines(town)
    await asyncio.to_thread(mirrored, good, 100)
    assert isinstance(await refused(lambda: _write(lines(town), content)), PartDown)
    await asyncio.to_thread(mirrored, good, 100)
    assert "closed a stream from vault-a: broken frame" in caplog.text


def _write(lent: Streams, raw: bytes) -> None:
    with lent.lent() as link:
        link._limit(10)
        link._tls.write(raw)
        link._flush()
        link.receive()


async def test_half_a_frame_is_waited_for_only_so_long_and_holds_up_nobody(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "STALL_SECONDS", 1)
    await serve(town)
    half = asyncio.create_task(refused(lambda: _write(lines(town), head(meta=100) + b"{")))
    for _ in range(3):
        await asyncio.to_thread(mirrored, lines(town), 100)
    assert not half.done()
    assert isinstance(await half, PartDown)
    assert "closed a stream from vault-a: broken frame" in caplog.text
    await asyncio.to_thread(mirrored, lines(town), 100)


async def test_a_part_that_says_nothing_is_said_to_be_silent(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STALL_SECONDS", 1)
    over = threading.Event()

    def sleep(_: StreamLink, __: Frame) -> None:
        over.wait(10)

    await serve(town, sleep)
    assert str(await refused(lambda: ask(lines(town), Kind.STREAM))) == "vault-b does not answer."
    over.set()


async def test_a_message_of_another_size_is_refused_before_it_is_read(town: Town) -> None:
    await serve(town)

    def shorter() -> None:
        with lines(town).lent() as link:
            link.send(Frame(Kind.STREAM, meta={"size": 10}))
            link.send(Frame(Kind.ROUND, buffers=[bytes(10)]))
            link.receive([memoryview(bytearray(9))])

    assert isinstance(await refused(shorter), WireBroken)


async def test_a_refusal_comes_over_and_ends_the_stream(town: Town) -> None:
    def decline(_: StreamLink, __: Frame) -> None:
        raise ExchangeAborted("There is no such session.")

    await serve(town, decline)
    lent = lines(town)
    assert str(await refused(lambda: ask(lent, Kind.STREAM))) == "There is no such session."
    assert lent._idle == []
    assert town.server
    await gone(town.server)


async def test_a_handler_that_fails_tells_nothing_of_what_it_held(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    secret = "embedding [0.25, -0.5]"  # noqa: S105 - what must not be logged, not a password

    def fail(_: StreamLink, __: Frame) -> None:
        raise RuntimeError(secret)

    await serve(town, fail)
    told = await refused(lambda: ask(lines(town), Kind.STREAM))
    assert type(told) is Unavailable
    assert secret not in str(told) + caplog.text
    assert "STREAM failed: RuntimeError at test_wire_streams.py" in caplog.text
