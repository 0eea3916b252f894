"""How parts reach each other: TLS 1.3 with pinned certificates over TCP. Passed in: a simulation has one of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    from moiety.wire.identity import Identity, Peers
    from moiety.wire.kinds import Role

READ_AHEAD_BYTES = 4 << 20
CONNECT_SECONDS = 5.0


class Writer(Protocol):
    """The sending end of a connection; `asyncio.StreamWriter` is one."""

    def writelines(self, data: Iterable[bytes | bytearray | memoryview], /) -> None:
        """Send pieces one after the other; one call is one frame."""
        ...

    async def drain(self) -> None:
        """Wait until there is room for more."""
        ...

    def is_closing(self) -> bool:
        """Whether it was closed or broke."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """One connection; `peer` is whose certificate the other end has shown, None for a stranger's."""

    reader: asyncio.StreamReader
    writer: Writer
    peer: Role | None


class Listening(Protocol):
    """What accepts connections until it is closed."""

    def close(self) -> None:
        """Accept no more."""
        ...


class Network(Protocol):
    """What opens connections and accepts them."""

    async def connect(self, identity: Identity, peers: Peers, address: tuple[str, int]) -> Link:
        """Connect to (host, port).

        Raises:
            OSError, TimeoutError: nobody answers there.

        """
        ...

    async def listen(
        self, identity: Identity, peers: Peers, listener: socket.socket, accept: Callable[[Link], Awaitable[None]]
    ) -> Listening:
        """Call `accept`, as a task of its own, for each connection to a socket that listens already."""
        ...


class TlsNetwork:
    """TLS over TCP."""

    async def connect(self, identity: Identity, peers: Peers, address: tuple[str, int]) -> Link:
        """Connect and shake hands."""
        async with asyncio.timeout(CONNECT_SECONDS):
            context = identity.context(peers, server=False)
            reader, writer = await asyncio.open_connection(*address, ssl=context, limit=READ_AHEAD_BYTES)
        return Link(reader, writer, _shown(writer, peers))

    async def listen(
        self, identity: Identity, peers: Peers, listener: socket.socket, accept: Callable[[Link], Awaitable[None]]
    ) -> asyncio.Server:
        """Accept connections that have shaken hands."""

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept(Link(reader, writer, _shown(writer, peers)))

        return await asyncio.start_server(
            accepted,
            sock=listener,
            ssl=identity.context(peers, server=True),
            limit=READ_AHEAD_BYTES,
            ssl_handshake_timeout=CONNECT_SECONDS,
        )


def _shown(writer: asyncio.StreamWriter, peers: Peers) -> Role | None:
    """Say whose certificate the other end has shown."""
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    return peers.role_of(tls.getpeercert(binary_form=True))


TLS = TlsNetwork()
