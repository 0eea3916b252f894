"""A part put together, and what it does by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from typing import Any

    from moiety.cli.standing import Words
    from moiety.wire.frames import Frame
    from moiety.wire.kinds import Kind
    from moiety.wire.links import Answer
    from moiety.wire.stream_server import StreamHandler

    Handlers = dict[Kind, Callable[[Frame], Awaitable[Answer]]]

# What runs beside the answering, held so that nothing collects it.
BACKGROUND: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Wired:
    """A part put together: what its peers may ask it, what commands on its own machine may, what `status` adds."""

    handlers: Handlers
    words: Words = field(default_factory=dict)
    more: Callable[[], dict[str, Any]] = dict
    streams: dict[Kind, StreamHandler] = field(default_factory=dict)
