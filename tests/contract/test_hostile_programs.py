"""What a program tries whose key enrols: it lets nobody in as somebody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import WHY, Api, api_over, upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

G = "/v1/galleries/doors"
ENROL, AMEND = "gallery:subject:enrol", "gallery:subject:amend"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        await made.site.gallery("doors")
        yield made


def enrolments(api: Api) -> list[dict[str, Any]]:
    entries = api.site.house.desk.ledger.entries(limit=1000)
    return [json.loads(one.detail) for one in entries if one.act in {"enrol", "own-template"}]


async def test_a_key_that_enrols_adds_no_face_to_somebody_who_has_one(api: Api) -> None:
    ada, eve = api.site.sight.person(), api.site.sight.person()

    async def adds(client: httpx.AsyncClient, path: str = "subjects", **more: str) -> httpx.Response:
        return await client.post(f"{G}/{path}", data=WHY | more, files=upload(api.photo(eve)))

    async with api.owner as owner, api.client(api.key(ENROL)) as door, api.client(api.key(ENROL, AMEND)) as desk:
        asked: dict[str, Any] = {"data": WHY | {"reference": "Ada"}, "files": upload(api.photo(ada))}
        made = await door.post(f"{G}/subjects", **asked)
        assert (made.status_code, made.json()["new_subject"]) == (201, True)
        one = f"subjects/{made.json()['subject_id']}"
        for reply in (
            await adds(door, reference="Ada"),
            await adds(door, f"{one}/photos"),
            await adds(door, f"{one}/own-template"),
        ):
            assert (reply.status_code, reply.json()["type"]) == (403, "urn:moiety:problem:forbidden")
            assert AMEND in reply.json()["detail"]
        seen = await owner.post(f"{G}/identify", data=WHY, files=upload(api.photo(eve)))
        assert seen.json()["faces"][0]["candidates"] == []
        assert [one.get("added") for one in enrolments(api)] == [None]

        added = await adds(desk, reference="Ada")
        assert (added.status_code, added.json()["new_subject"]) == (201, False)
        assert (await adds(owner, f"{one}/photos")).status_code == 201
        assert [one.get("added") for one in enrolments(api)] == [None, 1, 1]
        photos = (await owner.get(f"{G}/{one}/photos")).json()["photos"]
        assert [photo["added"] for photo in photos] == [False, True, True]
        assert photos[1]["id"] == added.json()["photo_id"]
        browser = api.client()
        await browser.get(f"/enter?ticket={api.app.state.gate.sessions.ticket()}")
        page = (await browser.get(f"/people/{api.site.house.desk.gallery('doors').id}/{one.partition('/')[2]}")).text
        assert page.count("added later") == 2
