"""One port for links and streams: each connection's first message (ClientHello) says which it is.

The message is looked at, not taken, so that TLS finds it whole. It is not yet authenticated, and decides nothing but
who shakes hands: both ways take only peers whose cards are known.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING

from moiety.watch import kind_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

HELLO_SECONDS = 5.0
RECORD_HEAD = 5
RECORD_MAX = 1 << 14
LOOK_SECONDS = 0.005
PAUSE_SECONDS = 1.0


class Door:
    """Accepts connections until it is closed, and sends each its way."""

    def __init__(
        self,
        listener: socket.socket,
        word: str,
        take: Callable[[socket.socket], None],
        link: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        context: ssl.SSLContext,
        limit: int,
    ) -> None:
        """Give connections that name `word` to `take`, all others to `link` after a handshake with `context`."""
        self._listener = listener
        self._word = word.encode()
        self._take = take
        self._link = link
        self._context = context
        self._limit = limit
        self._knocking: set[asyncio.Task[None]] = set()
        listener.setblocking(False)  # noqa: FBT003 - the name says it
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        """Let everyone in who knocks; one who is slow keeps nobody waiting."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                line, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                _log.warning("no connection can be accepted: %(error)s", {"error": kind_of(error)})
                await asyncio.sleep(PAUSE_SECONDS)  # out of descriptors, most likely
                continue
            task = asyncio.create_task(self._sort(line))
            self._knocking.add(task)
            task.add_done_callback(self._knocking.discard)

    async def _sort(self, line: socket.socket) -> None:
        """Look at the first message and pass the connection on."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = await _first_record(line)
            if self._word in hello:
                self._take(line)
            else:
                await self._shake_hands(line)
        except (OSError, TimeoutError, asyncio.CancelledError):
            line.close()

    async def _shake_hands(self, line: socket.socket) -> None:
        """Do what `asyncio.start_server` does with a connection."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=self._limit, loop=loop)
        await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader, self._link, loop=loop),
            line,
            ssl=self._context,
            ssl_handshake_timeout=HELLO_SECONDS,
        )

    def close(self) -> None:
        """Accept no more, and drop those who are still at the door."""
        self._accepting.cancel()
        for task in self._knocking:
            task.cancel()
        with contextlib.suppress(OSError):
            self._listener.close()


async def _first_record(line: socket.socket) -> bytes:
    """Give the first TLS record (RFC 8446, section 5.1) without taking it from the socket.

    Raises:
        ConnectionError: the other end went away.

    """
    await _readable(line)
    while True:
        seen = line.recv(RECORD_HEAD + RECORD_MAX, socket.MSG_PEEK)
        if not seen:
            raise ConnectionResetError
        whole = RECORD_HEAD + int.from_bytes(seen[3:RECORD_HEAD], "big")
        if len(seen) >= min(whole, RECORD_HEAD + RECORD_MAX) and len(seen) >= RECORD_HEAD:
            return seen
        # What was seen stays readable, so the loop cannot be told of more: look again a little later.
        await asyncio.sleep(LOOK_SECONDS)


async def _readable(line: socket.socket) -> None:
    """Wait until something has come."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not came.done():
            came.set_result(None)

    loop.add_reader(line, tell)
    try:
        await came
    finally:
        loop.remove_reader(line)
