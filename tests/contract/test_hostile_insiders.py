"""What somebody inside tries who has a role, a key or a stolen cookie: each thing was open once."""

from __future__ import annotations

import asyncio
import base64
import struct
import zlib
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from api_in_process import DAY, WHY, Api, api_over, upload
from api_people import RULE, later
from moiety.access import approvals
from moiety.access.device_proofs import from_text, to_text
from moiety.access.papers import Joining, SignIn
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.foundation.ids import SubjectId
from moiety.incidents.emergencies import press
from moiety.matching.tries import TRIES
from moiety.matching.vigil import CLAIM_LABELS
from moiety.people.holds import hold_lines
from moiety.storage import Switch
from staffed import SIGN_AT, Device, Person, first, invited, registration, signature

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORKS = "/v1/galleries/works"
CARD = "4411 2299"


class House:
    """Two galleries and those who work there: Ada administers, Ben and Eve see the works, Olga the lodge alone."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.galleries: dict[str, str] = {}
        self.ada: Person
        self.ben: Person
        self.eve: Person
        self.olga: Person

    async def furnish(self) -> None:
        async with self.api.owner as owner:
            for name in ("works", "lodge"):
                made = await owner.post("/v1/galleries", json={"name": name, "purpose": "doors of the works"})
                self.galleries[name] = made.json()["id"]
            assert (await owner.put(f"{WORKS}/rules", json=RULE)).status_code == 200
        self.ada = await first(self.api)
        self.ben = await invited(self.api, self.ada, "Ben Ali", "registrar", "officer")
        self.eve = await invited(self.api, self.ada, "Eve Roy", "examiner", second=self.ben)
        lodge = f"officer@{self.galleries['lodge']}"
        self.olga = await invited(self.api, self.ada, "Olga Roy", lodge, second=self.ben)

    async def entered(self, reference: str, **more: Any) -> str:
        made = await self.ben.post(f"{WORKS}/people", json={"reference": reference, **WHY, **more})
        assert made.status_code == 201, made.text
        return str(made.json()["subject_id"])

    async def proposed(self, by: Person, gallery: str) -> str:
        facts = [{"name": "act", "value": "hold"}, {"name": "subject", "value": "sub_" + "a" * 16}]
        body = {"kind": "legal-hold", "facts": facts, "gallery": self.galleries[gallery], **WHY}
        made = await by.post("/v1/approvals", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def acts(self, **wanted: Any) -> list[Any]:
        """Give the ledger's entries that say this."""
        entries = self.api.site.house.desk.ledger.entries(limit=1000)
        return [one for one in entries if all(getattr(one, name) == value for name, value in wanted.items())]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with api_over(tmp_path_factory.mktemp("house"), sign_at=SIGN_AT) as api:
        made = House(api)
        await made.furnish()
        yield made


# ---- sessions ----


@pytest.mark.parametrize("other", [{"expires": 4_000_000_000}, {"key": None}, {"issued": 1}])
async def test_a_session_is_opened_for_what_the_gate_wrote_down_and_nothing_else(
    house: House, other: dict[str, Any]
) -> None:
    device = Device(house.api)
    begun = (await device.ask("POST", "/v1/session/begin", json={"key": to_text(device.public)})).json()
    paper = SignIn.decode(from_text(begun["record"]))
    more = {"key": Device(house.api).public} if "key" in other else other
    # Whoever holds the passkey can sign anything: software that is no page of ours asks nobody.
    paper = replace(paper, **more)
    given = {"record": to_text(paper.encode())} | signature(house.eve.passkey, paper.digest())
    assert (await device.ask("POST", "/v1/session", json=given)).status_code == 401


async def test_a_session_does_not_begin_while_the_kill_switch_is_pressed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff, desk = house.api.app.state.gate.staff, house.api.site.house.desk
    entrance, device = house.api.app.state.gate.entrance, Device(house.api)
    let_in, loop = staff.operators.may_enter, asyncio.get_running_loop()

    def pressed_meanwhile(operator: Any) -> None:
        let_in(operator)
        press(desk.store, desk.ledger, Switch.KILL, "owner", "a stolen machine")
        asyncio.run_coroutine_threadsafe(entrance.follow(), loop).result()

    monkeypatch.setattr(staff.operators, "may_enter", pressed_meanwhile)
    opened = await device.sign_in(house.eve.passkey)
    monkeypatch.undo()
    with desk.store.begin() as tx:
        tx.emergencies.lift(Switch.KILL, "owner", desk.clock.now())
    for one in (house.ada, house.ben, house.eve, house.olga):
        assert (await one.device.sign_in(one.passkey)).status_code == 201
    assert opened.status_code == 401


