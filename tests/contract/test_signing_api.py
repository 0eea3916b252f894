"""Acts that others than the gate sign, over the API: devices at once, people while the question waits."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api_in_process import WHY, Api, api_over, upload
from moiety.access import Permission
from moiety.drill.authenticator import ORIGIN, RP_ID
from moiety.matching import parked
from moiety.vault.policy import Needs
from moiety.warrants.proofs import SessionGrant, by_session
from moiety.warrants.warrant import Warrant
from moiety.wire.kinds import Role
from signed_door import Door, G, door_over
from signed_site import HALVES, Camera, Somebody, body, put_policy, put_roster, raw, seat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at="https://sign.example.org/sign") as made:
        yield made


@pytest.fixture
async def door(api: Api) -> AsyncIterator[Door]:
    async with door_over(api) as made:
        yield made


async def ledger(door: Door, act: str) -> list[dict[str, Any]]:
    entries = (await door.client.get("/v1/ledger")).json()["entries"]
    return [one for one in entries if one["act"] == act]


# ---- one person ----


async def test_a_search_waits_for_one_person_and_gives_the_same_answer(door: Door) -> None:
    image = door.api.photo(door.ada)
    direct = (await door.ask(image)).json()
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    asked = await door.ask(image)
    told = asked.json()
    assert asked.status_code == 202
    assert asked.headers["location"] == f"/v1/questions/{told['id']}"
    assert (told["state"], told["needs"], told["signed"], told["wanted"]) == ("waiting", "operator", 0, 1)
    assert told["sign_at"] == "https://sign.example.org/sign"
    assert (await door.sign(told["id"], "ada")).json()["signed"] == 1
    found = await door.answer(told["id"])
    assert (found["state"], found["status"], found["answer"]) == ("answered", 200, direct)
    # One answer, then forgotten.
    assert (await door.client.get(f"/v1/questions/{told['id']}")).status_code == 404
    (entry,) = [one for one in await ledger(door, "identify") if "signer" in one["detail"]]
    assert entry["detail"]["signer"] == f"passkey:{door.people['ada'].key.credential.hex()}"


async def test_no_vault_hears_of_a_question_before_it_is_signed(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    before = [
        door.api.site.vault(half)._cabinet._journal.read("SELECT count(*) FROM nonce")
        for half in (Role.VAULT_A, Role.VAULT_B)
    ]
    assert (await door.ask(door.api.photo(door.ada))).status_code == 202
    after = [
        door.api.site.vault(half)._cabinet._journal.read("SELECT count(*) FROM nonce")
        for half in (Role.VAULT_A, Role.VAULT_B)
    ]
    assert before == after
    assert await ledger(door, "identify") == []


async def test_the_face_that_is_named_is_the_one_that_is_asked_about(door: Door) -> None:
    ben = door.api.site.sight.person()
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    image = door.api.photo(ben, door.ada)
    for face, found in (("0", []), ("1", [door.subject])):
        told = (await door.ask(image, face=face)).json()
        await door.sign(told["id"], "ada")
        (only,) = (await door.answer(told["id"]))["answer"]["faces"]
        assert [one["subject_id"] for one in only["candidates"]] == found
    missing = await door.ask(image, face="2")
    assert (missing.status_code, missing.json()["type"]) == (400, "urn:moiety:problem:bad-input")


async def test_a_picture_without_a_face_needs_no_signature(door: Door) -> None:
    seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    empty = door.api.site.sight.paint()
    reply = await door.ask(empty)
    assert (reply.status_code, reply.json()) == (200, {"faces": []})


async def test_verify_enrol_reveal_and_erase_wait_too(door: Door) -> None:
    needs = Needs.OPERATOR
    door.people = seat(door.api.site, door.gallery, "ada", asks=needs, enrols=needs, erases=needs, reveals=needs)
    image, fresh = door.api.photo(door.ada), door.api.photo(door.ada)
    one = f"{G}/subjects/{door.subject}"
    steps: list[tuple[httpx.Response, int]] = [
        (await door.client.post(f"{one}/verify", data=WHY, files=upload(image)), 200),
        (await door.client.post(f"{one}/photos", data=WHY, files=upload(fresh)), 201),
        (await door.client.post(f"{one}/reveal", json={"fields": ["reference"]} | WHY), 200),
    ]
    answers = []
    for reply, status in steps:
        assert reply.status_code == 202, reply.text
        await door.sign(reply.json()["id"], "ada")
        found = await door.answer(reply.json()["id"])
        assert (found["state"], found["status"]) == ("answered", status), found
        answers.append(found["answer"])
    assert (answers[0]["same"], answers[1]["new_subject"], answers[2]["fields"]) == (True, False, {"reference": "Ada"})
    gone = await door.client.delete(one, params=WHY)
    await door.sign(gone.json()["id"], "ada")
    assert (await door.answer(gone.json()["id"]))["answer"] == {"erased": door.subject}
    assert (await door.client.get(one)).status_code == 404


async def test_references_are_left_out_where_a_reveal_needs_people(door: Door) -> None:
    seat(door.api.site, door.gallery, "ada", reveals=Needs.OPERATOR)
    reply = await door.ask(door.api.photo(door.ada), reveal="true")
    assert reply.json()["faces"][0]["candidates"] == [{"subject_id": door.subject, "band": "strong", "subject": None}]


# ---- two people ----


async def test_two_different_people_must_sign(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", "ben", asks=Needs.TWO_PERSON)
    told = (await door.ask(door.api.photo(door.ada))).json()
    assert told["wanted"] == 2
    assert (await door.sign(told["id"], "ada")).json()["signed"] == 1
    again = await door.sign(told["id"], "ada")
    assert (again.status_code, again.json()["type"]) == (409, "urn:moiety:problem:already-there")
    assert (await door.client.get(f"/v1/questions/{told['id']}")).json()["state"] == "waiting"
    assert (await door.sign(told["id"], "ben")).json()["signed"] == 2
    assert (await door.answer(told["id"]))["state"] == "answered"
    (entry,) = await ledger(door, "identify")
    assert set(entry["detail"]) == {"faces", "signer", "signer_2"}


# ---- what is refused ----


async def test_wrong_signatures_are_refused_and_spoil_no_question_for_who_may_sign(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", "ben", asks=Needs.TWO_PERSON)
    door.people |= {"eve": Somebody("eve")}
    told = (await door.ask(door.api.photo(door.ada))).json()
    warrant, path = await door.paper(told["id"]), f"/v1/questions/{told['id']}/signatures"
    ada, ben, eve = (door.people[name].signs(warrant) for name in ("ada", "ben", "eve"))
    # A stranger's; one in Ada's name that she did not make; then, beside Ada's own, Ben's with Ada's value.
    before = {half: door.api.site.vault(half)._cabinet._journal.read("SELECT * FROM nonce") for half in HALVES}
    for wrong in (eve, ada | {"value": eve["value"]}, ben | {"value": ada["value"]}):
        reply = await door.client.post(path, json=wrong)
        assert (reply.status_code, reply.json()["type"]) == (403, "urn:moiety:problem:warrant-refused")
        assert "still waits" in reply.json()["detail"]
    assert (await door.client.post(path, json=ada)).json()["signed"] == 1
    for wrong in (eve, ben | {"value": ada["value"]}):
        assert (await door.client.post(path, json=wrong)).status_code == 403
    assert before == {half: door.api.site.vault(half)._cabinet._journal.read("SELECT * FROM nonce") for half in HALVES}
    assert (await door.client.get(f"/v1/questions/{told['id']}")).json()["state"] == "waiting"
    assert (await door.client.post(path, json=ben)).json()["signed"] == 2
    assert (await door.answer(told["id"]))["status"] == 200


async def test_one_person_with_two_passkeys_is_one_and_spoils_no_question(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", "ben", asks=Needs.TWO_PERSON)
    spare, roster = Somebody("ada"), [door.people[name].on_roster() for name in ("ada", "ben")]
    keys = (*roster[0].passkeys, *spare.on_roster().passkeys)
    put_roster(door.api.site, ORIGIN, RP_ID, people=(replace(roster[0], passkeys=keys), roster[1]))
    told = (await door.ask(door.api.photo(door.ada))).json()
    warrant, path = await door.paper(told["id"]), f"/v1/questions/{told['id']}/signatures"
    both = await asyncio.gather(
        *(door.client.post(path, json=one.signs(warrant)) for one in (door.people["ada"], spare))
    )
    assert sorted(reply.status_code for reply in both) == [200, 403]
    assert (await door.client.post(path, json=door.people["ben"].signs(warrant))).json()["signed"] == 2
    assert (await door.answer(told["id"]))["status"] == 200


async def test_a_signature_for_another_warrant_is_not_taken(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    first, second = [(await door.ask(door.api.photo(door.ada))).json()["id"] for _ in range(2)]
    other = door.people["ada"].signs(await door.paper(first))
    reply = await door.client.post(f"/v1/questions/{second}/signatures", json=other)
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:moiety:problem:bad-input")
    for broken in ({"value": "AAAA"}, {"scheme": "service"}, {"scheme": "session"}, {"paper": 1}, {"question": "x"}):
        reply = await door.client.post(f"/v1/questions/{first}/signatures", json=other | broken)
        assert reply.status_code == 400, broken
    assert (await door.client.get(f"/v1/questions/{first}")).json()["signed"] == 0


async def test_a_policy_that_changed_meanwhile_refuses_the_old_signature(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    told = (await door.ask(door.api.photo(door.ada))).json()
    put_policy(door.api.site, door.gallery, asks=Needs.TWO_PERSON)
    await door.sign(told["id"], "ada")
    assert (await door.answer(told["id"]))["state"] == "refused"


async def test_a_question_is_over_after_ten_minutes(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    told = (await door.ask(door.api.photo(door.ada))).json()
    warrant = await door.paper(told["id"])
    door.api.site.clock.move(601)
    late = await door.client.post(f"/v1/questions/{told['id']}/signatures", json=door.people["ada"].signs(warrant))
    assert late.status_code == 404
    found = await door.answer(told["id"])
    assert found["state"] == "expired"
    assert "answer" not in found
    assert (await door.client.get("/v1/questions")).json() == {"questions": []}


async def test_an_answer_that_nobody_fetches_is_forgotten(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    told = (await door.ask(door.api.photo(door.ada))).json()
    await door.sign(told["id"], "ada")
    held = door.api.site.house.parked
    question = held.get(told["id"])
    await question.task
    assert question.waiting.papers is None
    await asyncio.sleep(0)
    door.api.site.clock.move(601)
    assert (await door.client.get(f"/v1/questions/{told['id']}")).status_code == 404


async def test_only_so_many_questions_wait(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    monkeypatch.setattr(parked, "QUESTIONS_EACH_MAX", 2)
    images = [door.api.photo(door.ada) for _ in range(3)]
    codes = [(await door.ask(image)).status_code for image in images]
    assert codes == [202, 202, 429]
    monkeypatch.setattr(parked, "QUESTIONS_EACH_MAX", 9)
    monkeypatch.setattr(parked, "BYTES_MAX", 2 * len(images[0]))
    assert (await door.ask(images[2])).status_code == 429
    assert len((await door.client.get("/v1/questions")).json()["questions"]) == 2


# ---- who may see and sign ----


async def test_a_question_is_shown_to_who_could_have_asked_it_and_answered_to_who_did(door: Door) -> None:
    door.people = seat(door.api.site, door.gallery, "ada", asks=Needs.OPERATOR)
    told = (await door.ask(door.api.photo(door.ada))).json()
    path = f"/v1/questions/{told['id']}"
    others = [str(one) for one in Permission if one is not Permission.PROBE_IDENTIFY and not one.personal]
    async with door.api.client(door.api.key(*others)) as stranger:
        assert (await stranger.get("/v1/questions")).json() == {"questions": []}
        signed = door.people["ada"].signs(await door.paper(told["id"]))
        for reply in (
            await stranger.get(path),
            await stranger.get(f"{path}/material"),
            await stranger.post(f"{path}/signatures", json=signed),
        ):
            assert (reply.status_code, reply.json()["type"]) == (403, "urn:moiety:problem:forbidden")
    async with door.api.client(door.api.key("gallery:probe:identify")) as colleague:
        assert len((await colleague.get("/v1/questions")).json()["questions"]) == 1
        assert (await colleague.post(f"{path}/signatures", json=signed)).status_code == 200
        await door.api.site.house.parked.get(told["id"]).task
        seen = (await colleague.get(path)).json()
        assert seen["state"] == "answered"
        assert "answer" not in seen
    assert "answer" in await door.answer(told["id"])


# ---- devices ----


async def test_a_device_s_picture_is_answered_at_once(door: Door) -> None:
    camera = Camera()
    seat(door.api.site, door.gallery, "ada", camera=camera, asks=Needs.DEVICE, enrols=Needs.DEVICE)
    image, nonce, now = door.api.photo(door.ada), os.urandom(32), door.api.site.clock.now()
    signed = camera.signs(hashlib.sha256(image).digest(), nonce, now)
    reply = await door.ask(image, **signed)
    assert reply.status_code == 200, reply.text
    assert reply.json()["faces"][0]["candidates"][0]["subject_id"] == door.subject
    (entry,) = await ledger(door, "identify")
    assert entry["detail"]["signer"] == f"device:{camera.public.hex()[:39]}"
    replayed = await door.ask(image, **signed)
    other = door.api.photo(door.ada)
    elsewhere = camera.signs(hashlib.sha256(other).digest(), os.urandom(32), now - 600)
    for refused in (
        replayed,
        await door.ask(other, **(signed | {"nonce": os.urandom(32).hex()})),
        await door.ask(other, **elsewhere),
        await door.ask(other, **camera.signs(hashlib.sha256(image).digest(), os.urandom(32), now)),
        await door.ask(other, **Camera().signs(hashlib.sha256(other).digest(), os.urandom(32), now)),
        await door.ask(
            other, **Camera("door-4", camera.key).signs(hashlib.sha256(other).digest(), os.urandom(32), now)
        ),
    ):
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:moiety:problem:warrant-refused")
    fresh = door.api.photo(door.api.site.sight.person())
    fields = camera.signs(hashlib.sha256(fresh).digest(), os.urandom(32), now)
    made = await door.client.post(f"{G}/subjects", data=WHY | fields, files=upload(fresh))
    assert made.status_code == 201, made.text


async def test_a_question_without_the_device_s_signature_is_refused(door: Door) -> None:
    camera = Camera()
    seat(door.api.site, door.gallery, "ada", camera=camera, asks=Needs.DEVICE)
    image = door.api.photo(door.ada)
    bare = await door.ask(image)
    assert (bare.status_code, bare.json()["type"]) == (403, "urn:moiety:problem:signature-needed")
    signed = camera.signs(hashlib.sha256(image).digest(), os.urandom(32), door.api.site.clock.now())
    half = {name: signed[name] for name in ("device", "door")}
    assert (await door.ask(image, **half)).status_code == 422
    assert (await door.ask(image, case="another", **signed)).status_code == 400


# ---- sessions ----


async def test_a_session_signs_for_one_field_after_the_other(door: Door) -> None:
    fields = {"fields": '{"phone": "555-0100", "note": "tall"}', "reference": "Ben"}
    made = await door.client.post(f"{G}/subjects", data=WHY | fields, files=upload(door.api.photo(door.ada)))
    door.people = seat(door.api.site, door.gallery, "ada", reveals=Needs.OPERATOR)
    key, ada = Ed25519PrivateKey.generate(), door.people["ada"].key
    grant = SessionGrant(key.public_key().public_bytes_raw(), int(door.api.site.clock.now()) + 3600)
    opened = ada.sign(grant.digest())
    path = f"{G}/subjects/{made.json()['subject_id']}/reveal"
    assert (await door.client.post(path, json=WHY | {"fields": ["phone", "note"]})).status_code == 422
    for name, value in {"phone": "555-0100", "note": "tall"}.items():
        asked = await door.client.post(path, json=WHY | {"fields": [name]})
        material = (await door.client.get(f"/v1/questions/{asked.json()['id']}/material")).json()
        assert [one["about"]["field"] for one in material["papers"]] == [name]
        for number, paper in enumerate(material["papers"]):
            signature = by_session(Warrant.decode(raw(paper["warrant"])), grant, ada.credential, opened, key)
            given = body(signature) | {"paper": number}
            reply = await door.client.post(f"/v1/questions/{asked.json()['id']}/signatures", json=given)
            assert reply.status_code == 200, reply.text
        found = await door.answer(asked.json()["id"])
        assert found["answer"] == {"fields": {name: value}}
    (first, *_) = await ledger(door, "reveal")
    assert first["detail"]["signer"].startswith("session:")
