"""Streams: whole connections that a thread has to itself, for messages too large to pass through an event loop.

The same pinned TLS 1.3 and the same frames as on every link, without copies: what comes is written where the caller
says. TLS works on memory and whole pieces go to the socket, which takes a third of the time of record by record. A
stream is told from other links by a word in its first message (ALPN, RFC 7301), so that one port serves both.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from typing import TYPE_CHECKING

from moiety.foundation.errors import PartDown, WireBroken, refusal_of
from moiety.wire.frames import HEADER, Frame, Sort, encode, head_of, lengths_of, meta_of
from moiety.wire.network import CONNECT_SECONDS, STREAM, keep_alive
from moiety.wire.tls import why

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moiety.wire.cards import Peers
    from moiety.wire.frames import Head
    from moiety.wire.identity import Identity
    from moiety.wire.kinds import Role
    from moiety.wire.tls import Context

PIECE_BYTES = 256 << 10
SMALL_BYTES = 1 << 16
STALL_SECONDS = 60.0
LINGER_SECONDS = 2.0


class StreamLink:
    """One connection; used by one thread at a time, ended by any."""

    def __init__(self, line: socket.socket, context: Context, *, server: bool) -> None:
        """Shake hands over a connected socket, which now belongs to this object.

        Raises:
            OSError: the other end went away, took too long or is a stranger (`ssl.SSLError`).

        """
        self._line = line
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=server)
        self._room = memoryview(bytearray(PIECE_BYTES))
        self.sent_bytes = self.received_bytes = 0
        line.setblocking(True)  # noqa: FBT003 - the name says it
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(line)
        self._limit(CONNECT_SECONDS)
        self._deadline = time.monotonic() + CONNECT_SECONDS
        try:
            self._shake_hands()
        except BaseException:
            line.close()
            raise
        self._limit(STALL_SECONDS)

    @property
    def certificate(self) -> bytes | None:
        """What the other end has shown, in DER."""
        return self._tls.getpeercert(binary_form=True)

    def _limit(self, seconds: float) -> None:
        """Let the system end a wait on the socket: cheaper than asking before each one."""
        limit = struct.pack("ll", int(seconds), 0)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fetch()
            else:
                self._flush()
                return

    def _flush(self) -> None:
        """Send what TLS has made."""
        made = self._out.read()
        if made:
            self._line.sendall(made)
            self.sent_bytes += len(made)

    def _fetch(self) -> None:
        """Take what has come, at least something."""
        if time.monotonic() > self._deadline:
            raise TimeoutError
        count = self._line.recv_into(self._room)
        if not count:
            # A refused certificate is told by TLS itself, else the other end went away.
            self._in.write_eof()
            self._tls.do_handshake()
            raise ConnectionResetError
        self._in.write(self._room[:count])
        self.received_bytes += count

    # ---- frames ----

    def send(self, frame: Frame) -> None:
        """Send one frame whole.

        Raises:
            WireBroken: it is larger than a receiver would take.
            OSError: the other end went away, or takes nothing any more.

        """
        for piece in encode(frame):
            raw = memoryview(piece).cast("B")
            for at in range(0, len(raw), PIECE_BYTES):
                self._tls.write(raw[at : at + PIECE_BYTES])
                if self._out.pending >= PIECE_BYTES:
                    self._flush()
        self._flush()

    def receive(self, into: Sequence[memoryview] = (), seconds: float = STALL_SECONDS) -> Frame:
        """Wait for one frame; its buffers must be as long as `into`, and are written there.

        Raises:
            Refusal: what the other end refused with.
            WireBroken: no frame of ours, half a one, or its buffers have other sizes; this link is of no more use.
            OSError: the other end went away, or says nothing (`TimeoutError`, `BlockingIOError`).

        """
        self._deadline = time.monotonic() + seconds
        head = head_of(self._take(HEADER.size))
        try:
            return self._rest(head, into)
        except (TimeoutError, BlockingIOError):
            raise WireBroken("The rest of a message did not come.") from None

    def _rest(self, head: Head, into: Sequence[memoryview]) -> Frame:
        """Read what follows a header."""
        lengths = lengths_of(self._take(4 * head.count))
        meta = meta_of(self._take(head.meta_length))
        if head.sort is Sort.REFUSAL:
            raise refusal_of(str(meta.get("slug")), str(meta.get("detail")))
        if lengths != tuple(len(view) for view in into):
            raise WireBroken("A message of the stream has the wrong size.")
        for view in into:
            self._fill(view)
        return Frame(head.kind, head.sort, head.id, meta, list(into))

    def _take(self, count: int) -> bytes:
        """Read exactly `count` bytes of the small parts of a frame."""
        if count > SMALL_BYTES:
            raise WireBroken
        taken = bytearray(count)
        self._fill(memoryview(taken))
        return bytes(taken)

    def _fill(self, view: memoryview) -> None:
        """Read until `view` is full."""
        done = 0
        while done < len(view):
            try:
                got: int = self._tls.read(len(view) - done, view[done:])  # type: ignore[assignment]  # with a buffer
            except ssl.SSLWantReadError:
                self._fetch()
                continue
            if not got:
                raise ConnectionResetError
            done += got

    # ---- the end ----

    def wait(self) -> None:
        """Wait, for however long, until something comes or the connection ends."""
        if not self._in.pending and not self._tls.pending():
            poll = select.poll()
            poll.register(self._line, select.POLLIN)
            poll.poll()

    def alive(self) -> bool:
        """Say of an idle link whether it can still be used: nothing has come, and no end."""
        try:
            self._line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def abort(self) -> None:
        """End the connection now; a thread that waits on it fails at once. May be called from any thread, and again."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def linger(self) -> None:
        """Say no more, and take for a moment what still comes: else the last word would be lost with it."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
            self._limit(LINGER_SECONDS)
            until = time.monotonic() + LINGER_SECONDS
            while self._line.recv_into(self._room) and time.monotonic() < until:
                pass

    def close(self) -> None:
        """End it and give the socket back; only for the thread that uses it."""
        self.abort()
        self._line.close()


class Streams:
    """Streams to one peer, opened when needed and lent to threads."""

    def __init__(self, identity: Identity, peers: Peers, role: Role, host: str, port: int) -> None:
        """Prepare to reach `role` at `host:port`."""
        self._identity = identity
        self._peers = peers
        self._role = role
        self._address = (host, port)
        self._idle: list[StreamLink] = []
        self._lock = threading.Lock()
        self.sent_bytes = self.received_bytes = 0

    @contextlib.contextmanager
    def lent(self) -> Iterator[StreamLink]:
        """Lend a link to this thread; after an error it is closed, else kept for the next.

        Raises:
            PartDown: the peer cannot be reached, is another one, went away or fell silent.

        """
        link = self._found() or self._opened()
        before = link.sent_bytes, link.received_bytes
        try:
            yield link
        except (TimeoutError, BlockingIOError):
            link.close()
            raise PartDown(f"{self._role} does not answer.") from None
        except OSError as error:
            link.close()
            raise PartDown(_told(self._role, error) or f"{self._role} went away.") from None
        except BaseException:
            link.close()
            raise
        with self._lock:
            self.sent_bytes += link.sent_bytes - before[0]
            self.received_bytes += link.received_bytes - before[1]
            self._idle.append(link)

    def _found(self) -> StreamLink | None:
        """Take an idle link that still stands."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                link = self._idle.pop()
            if link.alive():
                return link
            link.close()

    def _opened(self) -> StreamLink:
        """Open a link."""
        context = self._identity.context(self._peers, server=False)
        context.set_alpn_protocols([STREAM])
        try:
            line = socket.create_connection(self._address, CONNECT_SECONDS)
            link = StreamLink(line, context, server=False)
        except OSError as error:
            told = _told(self._role, context.refused or error)
            raise PartDown(told or f"{self._role} is down or cannot be reached.") from None
        if self._peers.role_of(link.certificate) is not self._role:
            link.close()
            raise PartDown(f"Something else answers at the address of {self._role}.")
        return link

    def close(self) -> None:
        """Close the links that nobody uses."""
        with self._lock:
            links, self._idle = self._idle, []
        for link in links:
            link.close()


def _told(role: Role, error: BaseException) -> str | None:
    """Say which certificate was not accepted, where that is what happened."""
    told = why(error)
    return f"No link to {role}: {told}." if told else None
