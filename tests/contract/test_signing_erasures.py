"""Erasures that others than the gate sign, over the API: they wait, are refused, and are carried out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_in_process import WHY, Api, api_over, upload
from databases import BOTH
from moiety.vault.policy import Needs
from moiety.warrants.proofs import DeviceSlip, by_device, sign_slip
from moiety.warrants.warrant import Warrant
from moiety.wire.kinds import Role
from signed_door import Door, G, door_over
from signed_site import Camera, Somebody, body, put_policy, raw, seat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


pytestmark = BOTH


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at="https://sign.example.org/sign") as made:
        yield made


@pytest.fixture
async def door(api: Api) -> AsyncIterator[Door]:
    async with door_over(api) as made:
        yield made


async def test_an_erasure_whose_signature_is_refused_waits_for_a_good_one(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", erases=Needs.OPERATOR) | {"eve": Somebody("eve")}
    one = f"{G}/subjects/{door.subject}"
    told = (await door.client.delete(one, params=WHY)).json()
    assert (await door.client.get(one)).status_code == 200
    refused = await door.sign(told["id"], "eve")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:moiety:problem:warrant-refused")
    (waits,) = (await door.client.get("/v1/questions")).json()["questions"]
    assert (waits["id"], waits["act"], waits["state"], waits["signed"]) == (told["id"], "erase", "waiting", 0)
    assert (await door.client.get(one)).status_code == 200, "nobody who may has said anything yet"
    await door.sign(waits["id"], "ada")
    await door.api.site.house.parked.get(waits["id"]).task
    for half in (Role.VAULT_A, Role.VAULT_B):
        assert len(door.api.site.vault(half)._cabinet.shelf(door.gallery.id)) == 0
    assert (await door.client.get(one)).status_code == 404
    assert await door.api.site.house.settler.unsigned() == []


async def test_whose_time_is_over_goes_at_once_and_is_erased_when_somebody_signs(api: Api) -> None:
    async with api.owner as client:
        gallery = await api.site.gallery("doors", retention_days=1)
        door = Door(api, gallery, client)
        await client.post(f"{G}/subjects", data=WHY, files=upload(api.photo(door.ada)))
        door.people = seat(api.site, gallery, "ada", "ben", erases=Needs.TWO_PERSON)
        api.site.clock.move(2 * 86_400)
        assert await api.site.house.retention.sweep() == 0
        assert (await door.ask(api.photo(door.ada))).json()["faces"][0]["candidates"] == []
        await api.site.house.awaiting.ask()
        (waits,) = (await client.get("/v1/questions")).json()["questions"]
        await door.sign(waits["id"], "ada", "ben")
        await api.site.house.parked.get(waits["id"]).task
        assert len(api.site.vault(Role.VAULT_A)._cabinet.shelf(gallery.id)) == 0


async def test_a_vault_that_was_away_gets_the_same_signed_erasure_once(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", erases=Needs.OPERATOR)
    told = (await door.client.delete(f"{G}/subjects/{door.subject}", params=WHY)).json()
    warrant = door.people["ada"].signs(await door.paper(told["id"]))
    await door.api.site.stop(Role.VAULT_B)
    to = f"/v1/questions/{told['id']}/signatures"
    assert (await door.client.post(to, json=warrant)).status_code == 503
    assert (await door.client.get(f"/v1/questions/{told['id']}")).json()["state"] == "waiting"
    await door.api.site.start(Role.VAULT_B)
    assert (await door.client.post(to, json=warrant)).status_code == 200
    assert (await door.answer(told["id"]))["answer"] == {"erased": door.subject}
    assert (await door.client.post(to, json=warrant)).status_code == 404
    assert (await door.client.get(f"{G}/subjects/{door.subject}")).status_code == 404
    for half in (Role.VAULT_A, Role.VAULT_B):
        assert len(door.api.site.vault(half)._cabinet.shelf(door.gallery.id)) == 0


async def test_a_device_signs_an_erasure_while_it_waits(door: Door) -> None:
    camera = Camera("records")
    seat(door.api.site, door.gallery, "ada", camera=camera, erases=Needs.DEVICE)
    where = WHY | {"case": "records"}
    told = (await door.client.delete(f"{G}/subjects/{door.subject}", params=where)).json()
    material = (await door.client.get(f"/v1/questions/{told['id']}/material")).json()
    warrant = Warrant.decode(raw(material["papers"][0]["warrant"]))
    slip = DeviceSlip(warrant.target, "records", int(door.api.site.clock.now()), bytes.fromhex(material["nonce"]))
    signature = body(by_device(sign_slip(slip, camera.key)))
    assert (await door.client.post(f"/v1/questions/{told['id']}/signatures", json=signature)).status_code == 200
    assert (await door.answer(told["id"]))["answer"] == {"erased": door.subject}


async def test_above_so_many_erasures_a_day_two_people_sign(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", "ben", erases=Needs.OPERATOR)
    put_policy(door.api.site, door.gallery, erasures_alone_per_day=0)
    one = f"{G}/subjects/{door.subject}"
    alone = (await door.client.delete(one, params=WHY)).json()
    await door.sign(alone["id"], "ada")
    assert (await door.answer(alone["id"]))["status"] == 403
    together = (await door.client.delete(one, params=WHY | {"two": "true"})).json()
    assert (together["needs"], together["wanted"]) == ("operator", 2)
    await door.sign(together["id"], "ada", "ben")
    assert (await door.answer(together["id"]))["answer"] == {"erased": door.subject}
