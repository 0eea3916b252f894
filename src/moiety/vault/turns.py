"""Turns at a gallery: many may search at once, one alone may move its rows; and changes of rows one after the other."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moiety.foundation.errors import Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# How long a change of rows waits for a refresh to end before it is sent away.
PATIENCE_SECONDS = 5.0
UNKNOWN_SECONDS = 10


class _Turn:
    """A fair lock with shared and exclusive holders: a waiting change holds back later searches."""

    def __init__(self) -> None:
        self.entry = asyncio.Lock()
        self.readers = 0
        self.empty = asyncio.Event()
        self.empty.set()


class Turns:
    """One turn per gallery."""

    def __init__(self) -> None:
        """Begin with none."""
        self._turns: defaultdict[str, _Turn] = defaultdict(_Turn)

    @asynccontextmanager
    async def shared(self, gallery: str) -> AsyncIterator[None]:
        """Hold the gallery still while it is searched."""
        turn = self._turns[gallery]
        async with turn.entry:
            turn.readers += 1
            turn.empty.clear()
        try:
            yield
        finally:
            turn.readers -= 1
            if not turn.readers:
                turn.empty.set()

    @asynccontextmanager
    async def alone(self, gallery: str) -> AsyncIterator[None]:
        """Wait until nobody searches, and keep new searches waiting."""
        turn = self._turns[gallery]
        async with turn.entry:
            await turn.empty.wait()
            yield


@dataclass(slots=True)
class Hold:
    """A refresh that keeps rows from coming and going, and how far it is."""

    began: float
    part: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def seconds_left(self, now: float) -> int:
        """Guess how long it will take, from how long it took."""
        if self.part <= 0:
            return UNKNOWN_SECONDS
        return max(1, math.ceil((now - self.began) * (1 - self.part) / self.part))


class Changes:
    """Changes of a gallery's rows, one after the other; a refresh holds back those that it cannot have meanwhile."""

    def __init__(self) -> None:
        """Begin with none."""
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._holds: dict[str, Hold] = {}

    @asynccontextmanager
    async def one(self, gallery: str, *, held_back: bool = False) -> AsyncIterator[None]:
        """Let one change through; with `held_back` none while a refresh goes on.

        Raises:
            Busy: the refresh takes longer than a change waits for it.

        """
        while True:
            if held_back and gallery in self._holds:
                await self._wait(self._holds[gallery])
            async with self._locks[gallery]:
                if held_back and gallery in self._holds:
                    continue
                yield
                return

    @staticmethod
    async def _wait(hold: Hold) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await hold.ended.wait()
        except TimeoutError:
            left = hold.seconds_left(asyncio.get_running_loop().time())
            raise Busy(f"The gallery's halves are being renewed; try again in {left} s.") from None

    def hold(self, gallery: str) -> Hold:
        """Begin to hold changes back; the caller has the gallery's change."""
        made = self._holds[gallery] = Hold(asyncio.get_running_loop().time())
        return made

    def release(self, gallery: str) -> None:
        """Let changes through again."""
        hold = self._holds.pop(gallery, None)
        if hold:
            hold.ended.set()

    @contextmanager
    def held(self, gallery: str) -> Iterator[Hold]:
        """Hold changes back for a while."""
        try:
            yield self.hold(gallery)
        finally:
            self.release(gallery)
