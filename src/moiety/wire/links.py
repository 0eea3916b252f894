"""Links: many questions at a time over one mutually authenticated connection, in both roles of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import DiskFull, Forbidden, PartDown, Refusal, Unavailable, WireBroken, refusal_of
from moiety.watch import Counts, kind_of, place, span
from moiety.wire.frames import Buffer, Frame, Sort, encode, read_frame
from moiety.wire.kinds import Kind, Role, may
from moiety.wire.network import TLS
from moiety.wire.stream_server import StreamServer
from moiety.wire.tls import why

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from moiety.wire.cards import Peers
    from moiety.wire.identity import Identity
    from moiety.wire.network import Link, Listening, Network, Writer
    from moiety.wire.stream_server import StreamHandler

_log = logging.getLogger(__name__)

CALL_SECONDS = 60.0
SILENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back, or a caller receives."""

    meta: dict[str, Any]
    buffers: Sequence[Buffer] = ()


async def _write(writer: Writer, lock: asyncio.Lock, frame: Frame) -> None:
    """Write one frame whole; frames of different questions must not mix."""
    async with lock:
        writer.writelines(encode(frame))
        await writer.drain()


class Server:
    """Answers frames from known peers with the handlers of one part."""

    def __init__(
        self,
        identity: Identity,
        peers: Peers,
        handlers: dict[Kind, Callable[[Frame], Awaitable[Answer]]],
        network: Network = TLS,
        streams: Mapping[Kind, StreamHandler] | None = None,
        counts: Counts | None = None,
    ) -> None:
        """Serve `handlers`, and `streams` in threads; who may call which is fixed in `kinds.ALLOWED`."""
        self._counts = counts or Counts()
        self._identity = identity
        self._peers = peers
        self._handlers = {Kind.PING: self._ping, Kind.COUNTS: self._tell_counts, **handlers}
        self._network = network
        self._streams = StreamServer(identity, peers, streams) if streams else None
        self._listening: Listening | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._closed = False

    async def _ping(self, frame: Frame) -> Answer:
        """Say that this part is here."""
        return Answer({"role": self._identity.role, "echo": frame.id})

    async def _tell_counts(self, _: Frame) -> Answer:
        """Say how often this part answered what, and how long that took."""
        return Answer(self._counts.told())

    async def start(self, listener: socket.socket) -> int:
        """Accept connections on a socket that listens already; returns its port."""
        port_taken: int = listener.getsockname()[1]
        given = (self._identity, self._peers, listener, self._accept)
        if self._streams:
            self._listening = await self._network.listen(*given, self._streams.take)
        else:
            self._listening = await self._network.listen(*given)
        return port_taken

    async def close(self) -> None:
        """Stop listening and drop every connection, also one whose handshake is still under way."""
        self._closed = True
        if self._listening:
            self._listening.close()
        for task in list(self._open):
            task.cancel()
        if self._streams:
            await asyncio.to_thread(self._streams.close)
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, link: Link) -> None:
        """Serve one connection until it ends or breaks the rules."""
        task = asyncio.current_task()
        if task:
            self._open.add(task)
        sender, writer = link.peer, link.writer
        lock = asyncio.Lock()
        running: set[asyncio.Task[None]] = set()
        try:
            while sender and not self._closed:
                frame = await read_frame(link.reader)
                work = asyncio.create_task(self._serve(sender, frame, writer, lock))
                running.add(work)
                work.add_done_callback(running.discard)
        except WireBroken:
            told = {"part": self._identity.role, "peer": sender}
            _log.warning("%(part)s: closed a link from %(peer)s: broken frame", told)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass  # the peer went away, or this part is closing; unfinished questions end with the link
        finally:
            for work in running:
                work.cancel()
            writer.close()
            if task:
                self._open.discard(task)

    async def _serve(self, sender: Role, frame: Frame, writer: Writer, lock: asyncio.Lock) -> None:
        """Answer one frame; every way of failing becomes a refusal without inner details."""
        about = {"part": self._identity.role, "kind": frame.kind.name}
        began, outcome = time.monotonic(), "ok"
        try:
            with span("answer", peer=sender, **about):
                answer = await self._answer(sender, frame)
            reply = Frame(frame.kind, Sort.ANSWER, frame.id, answer.meta, answer.buffers)
        except Refusal as refusal:
            outcome = refusal.slug
            _log.info("%(part)s: refused %(kind)s: %(slug)s", {**about, "slug": outcome})
            reply = Frame(frame.kind, Sort.REFUSAL, frame.id, {"slug": refusal.slug, "detail": str(refusal)})
        self._counts.answered(frame.kind.name, outcome, time.monotonic() - began)
        try:
            try:
                await _write(writer, lock, reply)
            except WireBroken as large:
                told = {"slug": large.slug, "detail": str(large)}
                await _write(writer, lock, Frame(frame.kind, Sort.REFUSAL, frame.id, told))
        except OSError:
            _log.info("%(part)s: the asker of %(kind)s went away", about)

    async def _answer(self, sender: Role, frame: Frame) -> Answer:
        """Check who asks, then ask the handler."""
        handler = self._handlers.get(frame.kind)
        if frame.sort is not Sort.ASK or handler is None or not may(sender, frame.kind, self._identity.role):
            raise Forbidden("This part does not answer that question from you.")
        try:
            return await handler(frame)
        except Refusal:
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull from None
            self._note(frame, error)
            raise Unavailable("A part could not read or write its files; see its log.") from None
        except Exception as error:  # noqa: BLE001 - the last line of defence: the asker learns that it failed
            self._note(frame, error)
            raise Unavailable("A part failed on this question; see its log.") from None

    def _note(self, frame: Frame, error: Exception) -> None:
        """Log where it failed and of what kind it was; an error's own text could hold content, so it stays out."""
        about = {"part": self._identity.role, "kind": frame.kind.name, "error": kind_of(error), "at": place(error)}
        _log.error("%(part)s: %(kind)s failed: %(error)s at %(at)s", about)


