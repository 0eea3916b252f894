"""A tap on the line between the vaults: somebody who has both ends' link keys reads each frame, and turns a bit."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from moiety.wire.frames import Buffer, Frame, encode, read_frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.network import TLS

if TYPE_CHECKING:
    from moiety.drill.ground import Ground
    from moiety.wire.network import Link

EXCHANGED = (Kind.ROUND, Kind.STREAM)


class Tap:
    """Listens in vault B's name, passes everything on to vault B in vault A's name; `turned` counts altered frames."""

    def __init__(self, ground: Ground) -> None:
        """Take the keys of both vaults."""
        self._as_b, self._as_a = ground.place(Role.VAULT_B), ground.place(Role.VAULT_A)
        self._to = ground.parts.addresses()[Role.VAULT_B]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.turning = False
        self.turned = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut every line."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _listen(self) -> None:
        """Open the port."""
        self._listening = await TLS.listen(self._as_b.identity, self._as_b.peers, self._listener, self._pass_on)

    async def _end(self) -> None:
        """Close the port and end what runs."""
        self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass_on(self, link: Link) -> None:
        """Carry frames both ways until one side ends."""
        onwards = await TLS.connect(self._as_a.identity, self._as_a.peers, self._to)
        both = [
            asyncio.create_task(self._carry(link, onwards, turns=True)),
            asyncio.create_task(self._carry(onwards, link, turns=False)),
        ]
        # When the tap is taken off, this ends like a line that is cut.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for carrier in both:
            carrier.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for end in (link, onwards):
            with contextlib.suppress(OSError):
                end.writer.close()

    async def _carry(self, source: Link, target: Link, *, turns: bool) -> None:
        """Read frames and write them."""
        while True:
            frame = await read_frame(source.reader)
            if turns and self.turning and frame.kind in EXCHANGED and frame.buffers:
                frame = self._turn(frame)
            target.writer.writelines(encode(frame))
            await target.writer.drain()

    def _turn(self, frame: Frame) -> Frame:
        """Turn the first bit of the last buffer."""
        *first, last = frame.buffers
        altered = bytearray(last)
        altered[0] ^= 1
        self.turned += 1
        buffers: list[Buffer] = [*first, altered]
        return Frame(frame.kind, frame.sort, frame.id, frame.meta, buffers)
