"""How parts reach each other: TLS 1.3 with pinned certificates over TCP. Passed in: a simulation has one of its own."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from moiety.wire.doors import Door

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from moiety.wire.cards import Peers
    from moiety.wire.identity import Identity
    from moiety.wire.kinds import Role
    from moiety.wire.tls import WatchedTls

READ_AHEAD_BYTES = 4 << 20
STREAM = "moiety-stream/1"  # the word (ALPN, RFC 7301) by which a connection asks for a stream
CONNECT_SECONDS = 5.0
# A line that was cut without a word is found by the system after half a minute, on whichever end waits.
_KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))


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
    """One connection; `peer` is whose certificate the other end has shown, None for a stranger's.

    `moved` gives what is equal to what it gave before if since then nothing has come and nothing is on its way out;
    None where the network cannot tell.
    """

    reader: asyncio.StreamReader
    writer: Writer
    peer: Role | None
    moved: Callable[[], object] | None = None


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
        self,
        identity: Identity,
        peers: Peers,
        listener: socket.socket,
        accept: Callable[[Link], Awaitable[None]],
        take: Callable[[socket.socket], None] | None = None,
    ) -> Listening:
        """Call `accept`, as a task of its own, for each connection to a socket that listens already.

        `take` gets the connections that ask for a stream (`wire.streams`), where the network has such.
        """
        ...


class TlsNetwork:
    """TLS over TCP."""

    async def connect(self, identity: Identity, peers: Peers, address: tuple[str, int]) -> Link:
        """Connect and shake hands."""
        context = identity.context(peers, server=False)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(*address, ssl=context, limit=READ_AHEAD_BYTES)
        except (OSError, TimeoutError):
            if context.refused:
                raise context.refused from None
            raise
        return _link(reader, writer, peers)

    async def listen(
        self,
        identity: Identity,
        peers: Peers,
        listener: socket.socket,
        accept: Callable[[Link], Awaitable[None]],
        take: Callable[[socket.socket], None] | None = None,
    ) -> Listening:
        """Accept connections that have shaken hands; streams shake hands in a thread of their own."""

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept(_link(reader, writer, peers))

        context = identity.context(peers, server=True)
        if take:
            return Door(listener, STREAM, take, accepted, context, READ_AHEAD_BYTES)
        return await asyncio.start_server(
            accepted,
            sock=listener,
            ssl=context,
            limit=READ_AHEAD_BYTES,
            ssl_handshake_timeout=CONNECT_SECONDS,
        )


def keep_alive(line: socket.socket) -> None:
    """Let the system find out when the other end of a connection is gone."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peers: Peers) -> Link:
    """Take over a connection that has shaken hands, and say whose certificate the other end has shown."""
    tls: WatchedTls = writer.get_extra_info("ssl_object")
    line: socket.socket = writer.get_extra_info("socket")
    keep_alive(line)
    peer = peers.role_of(tls.getpeercert(binary_form=True))

    def moved() -> object:
        # While bytes go out the system itself finds out whether the line is cut (TCP_USER_TIMEOUT).
        return tls.heard if writer.is_closing() or not _unsent(line) else object()

    return Link(reader, writer, peer, moved)


def _unsent(line: socket.socket) -> int:
    """Count the bytes that the other end has not confirmed (tcp(7), SIOCOUTQ)."""
    found: int = struct.unpack("i", fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
    return found


TLS = TlsNetwork()