async def test_a_page_that_asks_by_itself_keeps_no_desk_open_that_somebody_left(house: House) -> None:
    clock, left = house.api.site.clock, Device(house.api)
    assert (await left.sign_in(house.eve.passkey)).status_code == 201
    told = []
    for _ in range(4):
        clock.move(5 * 60)
        told.append((await left.ask("GET", "/v1/questions", headers={"x-moiety-resting": "1"})).status_code)
    assert told == [200, 200, 401, 401]
    pages = files("moiety.console") / "static"
    assert '"X-Moiety-Resting"' in (pages / "api.js").read_text()
    assert "refresh(true)" in (pages / "signing.js").read_text()
    for one in (house.ada, house.ben, house.eve, house.olga):
        assert (await one.device.sign_in(one.passkey)).status_code == 201


async def test_whoever_drops_a_stolen_passkey_ends_what_the_thief_opened_with_it(house: House) -> None:
    eve, thief = house.eve, Device(house.api)
    assert (await thief.sign_in(eve.passkey)).status_code == 201
    fresh = SoftwareAuthenticator(counter=None)
    begun = (await eve.post("/v1/session/passkeys/begin")).json()
    made = registration(fresh, Joining.decode(from_text(begun["record"])))
    assert (await eve.post("/v1/session/passkeys", json={"record": begun["record"]} | made)).status_code == 201
    gone = await eve.ask("DELETE", f"/v1/session/passkeys/{to_text(eve.passkey.credential)}")
    eve.passkey = fresh
    assert gone.json() == {"passkeys": 1}
    assert (await thief.ask("GET", "/v1/session")).status_code == 401
    assert (await eve.get("/v1/session")).status_code == 200


async def test_a_host_with_more_in_it_than_a_name_is_not_ours(house: House) -> None:
    async with house.api.client() as client:
        for host in ("localhost:80@evil.example", "localhost:x", "[::1]:80@evil.example", "[::1].evil.example"):
            reply = await client.get("/.well-known/security.txt", headers={"host": host})
            assert (reply.status_code, "evil" in reply.text) == (421, False)
        assert (await client.get("/v1/live", headers={"host": "[::1]:8080"})).status_code == 200


