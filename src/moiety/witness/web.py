"""Serving the witness's pages over HTTP, in the witness's own process and loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import uvicorn

from moiety.witness.pages import Pages

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from moiety.witness.pages import Site


class Web:
    """A running HTTP server."""

    def __init__(self, site: Site) -> None:
        """Prepare the pages of `site`.

        Raises:
            BadInput: an origin is none.

        """
        config = uvicorn.Config(
            Pages(site), log_config=None, access_log=False, lifespan="off", server_header=False, date_header=False
        )
        self._server = _Quiet(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a socket that listens already."""
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        if self._task:
            await self._task


class _Quiet(uvicorn.Server):
    """Leaves the process's signals to whoever runs the part."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take none."""
        yield
