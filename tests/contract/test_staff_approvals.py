"""Two people stand behind an act: proposed by one, signed by another over its exact content, carried out once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import Api, api_over
from moiety.access.device_proofs import from_text
from moiety.access.papers import Content
from moiety.drill.authenticator import SoftwareAuthenticator
from staffed import SIGN_AT, Person, first, invited, join, signature

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

INVITE = {"name": "Cy Young", "roles": ["guard"], "reason": "the new night shift"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as made:
        yield made


@pytest.fixture
async def ada(api: Api) -> Person:
    return await first(api)


@pytest.fixture
async def ben(api: Api, ada: Person) -> Person:
    return await invited(api, ada, "Ben Ali", "officer")


async def proposed(ada: Person) -> str:
    made = await ada.post("/v1/operators", json=INVITE)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def test_an_invitation_needs_two_people_and_is_carried_out_once(api: Api, ada: Person, ben: Person) -> None:
    approval = await proposed(ada)
    early = await ada.post(f"/v1/approvals/{approval}/carry-out")
    assert (early.status_code, early.json()["type"]) == (409, "urn:moiety:problem:already-there")
    signed = (await ben.approve(approval)).json()
    assert (signed["state"], signed["approver"], signed["approver_name"]) == ("approved", ben.id, "Ben Ali")
    assert (await ben.post(f"/v1/approvals/{approval}/carry-out")).status_code == 403
    done = (await ada.post(f"/v1/approvals/{approval}/carry-out")).json()
    assert (await ada.post(f"/v1/approvals/{approval}/carry-out")).status_code == 409
    cy = await join(api, f"/join#{done['result']['way']}")
    me = (await cy.get("/v1/session")).json()
    assert (me["name"], me["roles"]) == ("Cy Young", ["guard"])
    assert (await cy.get("/v1/approvals")).status_code == 403


async def test_nobody_approves_what_they_proposed_or_what_is_about_themselves(
    api: Api, ada: Person, ben: Person
) -> None:
    approval = await proposed(ada)
    own = await ada.approve(approval)
    assert (own.status_code, "cannot approve" in own.json()["detail"]) == (403, True)
    about = await ada.ask("PUT", f"/v1/operators/{ben.id}/roles", json={"roles": ["registrar"], "reason": "moves"})
    assert (await ben.approve(about.json()["id"])).status_code == 403
    assert (await ada.post(f"/v1/operators/{ada.id}/recovery", json={"reason": "myself"})).status_code == 400
    async with api.owner as owner:
        # Ben could approve the invitation, so the machine's owner cannot; nobody else could approve Ben's roles.
        assert (await owner.post(f"/v1/approvals/{approval}/confirm")).status_code == 403
        assert (await owner.post(f"/v1/approvals/{about.json()['id']}/confirm")).status_code == 200


async def test_the_signature_is_over_this_content_and_by_this_person(ada: Person, ben: Person) -> None:
    approval, other = await proposed(ada), await proposed(ada)

    async def content(name: str) -> Content:
        material = (await ben.get(f"/v1/approvals/{name}/material")).json()
        return Content.decode(from_text(material["content"]))

    async def give(key: SoftwareAuthenticator, digest: bytes, by: Person = ben) -> int:
        reply = await by.post(f"/v1/approvals/{approval}/signatures", json=signature(key, digest))
        return reply.status_code

    digest = (await content(approval)).digest()
    assert await give(ben.passkey, (await content(other)).digest()) == 403
    assert await give(SoftwareAuthenticator(), digest) == 403
    assert await give(SoftwareAuthenticator(credential=ben.passkey.credential), digest) == 403
    assert await give(ben.passkey, digest, by=ada) == 403
    assert await give(ben.passkey, digest) == 200
    assert await give(ben.passkey, digest) == 409


async def test_what_is_signed_says_all_that_is_done(ada: Person, ben: Person) -> None:
    approval = await proposed(ada)
    material = (await ben.get(f"/v1/approvals/{approval}/material")).json()
    content = Content.decode(from_text(material["content"]))
    assert (content.id, content.kind, content.proposer) == (approval, "invite", ada.id)
    assert {one.name: one.value for one in content.facts} == {"name": "Cy Young", "roles": "guard"}
    assert (content.reason, content.expires - content.created) == (INVITE["reason"], 7 * 86_400)


async def test_an_approval_dies_by_age_by_withdrawal_and_by_refusal(api: Api, ada: Person, ben: Person) -> None:
    withdrawn, refused, old = [await proposed(ada) for _ in range(3)]
    assert (await ada.ask("DELETE", f"/v1/approvals/{withdrawn}")).json()["state"] == "withdrawn"
    assert (await ben.ask("DELETE", f"/v1/approvals/{refused}")).json()["state"] == "refused"
    for gone in (withdrawn, refused):
        assert (await ben.approve(gone)).status_code == 409
    api.site.clock.move(7 * 86_400 + 1)
    await ben.device.sign_in(ben.passkey)
    assert (await ben.approve(old)).json()["type"].endswith(":not-found")


async def test_two_colleagues_bring_back_somebody_who_lost_all_passkeys(api: Api, ada: Person, ben: Person) -> None:
    cy = await invited(api, ada, "Cy Young", "registrar", second=ben)
    made = await ada.post(f"/v1/operators/{cy.id}/recovery", json={"reason": "phone in the river"})
    assert (await ben.approve(made.json()["id"])).status_code == 200
    done = (await ada.post(f"/v1/approvals/{made.json()['id']}/carry-out")).json()
    assert (await cy.get("/v1/session")).status_code == 200
    again = await join(api, f"/join#{done['result']['way']}")
    assert again.id == cy.id
    assert (await cy.get("/v1/session")).status_code == 401
    assert (await cy.device.sign_in(cy.passkey)).status_code == 403
    assert (await again.get("/v1/session")).json()["name"] == "Cy Young"


async def test_other_layers_spend_an_approval_in_their_own_act(api: Api, ada: Person, ben: Person) -> None:
    body = {"kind": "case-search", "facts": [{"name": "case", "value": "FIR 12/2026"}], "reason": "a missing child"}
    assert (await ada.post("/v1/approvals", json=body)).status_code == 403
    made = await ben.post("/v1/approvals", json=body)
    approval = made.json()["id"]
    eve = await invited(api, ada, "Eve Roy", "examiner", second=ben)
    assert (await ada.approve(approval)).status_code == 403
    assert (await eve.approve(approval)).status_code == 200
    elsewhere = await ben.post(f"/v1/approvals/{approval}/carry-out")
    assert (elsewhere.status_code, "where it is needed" in elsewhere.json()["detail"]) == (400, True)


async def test_a_key_that_looks_for_people_needs_a_second_person(api: Api, ada: Person, ben: Person) -> None:
    alone = {"name": "door-3", "scopes": ["gallery:probe:identify"], "days": 9}
    assert (await ada.post("/v1/keys", json=alone)).status_code == 403
    made = await ada.post("/v1/approvals/key", json=alone | {"reason": "the new door"})
    assert (await ben.approve(made.json()["id"])).status_code == 200
    done = (await ada.post(f"/v1/approvals/{made.json()['id']}/carry-out")).json()
    async with api.client(done["result"]["token"]) as door:
        reply = await door.post("/v1/galleries/none/identify", data={"reason": "x"}, files={"image": ("p", b"x")})
        assert reply.status_code == 404


async def test_everything_stands_in_the_ledger_by_ids_and_no_name_does(api: Api, ada: Person, ben: Person) -> None:
    approval = await proposed(ada)
    await ben.approve(approval)
    await ada.post(f"/v1/approvals/{approval}/carry-out")
    entries = (await ada.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
    told = [(one["act"], one["actor"]) for one in entries]
    for act, actor in (
        ("operator-first", "owner"),
        ("operator-join", ada.id),
        ("sign-in", ada.id),
        ("approval-propose", ada.id),
        ("approval-confirm", "owner"),
        ("approval-sign", ben.id),
        ("approval-carry-out", ada.id),
        ("operator-invite", ada.id),
    ):
        assert (act, actor) in told
    assert "Cy" not in json.dumps(entries)
    raw = b"".join(path.read_bytes() for path in api.site.installation.data.rglob("gate.sqlite*"))
    assert not [name for name in (b"Cy Young", b"Ada Osei", b"Ben Ali", b"night shift") if name in raw]


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (["administrator", "officer"], "together"),
        (["auditor", "guard"], "together"),
        (["chief"], "no such role"),
        (["auditor@gal_aaaaaaaaaaaaaaaa"], "narrowed"),
    ],
)
async def test_roles_that_do_not_go_are_not_proposed(ada: Person, roles: list[str], words: str) -> None:
    body: dict[str, Any] = INVITE | {"roles": roles}
    reply = await ada.post("/v1/operators", json=body)
    assert (reply.status_code, words in reply.json()["detail"]) == (400, True)
