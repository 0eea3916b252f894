"""The API over an installation in one process: real parts, real database, painted faces.

async with api_over(tmp_path) as api:
    reply = await api.owner.get("/v1/galleries")
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx
import uvicorn

from moiety.access import ApiKeys
from moiety.api import Access, Limits, create_app
from moiety.console import attach
from parts_in_process import InProcess, PaintedFace, PaintedQuality

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import numpy as np
    from fastapi import FastAPI
    from numpy.typing import NDArray

    from moiety.access.provider import Organisation
    from moiety.foundation.errors import Fault

DAY = 86_400
START_SECONDS = 60
WHY = {"reason": "a test"}


class WordyQuality(PaintedQuality):
    """What the real eye says of a good face."""

    def as_dict(self) -> dict[str, Any]:
        numbers = {"embedding_length": 3.5, "sharpness": 20.0, "brightness": 120, "size_px": 90}
        angles = {"yaw_deg": 1, "pitch_deg": 2, "roll_deg": 3}
        return numbers | angles | {"enrollable": self.enrollable, "reasons": list(self.reasons)}


@dataclass(slots=True)
class Api:
    """An application, a client that is the owner, one that is nobody, and what the application called faults."""

    app: FastAPI
    site: InProcess
    keys: ApiKeys
    token: str
    faults: list[Fault] = field(default_factory=list)

    def client(self, token: str | None = None, base: str = "http://localhost") -> httpx.AsyncClient:
        """Make a client with this token, or with none."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=base, headers=headers)

    @property
    def owner(self) -> httpx.AsyncClient:
        """Make a client with the run token."""
        return self.client(f"run_{self.token}")

    def key(self, *scopes: str) -> str:
        """Issue a key for a day."""
        return self.keys.issue("a-test", scopes, self.site.clock.now() + DAY)[1]

    def photo(self, *people: NDArray[np.float32], cosine: float = 0.97, quality: WordyQuality | None = None) -> bytes:
        """Make a new picture of these people, biggest first."""
        good = quality or WordyQuality()
        faces = [(self.site.sight.like(one, cosine), (5, 7, 200 - i, 240 - i)) for i, one in enumerate(people)]
        return self.site.sight.paint(*(PaintedFace(vector, box, good) for vector, box in faces))


def upload(image: bytes, name: str = "image") -> dict[str, Any]:
    """Give the files argument for one picture."""
    return {name: ("picture", image)}


@asynccontextmanager
async def api_over(
    folder: Path, limits: Limits | None = None, sign_at: str = "", organisation: Organisation | None = None
) -> AsyncIterator[Api]:
    """Run everything but the eye's sight."""
    async with InProcess(folder) as site:
        yield wired(site, limits, sign_at, organisation)


def wired(
    site: InProcess, limits: Limits | None = None, sign_at: str = "", organisation: Organisation | None = None
) -> Api:
    """Put API and console over a running site."""
    token, keys = secrets.token_urlsafe(32), ApiKeys(site.store, site.clock)
    faults: list[Fault] = []
    access, on_fault = Access(keys, token), faults.append
    app = create_app(site.house, access, limits, on_fault=on_fault, sign_at=sign_at, organisation=organisation)
    attach(app)
    return Api(app, site, keys, token, faults)


class Served:
    """The application behind uvicorn, in a thread with a loop of its own."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self._folder = folder
        self._limits = limits
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._up = threading.Event()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.api: Api
        self.subject = ""

    async def _serve(self) -> None:
        async with api_over(self._folder, self._limits) as self.api:
            options = uvicorn.Config(self.api.app, log_config=None, access_log=False, lifespan="off")
            self._server = uvicorn.Server(options)
            self._up.set()
            await self._server.serve(sockets=[self._listener])

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive()
