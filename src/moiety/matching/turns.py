"""Turns at a gallery: many may search at once, one alone may change its rows."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
