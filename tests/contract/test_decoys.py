"""Decoys that the gate plants and keeps by itself: like anybody in lists, and in no count, export or answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from api_in_process import DAY, WHY, Api, WordyQuality, api_over, upload
from api_people import RULE
from moiety.eye.canaries import MadeUp
from moiety.foundation.errors import Locked
from moiety.foundation.ids import SubjectId
from moiety.matching.desk import Asker
from moiety.people import decoys
from moiety.people.registrar import Newcomer
from moiety.storage.guarding import DecoyTable
from moiety.vault.policy import Needs
from moiety.wire.kinds import Role
from parts_in_process import PaintedFace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from moiety.eye.halver import Halver
    from moiety.storage import Gallery

STAFF = "/v1/galleries/staff"
WHO = ("Ada King", "Mo Farr", "Ben Ali")


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("MOIETY_DECOYS", "100")
    monkeypatch.setattr(decoys, "PEOPLE_MIN", len(WHO))
    async with api_over(tmp_path) as made:
        yield made


async def opened(api: Api, owner: httpx.AsyncClient) -> Gallery:
    made = await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors of the works"})
    assert made.status_code == 201
    return next(one for one in await api.site.house.galleries.list() if one.name == "staff")


async def entered(owner: httpx.AsyncClient, reference: str) -> str:
    reply = await owner.post(f"{STAFF}/people", json={"reference": reference, "fields": {"phone": "555-0142"}, **WHY})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["subject_id"])


async def year(owner: httpx.AsyncClient) -> dict[str, Any]:
    """Give what this year's report says of the gallery's purpose."""
    told = (await owner.get("/v1/ledger/report")).json()
    (doors,) = [one for one in told["purposes"] if one["purpose"] == "doors of the works"]
    return dict(doors)


def planted(api: Api) -> set[SubjectId]:
    with api.site.store.engine.connect() as db:
        return {SubjectId(one) for one in db.exec_driver_sql("SELECT subject_id FROM decoy").scalars()}


async def test_req_52_the_gate_plants_and_keeps_decoys_that_look_like_anybody_and_count_as_nobody(api: Api) -> None:
    """The year's report counts no decoy and no canary, planted, asked for or erased."""
    house = api.site.house
    tend = house.registry.decoys.tend
    async with api.owner as owner:
        gallery = await opened(api, owner)
        for reference in WHO[:-1]:
            await entered(owner, reference)
        assert await tend() == 0  # among so few everybody knows everybody
        await entered(owner, WHO[-1])
        assert [await tend() for _ in range(4)] == [1, 1, 0, 0]
        nobody = planted(api)
        assert (await owner.get(f"{STAFF}/decoys")).json() == {"planted": 2, "wanted": 2}

        listed = (await owner.get(f"{STAFF}/people", params=WHY)).json()["people"]
        assert len(listed) == len(WHO) + 2
        alike = {(one["reference"].count("•••"), *one["fields"], one["photos"], *sorted(one)) for one in listed}
        assert len(alike) == 1
        # Exports, counts and the year are of people.
        page, _ = await house.registry.listing.as_csv(gallery, None, 100, Asker("owner", "a test"), lambda *_: "")
        assert not [one for one in nobody if one in page]
        assert page.count("sub_") == len(WHO)
        with api.site.store.read() as tx:
            assert tx.subjects.count(gallery.id).active == len(WHO)
            assert (tx.exposed.held(gallery.id).people, tx.exposed.held(gallery.id).fields["phone"]) == (3, 3)
        await house.canaries.tend(2)
        doors = await year(owner)
        assert (doors["acts"]["register"], doors["kinds"]["collection"], doors["acts"]["made-up"]) == (3, 3, 4)
        assert (doors["questions"], doors["hits"], doors["outcomes"]) == ({}, {}, {})
        entries = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
        # Of lists the ledger says whom they showed; nothing else there says who is nobody.
        assert {one["act"] for one in entries if one["subject_id"] in nobody} == {"reveal"}
        with pytest.raises(Locked):
            await house.fields.reveal(gallery, [(min(nobody), "phone")], Asker("key_one", "curious"))

        # Their time is never over.
        api.site.clock.move(1095 * DAY - DAY / 4)
        assert (await tend(), await house.retention.sweep()) == (0, 0)
        api.site.clock.move(DAY)
        assert (await tend(), await house.retention.sweep()) == (0, len(WHO))
        assert planted(api) == nobody
        # Were one erased all the same, be it a canary, the year would not count it.
        with api.site.store.read() as tx:
            asked = tx.canaries.subjects(gallery.id)
        for one in (max(nobody), max(asked)):
            await house.eraser.subject(gallery, one, decoys.GARDENER)
        doors = await year(owner)
        assert (doors["acts"]["erase"], doors["kinds"]["erasure"], doors["acts"]["made-up-erased"]) == (3, 3, 2)
        entries = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
        assert not [one for one in entries if one["subject_id"] in {max(nobody), max(asked)} and one["act"] != "reveal"]


