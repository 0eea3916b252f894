"""A gallery behind the API whose acts others than the gate sign."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from api_in_process import WHY, Api, upload
from signed_site import Somebody, raw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    import numpy as np
    from numpy.typing import NDArray

    from moiety.storage import Gallery

G = "/v1/galleries/doors"


class Door:
    """A gallery with Ada in it, the owner's line, and the people on the vaults' roster."""

    def __init__(self, api: Api, gallery: Gallery, client: httpx.AsyncClient) -> None:
        self.api, self.gallery, self.client = api, gallery, client
        self.ada: NDArray[np.float32] = api.site.sight.person()
        self.subject = ""
        self.people: dict[str, Somebody] = {}

    async def ask(self, image: bytes, **form: str) -> httpx.Response:
        return await self.client.post(f"{G}/identify", data=WHY | form, files=upload(image))

    async def paper(self, name: str) -> bytes:
        """Fetch the first warrant of a question."""
        material = (await self.client.get(f"/v1/questions/{name}/material")).json()
        return raw(material["papers"][0]["warrant"])

    async def sign(self, name: str, *people: str) -> httpx.Response:
        """Sign as these people, one after another."""
        warrant = await self.paper(name)
        reply: httpx.Response | None = None
        for person in people:
            reply = await self.client.post(f"/v1/questions/{name}/signatures", json=self.people[person].signs(warrant))
        assert reply is not None
        return reply

    async def answer(self, name: str) -> dict[str, Any]:
        """Wait until a question does not wait any more, and fetch it."""
        for _ in range(400):
            reply = await self.client.get(f"/v1/questions/{name}")
            assert reply.status_code == 200, reply.text
            found: dict[str, Any] = reply.json()
            if found["state"] != "waiting":
                return found
            await asyncio.sleep(0.02)
        raise AssertionError("it waits for ever")


@asynccontextmanager
async def door_over(api: Api) -> AsyncIterator[Door]:
    async with api.owner as client:
        gallery = await api.site.gallery("doors")
        made = Door(api, gallery, client)
        reply = await client.post(f"{G}/subjects", data=WHY | {"reference": "Ada"}, files=upload(api.photo(made.ada)))
        made.subject = reply.json()["subject_id"]
        yield made
