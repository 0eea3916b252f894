"""Safeguards 30 to 36 and 38: how long, on whose hold, and what a person may have, change and stop."""

from __future__ import annotations

import base64
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from api_in_process import DAY, WHY, Api, api_over, upload
from api_people import (
    STAFF,
    candidates,
    complete,
    consent,
    entered,
    halves_of,
    made,
    photographed,
    rows_about,
)
from databases import BOTH, SQLITE
from moiety.api.parts import Parts
from moiety.foundation.errors import Unverified
from moiety.foundation.ids import SubjectId
from moiety.people.receipts import Receipt
from moiety.people.replay import Books, replay
from moiety.warrants import targets
from moiety.wire.kinds import Role
from staffed import SIGN_AT, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = BOTH
PROBLEM = "urn:moiety:problem:"
GUARDIAN = {"name": "Maria King", "relation": "mother", "reason": "school door, signed by the head"}
RIGHTS = "gallery:subject:rights"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as site:
        yield site


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


async def access(client: httpx.AsyncClient, subject: str, **more: Any) -> dict[str, Any]:
    reply = await client.post(f"{STAFF}/subjects/{subject}/access", json=WHY | more)
    assert reply.status_code == 200, reply.text
    document: dict[str, Any] = reply.json()["document"]
    return document


async def test_req_30_records_end_by_themselves_and_never_later_than_three_years(api: Api) -> None:
    async with api.owner as owner:
        await made(owner, consent=False, keep_days=30)
        assert (await owner.put(f"{STAFF}/rules", json={"keep_days": 1096})).status_code == 422
        subject = await entered(owner, "card-1")
        other = await entered(owner, "card-2")
        now = api.site.clock.now()
        api.site.clock.move(20 * DAY)
        moved = await owner.post(f"{STAFF}/subjects/{subject}/contact", json=WHY)
        assert at(moved.json()["expires_at"]) == pytest.approx(now + 50 * DAY, abs=2)
        api.site.clock.move(11 * DAY)
        assert await api.site.house.retention.sweep() == 1
        assert [one["id"] for one in (await owner.get(f"{STAFF}/subjects")).json()["subjects"]] == [subject]
        assert set(rows_about(api, other).values()) == {0}
        assert len((await owner.get(f"{STAFF}/receipts/{other}")).json()["receipts"]) == 1
        await owner.post(f"{STAFF}/subjects/{subject}/over", json=WHY)
        assert await api.site.house.retention.sweep() == 1
        # A gallery that says nothing of time, or too long a time, keeps nobody beyond the ceiling.
        for name, days in (("silent", None), ("long", 36_500)):
            await owner.post("/v1/galleries", json={"name": name, "purpose": "a door", "retention_days": days})
            photo = upload(api.photo(api.site.sight.person()))
            kept = (await owner.post(f"/v1/galleries/{name}/subjects", data=WHY, files=photo)).json()["subject_id"]
            record = (await owner.get(f"/v1/galleries/{name}/subjects/{kept}/record")).json()
            assert at(record["expires_at"]) == pytest.approx(api.site.clock.now() + 1095 * DAY, abs=2)