async def test_a_gate_that_is_restarted_after_each_newcomer_plants_decoys_all_the_same(api: Api) -> None:
    async with api.owner as owner:
        gallery = await opened(api, owner)
    for reference in WHO:
        made = Newcomer(reference, {"phone": "555-0142"})
        await api.site.house.registry.registrar.enter(gallery, made, Asker("owner", "a test"))
        await api.site.restart_gate()
    # One at a time, until there are enough; a gate that knows so asks no more.
    for expected in (1, 1, 0):
        assert await api.site.house.registry.decoys.tend() == expected
        await api.site.restart_gate()
    with api.site.store.read() as tx:
        assert tx.looks.unsettled() == {}
        sealed = tx.looks.sealed(gallery.id)
        listed = tx.subjects.page(gallery.id, limit=10)
    assert sealed is not None
    assert not [one for one in (b"Ada", b"King", b"LATIN", b"phone", *(s.id.encode() for s in listed)) if one in sealed]
    # What was altered past the gate is forgotten, and keeps nobody out.
    with api.site.store.engine.begin() as db:
        db.exec_driver_sql("UPDATE look SET looks_sealed = X'00'")
    await api.site.house.registry.registrar.enter(gallery, Newcomer("Vi Lin"), Asker("owner", "a test"))
    assert api.site.house.enroller.looks.one_of(gallery) is None


async def test_whoever_may_plant_a_decoy_takes_it_away_and_nobody_who_is_somebody(api: Api) -> None:
    async with api.owner as owner:
        gallery = await opened(api, owner)
        body = {"reference": "Vera Lind", "fields": {"phone": "555-0100"}, **WHY}
        decoy = str((await owner.post(f"{STAFF}/decoys", json=body)).json()["subject_id"])
        other = str((await owner.post(f"{STAFF}/decoys", json=body | {"reference": "Mo Lind"})).json()["subject_id"])
        await api.site.house.enroller.plant(gallery, decoys.FACES[0], Asker("decoys", "a test"), SubjectId(decoy))
        real = await entered(owner, "Ada King")
        (await owner.post("/v1/galleries", json={"name": "hall", "purpose": "another"})).raise_for_status()
        size = len((await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"])

        async def gone(gallery_name: str, subject: str) -> int:
            path = f"/v1/galleries/{gallery_name}/decoys/{subject}"
            return (await owner.delete(path, params=WHY)).status_code

        wrong = [("staff", real), ("hall", decoy), ("staff", "sub_aaaaaaaaaaaaaaaa"), ("staff", "nobody")]
        assert [await gone(*one) for one in wrong] == [404] * 4
        async with api.client(api.key("gallery:subject:erase")) as door:
            assert (await door.delete(f"{STAFF}/decoys/{decoy}", params=WHY)).status_code == 403
        assert planted(api) == {decoy, other}
        reply = await owner.delete(f"{STAFF}/decoys/{decoy}", params=WHY)
        assert (reply.status_code, reply.json()) == (200, {"erased": decoy})
        assert planted(api) == {other}
        assert await gone("staff", decoy) == 404

        # Gone everywhere, and the ledger names nobody: neither who went nor that somebody was erased.
        with api.site.store.read() as tx:
            assert not tx.templates.of_subject(SubjectId(decoy))
            assert SubjectId(decoy) not in tx.subjects.ids(gallery.id)
        halves = [api.site.vault(role)._cabinet.shelf(gallery.id) for role in (Role.VAULT_A, Role.VAULT_B)]
        assert [len(half.ids) for half in halves] == [0, 0]
        entries = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"][size:]
        assert [(one["kind"], one["act"], one["subject_id"]) for one in entries] == [
            ("alteration", "made-up-erased", None)
        ]
        assert (await owner.get(f"{STAFF}/receipts/{decoy}")).json()["receipts"] == []
        assert (await owner.get(f"{STAFF}/subjects/{real}/record")).status_code == 200


async def test_a_decoy_has_a_face_where_newcomers_have_and_is_never_a_candidate(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoys, "FACES", (decoys.FACES[0], decoys.FACES[0]))
    async with api.owner as owner:
        gallery = await opened(api, owner)
        for reference in WHO:
            form, face = {"reference": reference, **WHY}, api.photo(api.site.sight.person())
            assert (await owner.post(f"{STAFF}/subjects", data=form, files=upload(face))).status_code == 201
        assert await api.site.house.registry.decoys.tend() == 1
        listed = (await owner.get(f"{STAFF}/people", params=WHY)).json()["people"]
        assert [one["photos"] for one in listed] == [1] * 4

        secret = api.site.place(Role.EYE).identity.keys.secret("canary.key")
        vector = MadeUp(secret, b"", gallery.dim, cast("Halver", None)).face(gallery.id, decoys.FACES[0])
        picture = api.site.sight.paint(PaintedFace(vector, (5, 7, 200, 240), WordyQuality()))

        async def candidates() -> list[str]:
            reply = await owner.post(f"{STAFF}/identify", data=WHY, files=upload(picture))
            return [one["subject_id"] for one in reply.json()["faces"][0]["candidates"]]

        assert await candidates() == []
        (nobody,) = planted(api)
        monkeypatch.setattr(DecoyTable, "among", lambda *_: frozenset())
        assert await candidates() == [nobody]


async def test_where_people_sign_or_release_faces_a_decoy_has_none_and_needs_nobody(api: Api) -> None:
    async with api.owner as owner:
        gallery = await opened(api, owner)
        for reference in WHO:
            form, face = {"reference": reference, **WHY}, api.photo(api.site.sight.person())
            assert (await owner.post(f"{STAFF}/subjects", data=form, files=upload(face))).status_code == 201
        await api.site.put_policy(gallery.id, enrols=Needs.TWO_PERSON)
        assert await api.site.house.registry.decoys.tend() == 1
        assert (await owner.put(f"{STAFF}/rules", json=RULE)).status_code == 200
        await api.site.put_policy(gallery.id, enrols=Needs.SERVICE)
        assert await api.site.house.registry.decoys.tend() == 1
        nobody = planted(api)
        listed = (await owner.get(f"{STAFF}/people", params=WHY)).json()["people"]
        assert {one["photos"] for one in listed if one["subject_id"] in nobody} == {0}
