"""A console, a signing page and real vaults in one process, with painted faces, for a browser with a passkey."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import httpx
import numpy as np
import uvicorn
from PIL import Image

from api_in_process import START_SECONDS, WHY, Api, WordyQuality, api_over, upload
from moiety.warrants.passkeys import registered
from moiety.witness.pages import Site
from moiety.witness.web import Web
from parts_in_process import PaintedFace
from signed_site import put_policy, raw, seat_passkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from pathlib import Path

    from playwright.sync_api import CDPSession, Page

    from moiety.access.provider import Organisation
    from moiety.storage import Gallery
    from moiety.vault.policy import Needs

BOX = (60, 40, 120, 150)


def portrait(seed: int) -> bytes:
    """Draw a picture that a browser can show; what face it is, the painted sight is told."""
    drawn = np.full((300, 400, 3), (226, 222, 212), np.uint8)
    x, y, w, h = BOX
    drawn[y : y + h, x : x + w] = (178, 134, 112)
    drawn[y + 45 : y + 55, x + 25 : x + 95] = (60, 48, 44)
    drawn[seed % 300, :] = seed % 200
    file = io.BytesIO()
    Image.fromarray(drawn).save(file, "PNG")
    return file.getvalue()


class SigningSite:
    """The gate at 127.0.0.1 and the witness's page at localhost, each at its own port, in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._gate, self._page = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.url = f"http://127.0.0.1:{self._gate.getsockname()[1]}"
        self.witness = f"http://localhost:{self._page.getsockname()[1]}"
        self._up = threading.Event()
        self._server: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.organisation: Organisation | None = None
        self.api: Api
        self.gallery: Gallery
        self.ada = portrait(1)
        self._face: Any = None

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        web = Web(Site(self.witness, (self.url,)))
        async with api_over(self._folder, None, f"{self.witness}/sign", self.organisation) as self.api:
            self.gallery = await self.api.site.gallery("friends")
            self._face = self.api.site.sight.person()
            self.paint(self.ada)
            await web.start(self._page)
            options = uvicorn.Config(self.api.app, log_config=None, access_log=False, lifespan="off")
            self._server = uvicorn.Server(options)
            self._up.set()
            await self._server.serve(sockets=[self._gate])
            await web.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(START_SECONDS)
        with self.owner() as owner:
            form = WHY | {"reference": "Ada"}
            assert owner.post("galleries/friends/subjects", data=form, files=upload(self.ada)).status_code == 201
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive()

    def do(self, work: Awaitable[Any]) -> Any:
        """Run something in the site's own loop."""
        assert self._loop is not None

        async def whole() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result(START_SECONDS)

    def paint(self, picture: bytes) -> bytes:
        """Let the eye see Ada in a picture."""
        sight = self.api.site.sight
        sight._pictures[picture] = [PaintedFace(sight.like(self._face, 0.97), BOX, WordyQuality())]
        return picture

    def owner(self) -> httpx.Client:
        """Be the owner of the folder."""
        headers = {"authorization": f"Bearer run_{self.api.token}"}
        return httpx.Client(base_url=f"{self.url}/v1/", headers=headers, timeout=60, trust_env=False)

    def ask(self, picture: bytes | None = None, **form: str) -> dict[str, Any]:
        """Ask who is in a picture; gives the question that waits."""
        image = picture or self.paint(portrait(int.from_bytes(hashlib.sha256(repr(form).encode()).digest()[:4])))
        with self.owner() as owner:
            reply = owner.post("galleries/friends/identify", data=WHY | form, files=upload(image))
        assert reply.status_code == 202, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def material(self, name: str) -> dict[str, Any]:
        """Fetch what is to be signed."""
        with self.owner() as owner:
            found: dict[str, Any] = owner.get(f"questions/{name}/material").json()
        return found

    def send(self, name: str, signature: dict[str, Any]) -> httpx.Response:
        """Hand in a signature."""
        with self.owner() as owner:
            return owner.post(f"questions/{name}/signatures", json=signature)

    def answer(self, name: str) -> dict[str, Any]:
        """Wait for the end of a question and fetch it."""
        self.do(self.api.site.house.parked.get(name).task)
        with self.owner() as owner:
            found: dict[str, Any] = owner.get(f"questions/{name}").json()
        return found

    def seat(self, cards: dict[str, dict[str, Any]], **needs: Needs) -> None:
        """Put people on the vaults' roster by what the registration page gave, and set the policy."""
        passkeys = {name: registered(raw(card["authenticator_data"]), "localhost") for name, card in cards.items()}

        async def put() -> None:
            seat_passkey(self.api.site, self.gallery, self.witness, passkeys, **needs)

        self.do(put())

    def seat_policy(self, **needs: Needs) -> None:
        """Change the policy."""

        async def put() -> None:
            put_policy(self.api.site, self.gallery, **needs)

        self.do(put())

    def day(self, days: int) -> str:
        """Give a day so many days from now, as a form writes it."""
        at = self.api.site.clock.now() + days * 86_400
        return datetime.fromtimestamp(at, UTC).date().isoformat()

    def ticket(self) -> str:
        """Make a way into the console."""
        with self.owner() as owner:
            return self.url + str(owner.post("tickets").json()["path"])


class Device:
    """A phone or laptop with passkeys, whose owner shows a finger; each window gets it anew (W3C WebAuthn, chapter 11).

    `verified` false is somebody else's finger.
    """

    def __init__(self) -> None:
        self.verified = True
        self._keys: list[dict[str, Any]] = []

    @contextmanager
    def at(self, page: Page) -> Iterator[None]:
        """Let a page use the passkeys, and keep what it makes of them."""
        session: CDPSession = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": self.verified,
            "automaticPresenceSimulation": True,
        }
        made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        # A window that closes at once is asked no more: it tells what it makes when it makes it.
        session.on("WebAuthn.credentialAdded", lambda told: self._keep(told["credential"]))
        session.on("WebAuthn.credentialAsserted", lambda told: self._keep(told["credential"]))
        for key in self._keys:
            session.send("WebAuthn.addCredential", made | {"credential": key})
        yield
        if not page.is_closed():
            session.detach()

    def _keep(self, credential: dict[str, Any]) -> None:
        """Keep a passkey as it is now."""
        others = [one for one in self._keys if one["credentialId"] != credential["credentialId"]]
        self._keys = [*others, credential]

    def register(self, page: Page, witness: str, name: str) -> dict[str, Any]:
        """Make a passkey on the witness's page; gives the card for the roster."""
        page.goto(f"{witness}/register")
        with self.at(page):
            page.fill("#name", name)
            page.click("#create")
            page.wait_for_selector("#made:visible")
        card: dict[str, Any] = json.loads(page.input_value("#made"))
        return card

    def sign(self, page: Page) -> None:
        """Sign what a page shows."""
        with self.at(page):
            page.click("#sign")
            page.wait_for_selector("#done:visible, #trouble:not(:empty)")