async def test_another_site_looks_at_nobody_with_the_owner_s_cookie(house: House) -> None:
    async with house.api.owner as owner, house.api.client() as browser:
        way = (await owner.post("/v1/tickets")).json()["path"]
        assert (await browser.get(way)).status_code == 303
        for site, status in (("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)):
            reply = await browser.get("/v1/keys", headers={"sec-fetch-site": site})
            assert reply.status_code == status, site
        assert (await browser.get("/galleries", headers={"sec-fetch-site": "cross-site"})).status_code == 200


# ---- approvals ----


async def test_what_two_people_agree_on_in_a_gallery_is_for_those_who_work_there(house: House) -> None:
    approval = await house.proposed(house.ben, "works")
    at = f"/v1/approvals/{approval}"
    listed = (await house.olga.get("/v1/approvals")).json()["approvals"]
    assert approval not in [one["id"] for one in listed]
    assert approval not in (await house.olga.get("/approvals")).text
    for path in (at, f"{at}/material"):
        assert (await house.olga.get(path)).status_code == 404
    assert (await house.olga.ask("DELETE", at)).status_code == 404
    # Eve could be the second person, Ada could not; the auditor's list is not narrowed.
    assert (await house.ada.ask("DELETE", at)).status_code == 403
    assert approval in [one["id"] for one in (await house.ada.get("/v1/approvals")).json()["approvals"]]
    assert (await house.eve.ask("DELETE", at)).json()["state"] == "refused"


async def test_nobody_refuses_what_is_proposed_about_themselves(house: House) -> None:
    about = await house.ada.ask("PUT", f"/v1/operators/{house.ben.id}/roles", json={"roles": ["guard"], **WHY})
    assert (await house.ben.ask("DELETE", f"/v1/approvals/{about.json()['id']}")).status_code == 403
    assert (await house.ada.ask("DELETE", f"/v1/approvals/{about.json()['id']}")).json()["state"] == "withdrawn"


async def test_what_a_stopped_colleague_signed_is_carried_out_no_more(house: House) -> None:
    cy = await invited(house.api, house.ada, "Cy Young", "verifier", second=house.ben)
    made = await house.ada.post("/v1/operators", json={"name": "Di Doe", "roles": ["officer"], **WHY})
    at = f"/v1/approvals/{made.json()['id']}"
    assert (await cy.approve(made.json()["id"])).status_code == 200
    # The passkey that signed was a thief's.
    stopped = await house.ada.ask("DELETE", f"/v1/operators/{cy.id}", json=WHY)
    assert stopped.json()["state"] == "disabled"
    assert (await house.ada.post(f"{at}/carry-out")).status_code == 403


async def test_whoever_may_not_propose_it_any_more_does_not_carry_it_out(house: House) -> None:
    fay = await invited(house.api, house.ada, "Fay Lo", "administrator", second=house.ben)
    made = await fay.post("/v1/operators", json={"name": "Gil Po", "roles": ["officer"], **WHY})
    assert (await house.ben.approve(made.json()["id"])).status_code == 200
    roles = {"roles": ["registrar"], **WHY}
    change = (await house.ada.ask("PUT", f"/v1/operators/{fay.id}/roles", json=roles)).json()["id"]
    assert (await house.ben.approve(change)).status_code == 200
    assert (await house.ada.post(f"/v1/approvals/{change}/carry-out")).status_code == 200
    assert (await fay.post(f"/v1/approvals/{made.json()['id']}/carry-out")).status_code == 403


async def test_old_proposals_and_one_persons_flood_leave_room_for_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "OPEN_MAX", 6)
    monkeypatch.setattr(approvals, "OPEN_EACH_MAX", 3, raising=False)
    desk = house.api.site.house.desk
    made = [await house.proposed(house.ben, "works") for _ in range(3)]
    facts = [{"name": "act", "value": "hold"}]
    body = {"kind": "legal-hold", "facts": facts, "gallery": house.galleries["works"], **WHY}
    assert (await house.ben.post("/v1/approvals", json=body)).status_code == 409
    await house.proposed(house.olga, "lodge")
    moved = desk.clock.now() + 8 * DAY
    with desk.store.read() as tx:
        assert tx.approvals.count_open(desk.clock.now()) >= 4
        assert tx.approvals.count_open(moved) == 0
    for one in made:
        await house.ben.ask("DELETE", f"/v1/approvals/{one}")


# ---- keys ----


async def test_a_key_that_makes_keys_leaves_none_behind_that_outlives_it_and_all_is_written_down(house: House) -> None:
    now = house.api.site.clock.now()
    made, parent = house.api.keys.issue("maker", ["access:key:manage", "watch:metrics:read"], now + DAY)
    async with house.api.client(parent) as client:
        body = {"name": "child", "scopes": ["watch:metrics:read"]}
        assert (await client.post("/v1/keys", json=body | {"days": 30})).status_code == 403
        child, left = [
            await client.post("/v1/keys", json=body | {"expires_at": later(house.api, 0.5)}) for _ in range(2)
        ]
        assert child.status_code == 201, child.text
        assert (await client.delete(f"/v1/keys/{child.json()['id']}")).status_code == 200
    async with house.api.owner as owner, house.api.client(left.json()["token"]) as thief:
        assert (await thief.get("/metrics")).status_code == 200
        ended = (await owner.delete(f"/v1/keys/{made}")).json()
        assert (ended["id"], ended["also_revoked"]) == (made, [left.json()["id"]])
        assert (await thief.get("/metrics")).status_code == 401
    told = [one.detail for one in house.acts(act="key-revoke", actor="owner")]
    assert [key in "".join(told) for key in (made, left.json()["id"])] == [True, True]
    for act in ("key-make", "key-revoke"):
        (entry,) = [one for one in house.acts(act=act, actor=made) if child.json()["id"] in one.detail]
        assert entry.kind == "alteration"


# ---- looking ----


async def test_five_wrong_pins_are_five_however_many_come_at_once(house: House) -> None:
    await house.entered(CARD, pin="7319")
    guesses = [f"{number:04}" for number in range(20)]

    async def guess(pin: str) -> int:
        reply = await house.ben.post(f"{WORKS}/present", json={"reference": CARD, "pin": pin, **WHY})
        return reply.status_code

    told = await asyncio.gather(*map(guess, guesses))
    assert (told.count(200), told.count(429)) == (TRIES, 20 - TRIES)
    # Half a minute later one more is let through, and not twenty.
    house.api.site.clock.move(31)
    told = await asyncio.gather(*map(guess, guesses))
    assert (told.count(200), told.count(429)) == (1, 19)


async def test_who_fishes_with_references_leaves_a_trace_of_every_cast(house: House) -> None:
    subject = await house.entered("9876 5432")
    before = len(house.acts(act="find", actor=house.eve.id))
    for reference in ("9876 5431", "9876 5432", "9876 5433"):
        assert (await house.eve.post(f"{WORKS}/find", json={"reference": reference, **WHY})).status_code == 200
    everywhere = await house.eve.post("/v1/people/find", json={"reference": "9876 5434", **WHY})
    assert everywhere.json() == {"records": []}
    entries = house.acts(act="find", actor=house.eve.id)[before:]
    assert [one.subject_id for one in entries] == [None, subject, None, None, None]
    assert {one.gallery_id for one in entries} == set(house.galleries.values())
    assert all(one.reason_sealed for one in entries)


async def test_who_fishes_too_much_has_spent_the_hours_budget(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOIETY_PERSON_LABELS_HOUR", "8")
    cast = [await house.eve.post(f"{WORKS}/find", json={"reference": f"c {i}", **WHY}) for i in range(10)]
    assert 429 in [one.status_code for one in cast]
    for path, what in ((f"{WORKS}/present", {"reference": "c 1"}), ("/v1/people/find", {"reference": "c 1"})):
        assert (await house.eve.post(path, json=what | WHY)).status_code == 429


# ---- files ----


def bomb(side: int) -> bytes:
    """Make a PNG of white bits that is small on its way and huge in memory."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress((b"\0" + b"\xff" * (side // 8)) * side, 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def test_a_signature_that_would_fill_the_memory_is_refused(house: House) -> None:
    subject = await house.entered("a signer")

    async def signed(png: bytes) -> int:
        text = base64.urlsafe_b64encode(png).decode().rstrip("=")
        body = {"notice": "2026-11", "ends_at": later(house.api, 90), "signed_by": "Ada King", "png": text, **WHY}
        return (await house.ben.post(f"{WORKS}/subjects/{subject}/consents", json=body)).status_code

    for side in (13_200, 13_600):
        assert len(bomb(side)) < 40_000
        assert await signed(bomb(side)) == 400
    assert await signed(bomb(256)[:40] + b"rubbish") == 400
    assert await signed(bomb(256)) == 201
    pdf = await house.ben.post(f"{WORKS}/subjects/{subject}/access", json={"pdf": True, **WHY})
    assert pdf.status_code == 200


async def test_a_list_that_is_gone_through_one_by_one_is_a_search_and_has_an_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.api.site.clock.move(3600)
    await house.eve.device.sign_in(house.eve.passkey)
    await house.ben.device.sign_in(house.ben.passkey)
    monkeypatch.setenv("MOIETY_PERSON_LABELS_HOUR", str(3 * CLAIM_LABELS))
    api = house.api
    async with api.owner as owner:
        await owner.put("/v1/galleries/lodge/rules", json=RULE | {"consent": False})
    subjects = []
    for number in range(5):
        photo = upload(api.photo(api.site.sight.person()))
        form = {"reference": f"guest {number}", **WHY}
        made = await house.ben.post("/v1/galleries/lodge/subjects", data=form, files=photo)
        assert made.status_code == 201, made.text
        subjects.append(made.json()["subject_id"])
    unknown = upload(api.photo(api.site.sight.person()))
    told = [
        (await house.eve.post(f"/v1/galleries/lodge/subjects/{one}/verify", data=WHY, files=unknown)).status_code
        for one in subjects
    ]
    assert told == [200, 200, 200, 429, 429]
    with api.site.house.desk.store.read() as tx:
        assert [one.kind for one in tx.alerts.page() if one.actor == house.eve.id and one.kind == "budget"]


# ---- what is being erased ----


async def test_nothing_is_held_or_written_down_of_somebody_whose_erasure_has_begun(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, review = house.api.site.house.desk, later(house.api, 60)
    one, other = await house.entered("soon gone"), await house.entered("gone meanwhile")
    gallery = await house.api.site.house.galleries.get("works")
    lines = hold_lines(one, datetime.fromisoformat(review).timestamp())
    facts = [{"name": name, "value": value} for name, value in lines.items()]
    body = {"kind": "legal-hold", "facts": facts, "gallery": gallery.id, **WHY}
    approval = (await house.ben.post("/v1/approvals", json=body)).json()["id"]
    assert (await house.eve.approve(approval)).status_code == 200

    def erasing(subject: str) -> None:
        # What `Eraser` commits first, while a vault is away.
        with desk.store.begin() as tx:
            tx.subjects.mark_erasing(gallery.id, SubjectId(subject))

    erasing(one)
    held = {"review_at": review, "approval": approval, **WHY}
    assert (await house.ben.post(f"{WORKS}/subjects/{one}/holds", json=held)).status_code == 404
    fields, sealed = house.api.site.house.fields, house.api.site.house.fields.sealed

    async def meanwhile(*given: Any) -> Any:
        made = await sealed(*given)
        await asyncio.to_thread(erasing, other)
        return made

    monkeypatch.setattr(fields, "sealed", meanwhile)
    put = await house.ben.post(f"{WORKS}/subjects/{other}/rectify", json={"fields": {"town": "Pune"}, **WHY})
    assert put.status_code == 404
    with desk.store.read() as tx:
        assert "town" not in {field.name for field in tx.fields.list(SubjectId(other))}
