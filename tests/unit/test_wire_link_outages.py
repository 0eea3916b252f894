"""Links whose peer is away, dies, falls silent or is slow: who asks hears of it, and the next question is answered."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from bad_lines import BadLine
from moiety.foundation.errors import PartDown
from moiety.wire import links
from moiety.wire.frames import Frame, encode
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client, Server
from town_in_process import Town, echo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from moiety.wire.network import Link


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with Town(tmp_path) as made:
        yield made


async def test_a_part_that_is_not_there_is_said_to_be_down_at_once(town: Town) -> None:
    await town.serve({})
    assert town.server
    await town.server.close()
    began = time.monotonic()
    with pytest.raises(PartDown):
        await town.client().call(Kind.PING, {})
    assert time.monotonic() - began < 1


async def test_a_part_that_dies_while_asked_fails_all_its_questions_at_once_and_is_found_again(town: Town) -> None:
    reached = asyncio.Event()

    async def never(_: Frame) -> Answer:
        reached.set()
        await asyncio.sleep(60)
        raise AssertionError

    server = await town.serve({Kind.SEARCH: never})
    client = town.client()
    calls = [asyncio.create_task(client.call(Kind.SEARCH, {})) for _ in range(5)]
    await reached.wait()
    began = time.monotonic()
    await server.close()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in ended] == [PartDown] * 5
    assert time.monotonic() - began < 2
    await town.serve({Kind.SEARCH: echo})
    assert (await client.call(Kind.SEARCH, {"back": True})).meta == {"back": True}


async def test_a_part_that_is_silent_is_given_up_after_the_time_allowed(town: Town) -> None:
    async def silent(_: Frame) -> Answer:
        await asyncio.sleep(60)
        raise AssertionError

    await town.serve({Kind.SEARCH: silent, Kind.ROWS: echo})
    client = town.client()
    with pytest.raises(PartDown, match="did not answer"):
        await client.call(Kind.SEARCH, {}, seconds=0.1)
    assert (await client.call(Kind.ROWS, {"n": 1})).meta == {"n": 1}


async def test_a_part_that_has_closed_answers_nobody_who_was_still_at_the_door(town: Town) -> None:
    server = await town.serve({Kind.SEARCH: echo})
    early = socket.create_connection(("127.0.0.1", town.port))
    await town.client().call(Kind.SEARCH, {})  # by now the server has accepted the early one too
    await server.close()
    context = town.identities[Role.GATE].context(town.peers, server=False)
    try:
        reader, writer = await asyncio.open_connection(sock=early, ssl=context, server_hostname="")
        writer.writelines(encode(Frame(Kind.SEARCH)))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    except ConnectionError:
        early.close()


async def test_a_question_that_is_cancelled_just_when_the_link_stands_is_not_asked(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody could give up: who asks two parts and hears no from one would wait for the other all the same."""
    await town.serve({Kind.SEARCH: echo})
    real = asyncio.open_connection

    async def open_connection(*given: Any, **named: Any) -> Any:
        opened = await real(*given, **named)
        asyncio.get_running_loop().call_soon(asked.cancel)
        return opened

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    asked = asyncio.create_task(town.client().call(Kind.SEARCH, {}))
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_what_an_asker_who_left_had_asked_for_is_ended(town: Town) -> None:
    ended = asyncio.Event()
    reached = asyncio.Event()

    async def long(_: Frame) -> Answer:
        reached.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        raise AssertionError

    await town.serve({Kind.SEARCH: long})
    _, writer = await town.raw()
    writer.writelines(encode(Frame(Kind.SEARCH, id=1)))
    await reached.wait()
    writer.close()
    await asyncio.wait_for(ended.wait(), 5)


async def test_an_old_link_that_ends_late_leaves_the_newer_one_alone(town: Town) -> None:
    async def slowly(frame: Frame) -> Answer:
        await asyncio.sleep(0.2)
        return await echo(frame)

    await town.serve({Kind.SEARCH: slowly})
    client = town.client()
    await client.call(Kind.PING, {})
    old = client._open
    assert old
    lost = asyncio.create_task(client.call(Kind.SEARCH, {"n": 1}))
    await asyncio.sleep(0)
    old.link.writer.close()  # closing, but its reader has not noticed
    kept = asyncio.create_task(client.call(Kind.SEARCH, {"n": 2}))
    assert (await kept).meta == {"n": 2}
    assert client._open is not old
    with pytest.raises(PartDown):
        await asyncio.wait_for(lost, 1)
    client._drop(old, ConnectionResetError())
    assert client._open
    assert (await client.call(Kind.SEARCH, {"n": 3})).meta == {"n": 3}


async def test_a_link_that_falls_silent_is_opened_anew(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "SILENCE_SECONDS", 0.1)
    await town.serve({Kind.SEARCH: echo})
    with BadLine(("127.0.0.1", town.port)) as line:
        client = Client(town.identities[Role.GATE], town.peers, Role.VAULT_A, *line.address)
        town.clients.append(client)
        await client.call(Kind.SEARCH, {"n": 1})
        line.stall()
        began = time.monotonic()
        with pytest.raises(PartDown, match="went away"):
            await client.call(Kind.SEARCH, {"n": 2}, seconds=20)
        assert time.monotonic() - began < 2
        line.flow()
        assert (await client.call(Kind.SEARCH, {"n": 3}, seconds=5)).meta == {"n": 3}
        assert line.connections == 2


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ECONNRESET])
async def test_a_line_that_the_system_finds_dead_is_opened_anew_at_both_ends(
    town: Town, number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def silent(_: Frame) -> Answer:
        await asyncio.sleep(60)
        raise AssertionError

    ends: list[Link] = []
    accept = Server._accept

    async def noted(server: Server, link: Link) -> None:
        ends.append(link)
        await accept(server, link)

    monkeypatch.setattr(Server, "_accept", noted)
    await town.serve({Kind.SEARCH: silent, Kind.ROWS: echo})
    client = town.client()
    asked = asyncio.create_task(client.call(Kind.SEARCH, {}))
    while not ends:  # noqa: ASYNC110 - the server tells nobody when it accepts
        await asyncio.sleep(0.01)
    assert client._open
    for reader in (client._open.link.reader, ends[0].reader):
        reader.set_exception(OSError(number, "the line is dead"))
    with pytest.raises(PartDown, match="went away"):
        await asyncio.wait_for(asked, 5)
    assert (await client.call(Kind.ROWS, {"n": 1})).meta == {"n": 1}
    assert len(ends) == 2
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_a_part_that_takes_its_time_is_not_taken_for_silent(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "SILENCE_SECONDS", 0.05)

    async def slowly(frame: Frame) -> Answer:
        await asyncio.sleep(1)
        return await echo(frame)

    await town.serve({Kind.SEARCH: slowly})
    client = town.client()
    assert (await client.call(Kind.SEARCH, {"n": 1}, seconds=5)).meta == {"n": 1}