class _Open:
    """One open connection of a client, and the questions that wait on it."""

    def __init__(self, link: Link) -> None:
        """Nobody waits yet."""
        self.link = link
        self.writing = asyncio.Lock()
        self.waiting: dict[int, asyncio.Future[Frame]] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def end(self, error: BaseException) -> None:
        """Close it and tell all who wait on it why."""
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self.link.writer.close()
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(error)


class Client:
    """Asks one peer; connects when first needed and again after a break."""

    def __init__(
        self, identity: Identity, peers: Peers, role: Role, host: str, port: int, network: Network = TLS
    ) -> None:
        """Prepare to reach `role` at `host:port`."""
        self._identity = identity
        self._peers = peers
        self._role = role
        self._address = (host, port)
        self._network = network
        self._open: _Open | None = None
        self._connecting = asyncio.Lock()
        self._next = 0

    async def call(
        self, kind: Kind, meta: dict[str, Any], buffers: Sequence[Buffer] = (), seconds: float = CALL_SECONDS
    ) -> Answer:
        """Ask and wait for the answer.

        Raises:
            Refusal: what the peer refused with, rebuilt by its slug.
            PartDown: the peer cannot be reached, went away or did not answer in time.

        """
        with span("ask", peer=self._role, kind=kind.name):
            return await self._call(kind, meta, buffers, seconds)

    async def _call(self, kind: Kind, meta: dict[str, Any], buffers: Sequence[Buffer], seconds: float) -> Answer:
        """Ask and wait."""
        line = await self._connected()
        self._next += 1
        number = self._next
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        line.waiting[number] = future
        try:
            # Not `wait_for`: in Python 3.11 it may swallow a cancellation that comes together with its result.
            async with asyncio.timeout(seconds):
                await _write(line.link.writer, line.writing, Frame(kind, Sort.ASK, number, meta, buffers))
                reply = await future
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise PartDown(f"{self._role} did not answer within {seconds:.0f} s.") from None
            self._drop(line, error)
            raise PartDown(_refused(self._role, error) or f"{self._role} went away.") from None
        finally:
            line.waiting.pop(number, None)
        if reply.sort is Sort.REFUSAL:
            raise refusal_of(str(reply.meta.get("slug")), str(reply.meta.get("detail")))
        return Answer(reply.meta, reply.buffers)

    async def _connected(self) -> _Open:
        """Give the open connection, opening it when there is none."""
        async with self._connecting:
            if self._open and not self._open.link.writer.is_closing():
                return self._open
            try:
                link = await self._network.connect(self._identity, self._peers, self._address)
            except (OSError, TimeoutError) as error:
                told = _refused(self._role, error)
                raise PartDown(told or f"{self._role} is down or cannot be reached.") from None
            if link.peer is not self._role:
                link.writer.close()
                raise PartDown(f"Something else answers at the address of {self._role}.")
            line = self._open = _Open(link)
            line.tasks.append(asyncio.create_task(self._read(line)))
            if link.moved:
                line.tasks.append(asyncio.create_task(self._watch(line, link.moved)))
            return line

    async def _read(self, line: _Open) -> None:
        """Hand each answer to whoever waits for it, until the link ends."""
        ended: BaseException = ConnectionResetError()
        try:
            while True:
                frame = await read_frame(line.link.reader)
                future = line.waiting.get(frame.id)
                if future and not future.done():
                    future.set_result(frame)
        except OSError as error:  # cut, refused, or found dead by the system (ETIMEDOUT, EHOSTUNREACH)
            ended = error
        except (asyncio.IncompleteReadError, WireBroken):
            pass
        finally:
            self._drop(line, ended)

    async def _watch(self, line: _Open, moved: Callable[[], object]) -> None:
        """End a link on which nothing moves while somebody waits: not every cut is told to both ends."""
        while True:
            before = moved()
            await asyncio.sleep(SILENCE_SECONDS)
            if not line.waiting or moved() != before:
                continue
            with contextlib.suppress(OSError):
                async with asyncio.timeout(SILENCE_SECONDS):
                    # Nobody waits for its answer; that bytes come is enough.
                    await _write(line.link.writer, line.writing, Frame(Kind.PING))
            await asyncio.sleep(SILENCE_SECONDS)
            if moved() == before:
                told = {"part": self._identity.role, "peer": self._role}
                _log.warning("%(part)s: the link to %(peer)s has fallen silent; it is opened anew", told)
                self._drop(line, ConnectionResetError())
                return

    def _drop(self, line: _Open, error: BaseException) -> None:
        """Forget a connection and tell all who wait on it; a newer one stays."""
        if self._open is line:
            self._open = None
        line.end(error)

    async def close(self) -> None:
        """End the link."""
        line = self._open
        if line:
            self._drop(line, ConnectionResetError())
            await asyncio.gather(*line.tasks, return_exceptions=True)


def _refused(role: Role, error: BaseException) -> str | None:
    """Say which certificate was not accepted, where that is what happened."""
    told = why(error)
    return f"No link to {role}: {told}." if told else None
