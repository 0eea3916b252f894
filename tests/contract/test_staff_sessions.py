"""People sign in with passkeys, and a session is the device's: a cookie alone opens nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import Api, api_over
from moiety.access.device_proofs import from_text, to_text
from moiety.access.papers import Joining, SignIn
from moiety.api import staff_schemas
from moiety.drill.authenticator import SoftwareAuthenticator
from staffed import SIGN_AT, Device, Person, first, invited, registration, signature

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PAGE = {"accept": "text/html"}
PROOF_MISSING = "urn:moiety:problem:proof-missing"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as made:
        yield made


@pytest.fixture
async def ada(api: Api) -> Person:
    return await first(api)


async def test_req_44_people_sign_in_with_passkeys_alone_and_each_as_themselves(api: Api, ada: Person) -> None:
    me = (await ada.get("/v1/session")).json()
    assert (me["id"], me["name"], me["roles"]) == (ada.id, "Ada Osei", ["administrator"])
    assert (len(me["passkeys"]), me["passkeys_wanted"]) == (1, 2)
    ben = await invited(api, ada, "Ben Ali", "officer")
    assert (await ben.get("/v1/session")).json()["id"] != me["id"]
    described = api.app.openapi()
    fields = {name for model in described["components"]["schemas"].values() for name in model.get("properties", {})}
    assert not {name for name in fields if "password" in name}
    # A PIN is what a visitor of a gallery may show beside a card; nobody signs in with one.
    assert not [one for one in vars(staff_schemas).values() if "pin" in getattr(one, "model_fields", {})]
    # A passkey of one person never becomes another's, so nobody shares an account.
    begun = (await ben.post("/v1/session/passkeys/begin")).json()
    shared = await ben.post(
        "/v1/session/passkeys",
        json={"record": begun["record"]} | _made(ada.passkey, begun["record"]),
    )
    assert shared.status_code == 409


def _made(key: SoftwareAuthenticator, record: str) -> dict[str, str]:
    return registration(key, Joining.decode(from_text(record)))


async def test_a_stolen_cookie_opens_nothing_on_another_device(api: Api, ada: Person) -> None:
    assert (await ada.get("/v1/operators")).status_code == 200
    thief = Device(api, session=ada.device.session)
    thief.http.cookies.update(ada.device.http.cookies)
    with_own_key = await thief.ask("GET", "/v1/operators")
    thief.proves = False
    bare = await thief.ask("GET", "/v1/operators")
    for reply in (with_own_key, bare):
        assert (reply.status_code, reply.json()["type"]) == (401, PROOF_MISSING)
    assert (await ada.get("/v1/operators")).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {"method": "POST"},
        {"address": "/v1/operators?x=1"},
        {"address": "/v1/approvals"},
        {"body": b"another"},
        {"at": 1_000},
        {"nonce": bytes(15)},
    ],
)
async def test_a_proof_of_another_request_opens_nothing(ada: Person, other: dict[str, Any]) -> None:
    reply = await ada.device.ask("GET", "/v1/operators", proof=other)
    assert (reply.status_code, reply.json()["type"]) == (401, PROOF_MISSING)


async def test_a_proof_works_once(ada: Person) -> None:
    once = {"nonce": bytes(16)}
    assert (await ada.device.ask("GET", "/v1/operators", proof=once)).status_code == 200
    again = await ada.device.ask("GET", "/v1/operators", proof=once)
    assert (again.status_code, again.json()["type"]) == (401, PROOF_MISSING)


async def test_a_body_that_was_changed_on_its_way_is_refused(ada: Person) -> None:
    body = {"name": "Ben Ali", "roles": ["officer"], "reason": "a test"}
    reply = await ada.device.ask("POST", "/v1/operators", proof={"body": b"{}"}, json=body)
    assert (reply.status_code, reply.json()["type"]) == (401, PROOF_MISSING)
    assert (await ada.get("/v1/approvals")).json() == {"approvals": []}


async def test_a_session_ends_by_rest_by_age_and_by_leaving(api: Api, ada: Person) -> None:
    clock = api.site.clock
    clock.move(14 * 60)
    assert (await ada.get("/v1/session")).status_code == 200
    clock.move(15 * 60)
    assert (await ada.get("/v1/session")).status_code == 401
    await ada.device.sign_in(ada.passkey)
    for _ in range(8 * 6):
        clock.move(10 * 60)
        last = await ada.get("/v1/session")
    assert last.status_code == 401
    await ada.device.sign_in(ada.passkey)
    assert (await ada.ask("DELETE", "/v1/session")).status_code == 204
    assert (await ada.get("/v1/session")).status_code == 401


async def test_ending_all_sessions_of_somebody_works_at_once(api: Api, ada: Person) -> None:
    ben = await invited(api, ada, "Ben Ali", "officer")
    other = Device(api)
    assert (await other.sign_in(ben.passkey)).status_code == 201
    assert (await ada.ask("DELETE", f"/v1/operators/{ben.id}/sessions")).json() == {"ended": 2}
    for device in (ben.device, other):
        assert (await device.ask("GET", "/v1/session")).status_code == 401
    assert (await other.sign_in(ben.passkey)).status_code == 201


async def test_who_is_stopped_is_out_at_once_and_for_good(api: Api, ada: Person) -> None:
    ben = await invited(api, ada, "Ben Ali", "officer")
    reply = await ada.ask("DELETE", f"/v1/operators/{ben.id}", json={"reason": "left the house"})
    assert reply.json()["state"] == "disabled"
    assert (await ben.get("/v1/session")).status_code == 401
    assert (await Device(api).sign_in(ben.passkey)).status_code == 403


async def test_what_somebody_else_signed_opens_no_session(api: Api, ada: Person) -> None:
    device = Device(api)
    stranger = SoftwareAuthenticator(credential=ada.passkey.credential)
    elsewhere = SoftwareAuthenticator(
        secret=ada.passkey.secret, credential=ada.passkey.credential, origin="https://evil.example", counter=None
    )
    unverified = SoftwareAuthenticator(
        secret=ada.passkey.secret, credential=ada.passkey.credential, verified=False, counter=None
    )
    other = hashlib.sha256(b"another").digest()
    for key, over in ((stranger, b""), (elsewhere, b""), (unverified, b""), (ada.passkey, other)):
        begun = (await device.ask("POST", "/v1/session/begin", json={"key": to_text(device.public)})).json()
        digest = over or SignIn.decode(from_text(begun["record"])).digest()
        reply = await device.ask("POST", "/v1/session", json={"record": begun["record"]} | signature(key, digest))
        assert reply.status_code == 403


async def test_a_sign_in_is_spent_by_its_first_use_and_by_five_minutes(api: Api, ada: Person) -> None:
    device = Device(api)

    async def begin() -> dict[str, str]:
        begun = (await device.ask("POST", "/v1/session/begin", json={"key": to_text(device.public)})).json()
        digest = SignIn.decode(from_text(begun["record"])).digest()
        return {"record": begun["record"]} | signature(ada.passkey, digest)

    given = await begin()
    assert (await device.ask("POST", "/v1/session", json=given)).status_code == 201
    assert (await device.ask("POST", "/v1/session", json=given)).status_code == 401
    given = await begin()
    api.site.clock.move(301)
    assert (await device.ask("POST", "/v1/session", json=given)).status_code == 401


async def test_who_had_one_passkey_for_a_week_approves_invites_and_reveals_nothing(api: Api, ada: Person) -> None:
    ben = await invited(api, ada, "Ben Ali", "registrar")
    async with api.owner as owner:
        assert (await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors"})).status_code == 201
    wanted = {"reference": "Cy Young", "reason": "a test"}
    subject = (await ben.post("/v1/galleries/staff/people", json=wanted)).json()["subject_id"]
    new = {"name": "Dee Roy", "roles": ["guard"], "reason": "a test"}

    async def tried(one: Person, approval: str) -> tuple[tuple[int, str], tuple[int, str]]:
        shown = {"fields": ["reference"], "reason": "a test"}
        replies = [
            await one.approve(approval),
            await one.post(f"/v1/galleries/staff/subjects/{subject}/reveal", json=shown),
        ]
        first, second = [(reply.status_code, reply.json().get("type", "").rpartition(":")[2]) for reply in replies]
        return first, second

    async def proposed() -> str:
        return str((await ada.post("/v1/operators", json=new)).json()["id"])

    assert "In 7 days you can no longer approve" in (await ben.get("/", headers=PAGE)).text
    api.site.clock.move(6 * 86_400)
    for one in (ada, ben):
        await one.device.sign_in(one.passkey)
    approval = await proposed()
    assert "In 1 day you can no longer approve" in (await ben.get("/", headers=PAGE)).text
    api.site.clock.move(86_400)
    for one in (ada, ben):
        assert (await one.device.sign_in(one.passkey)).status_code == 201
    refused = (403, "second-passkey-needed")
    assert await tried(ben, approval) == (refused, refused)
    assert (await ada.post("/v1/operators", json=new)).json()["type"].endswith(refused[1])
    assert "you approve, invite and reveal nothing" in (await ben.get("/", headers=PAGE)).text
    begun = (await ben.post("/v1/session/passkeys/begin")).json()
    second = {"record": begun["record"]} | _made(SoftwareAuthenticator(counter=None), begun["record"])
    assert (await ben.post("/v1/session/passkeys", json=second)).json() == {"passkeys": 2}
    assert await tried(ben, approval) == ((200, ""), (200, ""))
    assert "approve, invite" not in (await ben.get("/", headers=PAGE)).text


async def test_a_passkey_is_added_soon_after_signing_in_and_the_last_one_stays(api: Api, ada: Person) -> None:
    second = SoftwareAuthenticator(counter=None)

    async def add() -> int:
        begun = await ada.post("/v1/session/passkeys/begin")
        if begun.status_code != 200:
            return begun.status_code
        record = begun.json()["record"]
        return (await ada.post("/v1/session/passkeys", json={"record": record} | _made(second, record))).status_code

    assert await add() == 201
    assert (await Device(api).sign_in(second)).status_code == 201
    old = to_text(ada.passkey.credential)
    assert (await ada.ask("DELETE", f"/v1/session/passkeys/{old}")).json() == {"passkeys": 1}
    assert (await Device(api).sign_in(ada.passkey)).status_code == 403
    last = await ada.ask("DELETE", f"/v1/session/passkeys/{to_text(second.credential)}")
    assert last.status_code == 400
    api.site.clock.move(601)
    assert await add() == 403