async def test_req_30_a_face_goes_when_its_consent_ends(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        subject = await complete(api, owner, face)
        touched = await owner.post(f"{STAFF}/subjects/{subject}/contact", json=WHY)
        assert at(touched.json()["expires_at"]) == pytest.approx(api.site.clock.now() + 90 * DAY, abs=2)
        api.site.clock.move(90 * DAY + 1)
        assert await api.site.house.retention.sweep() == 1
        assert set(rows_about(api, subject).values()) == {0}


@SQLITE
async def test_req_31_erasure_reaches_every_table_and_the_key_that_backups_need(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        gallery = await made(owner, keep_photos=True)
        subject = await complete(api, owner, face)
        with api.site.store.read() as tx:
            sealed = [one.ciphertext for one in tx.fields.list(SubjectId(subject))]
            (template,) = tx.templates.of_subject(SubjectId(subject))
        assert len(sealed) == 3
        halves = [raw.strip(b"\0")[:64] for raw in halves_of(api).values() if any(raw)]
        assert halves
        gone = await owner.request("DELETE", f"{STAFF}/subjects/{subject}", params=WHY)
        assert gone.status_code == 200
    assert set(rows_about(api, subject).values()) == {0}
    assert not [half for half in halves for raw in halves_of(api).values() if half in raw]
    handle = targets.person_handle(api.site.installation.tenant, gallery, subject)
    journal = api.site.vault_b._cabinet._journal
    # With the personal key no copy of what it wrapped opens, in whichever backup it lies.
    assert journal.read("SELECT count(*) FROM person WHERE handle = ?", (handle,)) == [(0,)]
    api.site.store.close()
    data = api.site.installation.data
    kept = [one for one in data.rglob("*") if one.is_file() and "gate" in one.parts]
    assert any(one.name.startswith("gate.sqlite") for one in kept)
    for path in kept:
        raw = path.read_bytes()
        assert not any(one in raw for one in sealed), path.name
        assert template.binding not in raw


async def test_req_32_a_restored_database_forgets_whoever_was_erased_since(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        gallery = await made(owner)
        subject = await complete(api, owner, face)
        picture = upload(api.photo(face))
        kept = await owner.post(f"{STAFF}/subjects/{subject}/own-template", data=WHY, files=picture)
        assert kept.status_code == 201
    assert all(rows_about(api, subject).values())
    desk = api.site.desk
    # This database is now as old as a backup; the tombstone is what B wrote when the person was erased.
    handle = targets.person_handle(desk.tenant, gallery, subject)
    forgotten = replay(Books(desk.tenant, desk.store, desk.ledger), {gallery: {handle}})
    assert forgotten.subjects == (subject,)
    assert set(rows_about(api, subject).values()) == {0}


async def test_req_34_an_access_export_has_images_sources_searches_disclosures_and_logic(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner, keep_photos=True)
        subject = await entered(owner, "Ada King", fields={"phone": "555-0142-77"}, source="employer")
        await consent(api, owner, subject)
        photo = api.photo(face)
        await owner.post(f"{STAFF}/subjects/{subject}/photos", data=WHY, files=upload(photo))
        assert await candidates(api, owner, face) == [subject]
        await owner.post(f"{STAFF}/subjects/{subject}/verify", data=WHY, files=upload(api.photo(face)))
        token = api.key("gallery:probe:identify")
        async with api.client(token) as door:
            assert await candidates(api, door, face) == [subject]
        found = await access(owner, subject)
    assert found["fields"] == {"reference": "Ada King", "phone": "555-0142-77"}
    assert (found["record"]["source"], found["record"]["basis"]) == ("employer", "consent")
    assert [base64.b64decode(one["base64"]) for one in found["images"]] == [photo]
    assert {one["act"] for one in found["searches"]} >= {"verify", "reveal"}
    told = [one for one in found["disclosures"] if one["act"] == "candidate"]
    assert [one["recipient_name"] for one in told] == ["owner", "a-test"]
    assert {one["band"] for one in told} <= {"possible", "probable", "strong"}
    assert "threshold" in found["logic"]
    assert found["consents"][0]["release"]["signed_by"] == "Ada King"


@SQLITE
async def test_req_34_without_the_right_to_rights_there_is_no_export(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        subject = await entered(owner)
        async with api.client(api.key("gallery:subject:reveal", "gallery:subject:read")) as other:
            assert (await other.post(f"{STAFF}/subjects/{subject}/access", json=WHY)).status_code == 403


@SQLITE
async def test_the_export_is_a_readable_document_with_names_in_many_scripts(api: Api) -> None:
    names = "Ada Łukasiewicz Ελένη Иван मीरा தமிழ் తెలుగు বাংলা ก้อง"
    async with api.owner as owner:
        await made(owner)
        subject = await entered(owner, "card-1", fields={"full_name": names, "other_script": "ⴰⵣⵓⵍ", "note": "ⴰ"})
        await consent(api, owner, subject)
        reply = await owner.post(f"{STAFF}/subjects/{subject}/access", json=WHY | {"pdf": True})
    reader = PdfReader(io.BytesIO(base64.b64decode(reply.json()["pdf"])))
    text = "\n".join(page.extract_text() for page in reader.pages)
    for part in ("Łukasiewicz", "Ελένη", "Иван", "doors of the works", "Example Works Ltd", "Your consents"):
        assert part in text, part
    # What no font of the packages shows stands there by its number.
    assert "[U+2D30]" in text
    fonts = {str(one) for page in reader.pages for one in page["/Resources"]["/Font"]}  # type: ignore[index]  # a page is a dictionary
    assert len(fonts) >= 4


async def test_req_35_rectification_marks_earlier_matches_and_names_the_recipients(api: Api) -> None:
    face = api.site.sight.person()
    token = api.key("gallery:probe:identify", "gallery:subject:read")
    async with api.owner as owner, api.client(token) as door:
        await made(owner)
        subject = await complete(api, owner, face)
        assert await candidates(api, door, face) == [subject]
        assert await candidates(api, owner, face) == [subject]
        fixed = await owner.post(
            f"{STAFF}/subjects/{subject}/rectify", json={"fields": {"reference": "Ada Byron King"}, **WHY}
        )
        assert fixed.status_code == 200
        told = fixed.json()
        assert (len(told["recipients"]), told["matches"]) == (2, 2)
        assert "owner" in told["recipients"]
        waiting = (await door.get(f"{STAFF}/follow-ups")).json()["follow_ups"]
        assert {one["cause"] for one in waiting} == {"rectified"}
        mine = next(one for one in waiting if one["recipient"] != "owner")
        others = next(one for one in waiting if one["recipient"] == "owner")
        assert (await door.post(f"{STAFF}/follow-ups/{others['id']}/done", json=WHY)).status_code == 403
        done = await door.post(f"{STAFF}/follow-ups/{mine['id']}/done", json=WHY)
        assert done.json()["done_at"] is not None
        left = (await owner.get(f"{STAFF}/follow-ups")).json()["follow_ups"]
        assert [one["id"] for one in left] == [others["id"]]
        assert (await owner.post(f"{STAFF}/present", json={"reference": "ada byron king", **WHY})).json()["same"]
        for bad in ({"release_x": "y"}, {"pin": "1234"}, {"image_x": "y"}, {"guardian_name": "x"}):
            reply = await owner.post(f"{STAFF}/subjects/{subject}/rectify", json={"fields": bad, **WHY})
            assert reply.status_code == 400


@SQLITE
async def test_req_35_recipients_who_read_nobody_hear_of_what_changed(tmp_path: Path) -> None:
    """A guard, a verifier and a door's key were told who somebody is: each reads their own follow-ups alone."""
    async with api_over(tmp_path, sign_at=SIGN_AT) as api:
        face = api.site.sight.person()
        async with api.owner as owner:
            await made(owner)
            subject = await complete(api, owner, face)
        ada = await first(api)
        ben = await invited(api, ada, "Ben Ali", "registrar")
        guy = await invited(api, ada, "Guy Roy", "guard", second=ben)
        vera = await invited(api, ada, "Vera Roy", "verifier", second=ben)
        async with api.client(api.key("gallery:probe:identify")) as door:
            for who in (guy, door):
                seen = await who.post(f"{STAFF}/identify", data=WHY, files=upload(api.photo(face)))
                assert subject in seen.text
            checked = await vera.post(f"{STAFF}/subjects/{subject}/verify", data=WHY, files=upload(api.photo(face)))
            assert checked.json()["same"] is True
            fixed = {"fields": {"reference": "Ada Byron King"}, **WHY}
            assert (await ben.post(f"{STAFF}/subjects/{subject}/rectify", json=fixed)).status_code == 200

            waits: dict[str, str] = {}
            for who in (guy, vera, door):
                assert (await who.get(f"{STAFF}/follow-ups")).status_code == 403
                (mine,) = (await who.get("/v1/follow-ups")).json()["follow_ups"]
                assert (mine["subject_id"], mine["cause"]) == (subject, "rectified")
                waits[mine["recipient"]] = mine["id"]
            assert (len(waits), (await ben.get("/v1/follow-ups")).json()) == (3, {"follow_ups": []})
            assert "1 answer that you were given has changed since" in (await guy.get("/")).text
            assert waits[guy.id] in (await guy.get("/told")).text
            assert waits[vera.id] not in (await guy.get("/told")).text
            others = await guy.post(f"/v1/follow-ups/{waits[vera.id]}/done", json=WHY)
            assert others.status_code == 404
            for who in (guy, vera, door):
                (mine,) = (await who.get("/v1/follow-ups")).json()["follow_ups"]
                done = await who.post(f"/v1/follow-ups/{mine['id']}/done", json=WHY)
                assert done.json()["done_at"] is not None
                assert (await who.get("/v1/follow-ups")).json() == {"follow_ups": []}
        assert "has changed since" not in (await guy.get("/")).text


@SQLITE
@pytest.mark.parametrize(
    ("machines", "export", "page"),
    [
        ((7, 7), "on one machine", "on one machine"),
        ((7, 8), "on two machines", "on different machines"),
        ((7, 0), "do not say", "cannot be told"),
    ],
)
async def test_where_the_halves_lie_is_said_as_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch, machines: tuple[int, int], export: str, page: str
) -> None:
    told: dict[str, Any] = {}
    for role, one in zip((Role.VAULT_A, Role.VAULT_B), machines, strict=True):
        told[role] = {"machine": one}

    async def state(_: Parts[Any]) -> dict[str, Any]:
        return dict(told)

    async with api.owner as owner:
        await made(owner)
        subject = await entered(owner)
        monkeypatch.setattr(Parts, "state", state)
        assert export in (await access(owner, subject))["logic"]
        shown = await owner.get("/identify", headers={"accept": "text/html"})
        assert page in shown.text


@SQLITE
async def test_req_36_the_export_is_machine_readable_and_portable(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        subject = await entered(owner, "Ada King", fields={"note": "=HYPERLINK(0)", "phone": "555-0100"})
        found = await access(owner, subject)
        assert found["moiety"] == "moiety/access/1"
        taken = (await owner.post(f"{STAFF}/subjects/{subject}/portable", json=WHY)).json()["document"]
    assert taken["fields"] == {"reference": "Ada King", "note": "=HYPERLINK(0)", "phone": "555-0100"}
    assert '"\'=HYPERLINK(0)"' in taken["csv"]
    for moment in (found["made_at"], found["record"]["since"], found["record"]["ends"]):
        assert datetime.fromisoformat(moment).tzinfo is not None


async def test_req_38_others_are_left_out_of_a_persons_export(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        fields = {
            "birth_date": "2015-06-01",
            "note": "seen with Bob Tipp; maria king called",
            "tip_by": "Bob Tipp",
            "victim_name": "Eve Ward",
        }
        subject = await entered(owner, "Tim King", fields=fields, guardian=GUARDIAN)
        await consent(api, owner, subject, by_guardian=True, signed_by="Maria King")
        reply = await owner.post(f"{STAFF}/subjects/{subject}/access", json=WHY | {"pdf": True})
        found = reply.json()["document"]
        taken = (await owner.post(f"{STAFF}/subjects/{subject}/portable", json=WHY)).json()["document"]
    pages = PdfReader(io.BytesIO(base64.b64decode(reply.json()["pdf"]))).pages
    for whole in (json.dumps(found), json.dumps(taken), "\n".join(page.extract_text() for page in pages)):
        for other in ("Bob", "maria", "Maria", "Eve", "signed by the head"):
            assert other not in whole, other
        assert "Tim King" in whole
    assert set(found["redacted"]) >= {"note", "tip_by", "victim_name", "guardian_name"}


async def test_an_objection_stops_matching_until_it_is_decided(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        subject = await complete(api, owner, face)
        one = f"{STAFF}/subjects/{subject}"
        assert (await owner.post(f"{one}/overrule", json=WHY)).status_code == 404
        assert (await owner.post(f"{one}/object", json=WHY)).status_code == 200
        assert await candidates(api, owner, face) == []
        refused = await owner.post(f"{one}/verify", data=WHY, files=upload(api.photo(face)))
        assert refused.json()["type"] == PROBLEM + "matching-stopped"
        assert (await photographed(api, owner, subject, face)).json()["type"] == PROBLEM + "matching-stopped"
        assert (await owner.get(f"{one}/record")).json()["matching_stopped"]
        # A further consent does not end an objection; a decision with a reason on record does.
        assert (await consent(api, owner, subject)).status_code == 201
        assert await candidates(api, owner, face) == []
        assert (await owner.post(f"{one}/overrule", json=WHY)).json() == {"matching": True}
        assert await candidates(api, owner, face) == [subject]


@SQLITE
async def test_a_receipt_holds_offline_and_an_altered_one_does_not(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        subject = await entered(owner)
        await owner.request("DELETE", f"{STAFF}/subjects/{subject}", params=WHY)
        (told,) = (await owner.get(f"{STAFF}/receipts/{subject}")).json()["receipts"]
    receipt = Receipt.read(json.dumps(told).encode())
    assert receipt.key == api.site.desk.secrets.service.public_key().public_bytes_raw()
    assert (receipt.verify()["subject"], receipt.verify()["act"]) == (subject, "person-erased")
    altered = told | {"document": told["document"].replace("person", "nobody")}
    for bad in (altered, told | {"signature": "00" * 64}, told | {"key": "00" * 32}, {}, {"document": 3}):
        with pytest.raises(Unverified):
            Receipt.read(json.dumps(bad).encode()).verify()


async def test_merged_records_are_one_and_split_ones_are_two(api: Api) -> None:
    ada, bob = api.site.sight.person(), api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        first = await complete(api, owner, ada, "card-1")
        second = await complete(api, owner, ada, "card-2", fields={"phone": "555-0100"})
        assert set(await candidates(api, owner, ada)) == {first, second}
        merged = await owner.post(f"{STAFF}/subjects/{second}/merge", json={"into": first, **WHY})
        assert merged.status_code == 200, merged.text
        assert await candidates(api, owner, ada) == [first]
        assert set(rows_about(api, second).values()) == {0}
        for name, value in (("phone", "555-0100"), ("reference", "card-1")):
            shown = await owner.post(f"{STAFF}/subjects/{first}/reveal", json={"fields": [name], **WHY})
            assert shown.json()["fields"] == {name: value}
        # Somebody else's photo was put to this record by mistake.
        wrong = (await photographed(api, owner, first, bob)).json()["photo_id"]
        other = await entered(owner, "card-3")
        body = {"into": other, "photos": [wrong], **WHY}
        assert (await owner.post(f"{STAFF}/subjects/{first}/split", json=body)).status_code == 403
        await consent(api, owner, other)
        assert (await owner.post(f"{STAFF}/subjects/{first}/split", json=body)).status_code == 200
        assert await candidates(api, owner, bob) == [other]
        assert await candidates(api, owner, ada) == [first]
        for path, bad in (("merge", {"into": other}), ("split", body)):
            reply = await owner.post(f"{STAFF}/subjects/{other}/{path}", json=bad | WHY)
            assert reply.status_code == 400
        assert (await owner.post(f"{STAFF}/subjects/{first}/split", json=body)).status_code == 404
