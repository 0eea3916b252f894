"""The answering end of streams: a thread for each connection, which has it to itself until it ends."""

from __future__ import annotations

import logging
import ssl
import threading
from typing import TYPE_CHECKING, TypeAlias

from moiety.foundation.errors import Forbidden, Refusal, Unavailable, WireBroken
from moiety.watch import kind_of, place
from moiety.wire.frames import Frame, Sort
from moiety.wire.kinds import may
from moiety.wire.network import STREAM
from moiety.wire.streams import StreamLink

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from moiety.wire.cards import Peers
    from moiety.wire.identity import Identity
    from moiety.wire.kinds import Kind, Role

_log = logging.getLogger(__name__)

StreamHandler: TypeAlias = "Callable[[StreamLink, Frame], None]"
LINKS_MAX = 64
END_SECONDS = 5.0


class StreamServer:
    """Serves the streams of one part; `handlers` go on with the link after the frame that asked for them."""

    def __init__(self, identity: Identity, peers: Peers, handlers: Mapping[Kind, StreamHandler]) -> None:
        """Serve `handlers`; who may call which is fixed in `kinds.ALLOWED`."""
        self._identity = identity
        self._peers = peers
        self._handlers = handlers
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._closed = False

    def take(self, line: socket.socket) -> None:
        """Serve a connection whose first message asks for a stream; it is closed where there are too many."""
        thread = threading.Thread(target=self._run, args=(line,), name="stream", daemon=True)
        with self._lock:
            if self._closed or len(self._threads) >= LINKS_MAX:
                line.close()
                return
            self._threads[thread] = line
        thread.start()

    def _run(self, line: socket.socket) -> None:
        """Shake hands and serve until the link ends or breaks the rules."""
        try:
            context = self._identity.context(self._peers, server=True)
            context.set_alpn_protocols([STREAM])
            link = StreamLink(line, context, server=True)
            try:
                self._serve(link)
            finally:
                link.close()
        except (OSError, ssl.SSLError):
            pass  # the peer went away, is a stranger (its handshake is in the log), or this part is closing
        finally:
            with self._lock:
                self._threads.pop(threading.current_thread(), None)

    def _serve(self, link: StreamLink) -> None:
        """Answer frame after frame."""
        sender = self._peers.role_of(link.certificate)
        frame: Frame | None = None
        try:
            while sender:
                link.wait()
                frame = link.receive()
                self._answer(sender, link, frame)
        except WireBroken:
            told = {"part": self._identity.role, "peer": sender}
            _log.warning("%(part)s: closed a stream from %(peer)s: broken frame", told)
        except Refusal as refusal:
            if frame:
                about = {"part": self._identity.role, "kind": frame.kind.name, "slug": refusal.slug}
                _log.info("%(part)s: refused %(kind)s: %(slug)s", about)
                answer = {"slug": refusal.slug, "detail": str(refusal)}
                link.send(Frame(frame.kind, Sort.REFUSAL, frame.id, answer))
                link.linger()

    def _answer(self, sender: Role, link: StreamLink, frame: Frame) -> None:
        """Check who asks, then let the handler have the link."""
        handler = self._handlers.get(frame.kind)
        if frame.sort is not Sort.ASK or handler is None or not may(sender, frame.kind, self._identity.role):
            raise Forbidden("This part does not answer that question from you.")
        try:
            handler(link, frame)
        except (Refusal, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: the asker learns that it failed
            # An error's own text could hold content, so it stays out of the log.
            about = {"part": self._identity.role, "kind": frame.kind.name, "error": kind_of(error), "at": place(error)}
            _log.error("%(part)s: %(kind)s failed: %(error)s at %(at)s", about)
            raise Unavailable("A part failed on this question; see its log.") from None

    def close(self) -> None:
        """End every stream and wait until their threads have ended."""
        with self._lock:
            self._closed = True
            threads = dict(self._threads)
        for line in threads.values():
            try:
                line.shutdown(2)
            except OSError:
                continue  # it has just ended by itself
        for thread in threads:
            thread.join(END_SECONDS)
