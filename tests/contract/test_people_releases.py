"""Who waits for the written release: counted by a row of their own, from being entered to giving it or saying no."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from api_in_process import WHY, Api, api_over, upload
from api_people import RULE, STAFF, consent, entered, made
from databases import BOTH
from moiety.foundation.ids import GalleryId
from staffed import SIGN_AT, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = BOTH
HTML = {"accept": "text/html"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as site:
        yield site


async def waiting(client: httpx.AsyncClient) -> list[str]:
    """Say who waits, the longest first."""
    reply = await client.get(f"{STAFF}/release-waits")
    assert reply.status_code == 200, reply.text
    return [one["subject_id"] for one in reply.json()["waits"]]


async def test_people_wait_until_they_release_or_decline(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        people = []
        for name in ("Ada King", "Ben Ali", "Eve Roy", "Ola Ek"):
            people.append(await entered(owner, name))
            api.site.clock.move(60)
        ada, ben, eve, ola = people
        assert await waiting(owner) == people
        assert (await owner.get(f"{STAFF}/release-waits", params={"limit": 1})).json()["waits"][0]["subject_id"] == ada
        assert (await consent(api, owner, ada)).status_code == 201
        declined = await owner.post(f"{STAFF}/subjects/{ben}/decline", json=WHY)
        assert (declined.status_code, declined.json()["awaits_release"]) == (200, False)
        assert (await owner.post(f"{STAFF}/subjects/{ben}/decline", json=WHY)).status_code == 404
        assert (await owner.post(f"{STAFF}/subjects/{eve}/withdraw", json=WHY | {"keep_card": True})).status_code == 200
        assert (await owner.post(f"{STAFF}/subjects/{ola}/object", json=WHY)).status_code == 200
        assert await waiting(owner) == []
        # Who decides that an objection does not hold asks again; who said no or withdrew is left alone.
        assert (await owner.post(f"{STAFF}/subjects/{ola}/overrule", json=WHY)).status_code == 200
        assert await waiting(owner) == [ola]
        # Whoever said no may still release, and does every job by the card meanwhile.
        shown = await owner.post(f"{STAFF}/present", json=WHY | {"reference": "Ben Ali"})
        assert shown.json() == {"same": True, "subject_id": ben}
        assert (await consent(api, owner, ben)).status_code == 201
        assert (await owner.delete(f"{STAFF}/subjects/{ola}", params=WHY)).status_code in {200, 204}
        assert await waiting(owner) == []


async def test_a_gallery_that_begins_to_ask_asks_those_who_are_there(api: Api) -> None:
    async with api.owner as owner:
        await made(owner, consent=False)
        photo = upload(api.photo(api.site.sight.person()))
        faced = (await owner.post(f"{STAFF}/subjects", data=WHY, files=photo)).json()["subject_id"]
        decoy = await owner.post(f"{STAFF}/decoys", json=WHY | {"reference": "Nobody", "fields": {}})
        assert decoy.status_code == 201, decoy.text
        assert await waiting(owner) == []
        assert (await owner.put(f"{STAFF}/rules", json=RULE)).status_code == 200
        assert await waiting(owner) == [faced]
        decoy = await owner.post(f"{STAFF}/decoys", json=WHY | {"reference": "Nobody else", "fields": {}})
        assert decoy.status_code == 201, decoy.text
        assert await waiting(owner) == [faced]


async def test_home_says_who_waits_to_those_who_may_take_the_release(api: Api) -> None:
    async with api.owner as owner:
        gallery = await made(owner)
        for name in ("Ada King", "Ben Ali"):
            await entered(owner, name)
    ada = await first(api)
    ben = await invited(api, ada, "Ben Ali", "registrar")
    eve = await invited(api, ada, "Eve Roy", "officer", second=ben)
    words, place = "2 enrolments wait for the written release", f"/people/{gallery}/releases"
    home = (await ben.get("/", headers=HTML)).text
    assert (words in home, f'href="{place}"' in home) == (True, True)
    assert words not in (await eve.get("/", headers=HTML)).text
    listed = await ben.get(place, headers=HTML)
    assert listed.status_code == 200, listed.text
    with api.site.store.read() as tx:
        people = [subject for subject, _ in tx.release_waits.oldest(GalleryId(gallery), 10)]
    assert re.findall(r'href="/people/\w+/(\w+)/consent"', listed.text) == people
    assert (await eve.get(place, headers=HTML)).status_code == 403
    one = f"/people/{gallery}/{people[0]}"
    assert "They give no release" in (await ben.get(one, headers=HTML)).text
    assert (await ben.post(f"{STAFF}/subjects/{people[0]}/decline", json=WHY)).status_code == 200
    assert "They give no release" not in (await ben.get(one, headers=HTML)).text
    assert "1 enrolment waits" in (await ben.get("/", headers=HTML)).text
