"""Streams to a part that sends back what it is sent."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from moiety.foundation.errors import Refusal
from moiety.wire.frames import Frame, Sort
from moiety.wire.kinds import Kind, Role
from moiety.wire.streams import StreamLink, Streams
from town_in_process import echo

if TYPE_CHECKING:
    from collections.abc import Callable

    from town_in_process import Town

LARGE = 3_000_001


def mirror(link: StreamLink, frame: Frame) -> None:
    """Take `size` bytes and send them back."""
    room = memoryview(bytearray(frame.meta["size"]))
    link.receive([room])
    link.send(Frame(Kind.ROUND, Sort.ANSWER, frame.id, {"seen": len(room)}, [room]))


async def serve(town: Town, handler: Callable[[StreamLink, Frame], None] = mirror) -> None:
    await town.serve({Kind.ROUND: echo}, Role.VAULT_B, {Kind.STREAM: handler})


def lines(town: Town, role: Role = Role.VAULT_A, port: int = 0, peers: Any = None) -> Streams:
    return Streams(town.identities[role], peers or town.peers, Role.VAULT_B, "127.0.0.1", port or town.port)


def mirrored(lent: Streams, size: int = LARGE) -> None:
    """Send something large and have it back."""
    said, heard = os.urandom(size), bytearray(size)
    with lent.lent() as link:
        link.send(Frame(Kind.STREAM, id=7, meta={"size": size}))
        link.send(Frame(Kind.ROUND, buffers=[said]))
        reply = link.receive([memoryview(heard)])
    assert (reply.kind, reply.sort, reply.id, reply.meta) == (Kind.ROUND, Sort.ANSWER, 7, {"seen": size})
    assert said == heard


async def refused(work: Callable[[], object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await asyncio.to_thread(work)
    return caught.value


async def gone(server: Any, seconds: float = 5) -> None:
    """Wait until no stream is served."""
    async with asyncio.timeout(seconds):
        while server._streams._threads:  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.005)


def ask(lent: Streams, kind: Kind, sort: Sort = Sort.ASK) -> None:
    with lent.lent() as link:
        link.send(Frame(kind, sort))
        link.receive()
