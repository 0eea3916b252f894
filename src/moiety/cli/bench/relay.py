"""A TCP relay that counts: what goes over the wire between two parts, each way, as the wire sees it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES = 1 << 18


class Relay:
    """Carries every connection to `target` and counts bytes; `with Relay(...)` runs it in threads."""

    def __init__(self, target: tuple[str, int]) -> None:
        """Listen on a port of its own."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.forth_bytes = self.back_bytes = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def __enter__(self) -> Self:
        """Begin."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more connections; those that there are end with their ends."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                for line in (near, far):
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._carry, args=(near, far, self._forth), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, self._back), daemon=True).start()

    def _forth(self, count: int) -> None:
        with self._lock:
            self.forth_bytes += count

    def _back(self, count: int) -> None:
        with self._lock:
            self.back_bytes += count

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket, count: Callable[[int], None]) -> None:
        room = memoryview(bytearray(PIECE_BYTES))
        with contextlib.suppress(OSError):
            while got := source.recv_into(room):
                count(got)  # before it goes on: who has received it may read the count
                sink.sendall(room[:got])
            sink.shutdown(socket.SHUT_WR)
