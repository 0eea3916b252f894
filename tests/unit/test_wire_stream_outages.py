"""Streams whose peer is cut off, restarted or closed, and a crowd at the door of a part."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bad_lines import BadLine
from mirrored_streams import ask, gone, lines, mirror, mirrored, refused, serve
from moiety.foundation.errors import PartDown
from moiety.wire import doors, stream_server
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind, Role
from town_in_process import Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from moiety.wire.streams import StreamLink


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with Town(tmp_path) as made:
        yield made


# ---- peers that go away ----


async def test_a_stream_that_is_cut_fails_at_once_and_the_next_is_a_new_one(town: Town) -> None:
    started = threading.Event()

    def hold(link: StreamLink, frame: Frame) -> None:
        if frame.meta.get("wait"):
            started.set()
            link.receive()
        else:
            mirror(link, frame)

    await serve(town, hold)
    with BadLine(("127.0.0.1", town.port)) as line:
        lent = lines(town, port=line.address[1])
        await asyncio.to_thread(mirrored, lent, 100)

        def wait() -> None:
            with lent.lent() as link:
                link.send(Frame(Kind.STREAM, meta={"wait": True}))
                link.receive()

        waiting = asyncio.create_task(refused(wait))
        await asyncio.to_thread(started.wait, 5)
        began = time.monotonic()
        line.cut()
        assert isinstance(await waiting, PartDown)
        assert time.monotonic() - began < 2
        await asyncio.to_thread(mirrored, lent, 100)
        assert line.connections == 2


async def test_another_thread_can_end_a_stream_that_waits(town: Town) -> None:
    held: list[StreamLink] = []

    def hold(link: StreamLink, _: Frame) -> None:
        link.receive()

    await serve(town, hold)

    def wait() -> None:
        with lines(town).lent() as link:
            held.append(link)
            _send_and_wait(link)

    waiting = asyncio.create_task(refused(wait))
    while not held:  # noqa: ASYNC110 - the thread tells nobody
        await asyncio.sleep(0.005)
    held[0].abort()
    held[0].abort()
    assert isinstance(await waiting, PartDown)
    assert town.server
    await gone(town.server)


def _send_and_wait(link: StreamLink) -> None:
    link.send(Frame(Kind.STREAM))
    link.receive()


async def test_an_idle_stream_whose_part_was_restarted_is_opened_anew(town: Town) -> None:
    await serve(town)
    lent = lines(town)
    await asyncio.to_thread(mirrored, lent, 100)
    assert town.server
    await town.server.close()
    assert isinstance(await refused(lambda: mirrored(lent, 100)), PartDown)
    await serve(town)
    await asyncio.to_thread(mirrored, lent, 100)
    lent.close()


async def test_a_part_that_closes_ends_its_streams(town: Town) -> None:
    def hold(link: StreamLink, _: Frame) -> None:
        link.receive()

    await serve(town, hold)
    waiting = asyncio.create_task(refused(lambda: ask(lines(town), Kind.STREAM)))
    assert town.server
    while not town.server._streams._threads:  # type: ignore[union-attr]  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.005)
    await town.server.close()
    assert isinstance(await waiting, PartDown)
    assert not town.server._streams._threads  # type: ignore[union-attr]  # as above


# ---- a crowd at the door ----


async def test_whoever_says_nothing_at_the_door_is_sent_away_and_keeps_nobody_waiting(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "HELLO_SECONDS", 0.3)
    await serve(town)
    silent = [socket.create_connection(("127.0.0.1", town.port)) for _ in range(20)]
    silent[0].sendall(b"\x16\x03\x01")  # the beginning of a hello
    await asyncio.to_thread(mirrored, lines(town), 100)
    assert (await town.client(Role.VAULT_A, Role.VAULT_B).call(Kind.ROUND, {"n": 1})).meta == {"n": 1}
    for one in silent:
        one.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(one.recv, 1) == b""
        one.close()


async def test_more_streams_than_are_served_are_closed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_server, "LINKS_MAX", 2)
    await serve(town)
    first, second, third = lines(town), lines(town), lines(town)
    for one in (first, second):
        await asyncio.to_thread(mirrored, one, 100)
    assert isinstance(await refused(lambda: mirrored(third, 100)), PartDown)
    first.close()
    assert town.server
    async with asyncio.timeout(5):
        while len(town.server._streams._threads) > 1:  # type: ignore[union-attr]  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
    await asyncio.to_thread(mirrored, third, 100)
