"""What the parts say of themselves, asked at most once a second, whoever wants to know."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moiety.foundation.clock import Clock

FRESH_SECONDS: Final = 1.0
T = TypeVar("T")


class Parts(Generic[T]):
    """Remembers the last answer for a second."""

    def __init__(self, ask: Callable[[], Awaitable[dict[str, T]]], clock: Clock) -> None:
        """Ask with `ask`."""
        self._ask = ask
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: dict[str, T] = {}
        self._at = float("-inf")

    async def state(self) -> dict[str, T]:
        """Say for each part what was asked."""
        async with self._lock:
            if self._clock.monotonic() - self._at >= FRESH_SECONDS:
                self._known = await self._ask()
                self._at = self._clock.monotonic()
            return dict(self._known)
