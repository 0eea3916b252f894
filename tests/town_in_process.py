"""All identities in one process and one part that serves what the test gives it, over real TLS on loopback."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Self

from moiety.foundation.clock import HandClock
from moiety.foundation.envelopes import KeyRing
from moiety.wire.cards import Peers
from moiety.wire.identity import Identity
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client, Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from moiety.wire.frames import Frame
    from moiety.wire.stream_server import StreamHandler

    Handler = Callable[[Frame], Awaitable[Answer]]


async def echo(frame: Frame) -> Answer:
    """Answer with what was asked."""
    return Answer(frame.meta, [bytes(buffer) for buffer in frame.buffers])


class Town:
    """All identities, which know each other, and one part that serves what the test gives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identities = {role: self.identity(role) for role in Role}
        self.peers = Peers(identity.card() for identity in self.identities.values())
        self.port = 0
        self.server: Server | None = None
        self.clients: list[Client] = []

    def identity(self, role: Role, name: str = "", days_ago: float = 0) -> Identity:
        return Identity(role, KeyRing(self.folder / (name or role)), HandClock(time.time() - days_ago * 86_400))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            await client.close()
        if self.server:
            await self.server.close()

    async def serve(
        self, handlers: dict[Kind, Handler], role: Role = Role.VAULT_A, streams: dict[Kind, StreamHandler] | None = None
    ) -> Server:
        self.server = Server(self.identities[role], self.peers, handlers, streams=streams)
        self.port = await self.server.start(socket.create_server(("127.0.0.1", self.port)))
        return self.server

    def client(self, role: Role = Role.GATE, to: Role = Role.VAULT_A, peers: Peers | None = None) -> Client:
        return self.client_of(self.identities[role], to, peers)

    def client_of(self, identity: Identity, to: Role = Role.VAULT_A, peers: Peers | None = None) -> Client:
        made = Client(identity, peers or self.peers, to, "127.0.0.1", self.port)
        self.clients.append(made)
        return made

    async def raw(self, role: Role = Role.GATE) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a link on which the test writes bytes of its own."""
        context = self.identities[role].context(self.peers, server=False)
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
