"""A line between two machines that is slow, falls silent, breaks, or carries half of what was said.

with BadLine(("127.0.0.1", 7102), delay_s=0.05) as line:
    ...                  # parts talk to line.address instead
    line.stall()         # nothing arrives any more, and nobody is told
    line.flow()          # what was held up arrives
    line.cut()           # every connection ends at once
    line.cut_after(100)  # the next 100 bytes arrive, then every connection ends
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine

PIECE = 1 << 16


class BadLine:
    """A TCP proxy in a thread of its own."""

    def __init__(self, target: tuple[str, int], delay_s: float = 0.0, port: int = 0) -> None:
        """Carry bytes to and from `target`, each `delay_s` late in each direction."""
        self.delay_s = delay_s
        self.carried = 0
        self.connections = 0
        self._target = target
        self._port = port
        self._left: int | None = None
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.address = ("127.0.0.1", 0)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._flowing.set()
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._carry, "127.0.0.1", self._port))
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection and listen no more."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the line's own thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- what may happen to a line ----

    def stall(self) -> None:
        """Hold everything up."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        """Let everything through again."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def cut(self) -> None:
        """End every connection that there is; new ones are carried."""
        self._do(self._abort())

    def cut_after(self, count: int) -> None:
        """Carry so many bytes more, then end every connection that there is."""
        self._left = count

    async def _abort(self) -> None:
        self._left = None
        for writer in list(self._writers):
            writer.transport.abort()

    # ---- carrying ----

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection both ways until either end is gone."""
        self.connections += 1
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        ways = [self._way(reader, far_writer), self._way(far_reader, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for one in (writer, far_writer):
                one.transport.abort()
                self._writers.discard(one)

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one way: each piece arrives `delay_s` after it came, whatever else is on its way."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arriving = asyncio.create_task(self._arrive(under_way, writer))
        try:
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(PIECE):
                    under_way.put_nowait((self._loop.time() + self.delay_s, piece))
                await under_way.join()
        finally:
            arriving.cancel()

    async def _arrive(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        """Give each piece on when its time has come."""
        with contextlib.suppress(ConnectionError):
            while True:
                due, piece = await under_way.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await self._flowing.wait()
                if self._left is not None:
                    piece = piece[: self._left]
                    self._left -= len(piece)
                writer.write(piece)
                await writer.drain()
                self.carried += len(piece)
                under_way.task_done()
                if self._left == 0:
                    await asyncio.sleep(0.01)  # what was written goes out before the end does
                    await self._abort()
