"""Safeguards 1, 2, 3, 6, 7, 9: what must be there before a face is kept, and how it goes again."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import DAY, WHY, Api, WordyQuality, api_over, upload
from api_people import (
    RULE,
    STAFF,
    STROKES,
    candidates,
    complete,
    consent,
    entered,
    later,
    made,
    photographed,
    rows_about,
)
from databases import BOTH
from moiety.foundation.ids import SubjectId
from moiety.people.settle import SWEEP_SECONDS
from moiety.storage import TemplateState
from staffed import SIGN_AT, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PROBLEM = "urn:moiety:problem:"
GUARDIAN = {"name": "Maria King", "relation": "mother", "reason": "school door, signed by the head"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as site:
        yield site


@BOTH
async def test_req_01_private_enrolment_stores_notice_purpose_term_and_release_first(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        straight = await owner.post(
            f"{STAFF}/subjects", data=WHY | {"reference": "Ada King"}, files=upload(api.photo(face))
        )
        assert (straight.status_code, straight.json()["type"]) == (403, PROBLEM + "consent-needed")
        subject = await entered(owner)
        early = await photographed(api, owner, subject, face)
        assert (early.status_code, early.json()["type"]) == (403, PROBLEM + "consent-needed")
        with api.site.store.read() as tx:
            assert tx.templates.of_subject(SubjectId(subject)) == ()
        given = await consent(api, owner, subject)
        assert given.status_code == 201
        told = given.json()
        assert (told["notice"], told["purpose"], told["kind"]) == ("2026-11", "doors of the works", "drawn")
        assert told["ends_at"] > told["given_at"]
        assert (await photographed(api, owner, subject, face)).status_code == 201
        assert await candidates(api, owner, face) == [subject]
    with api.site.store.read() as tx:
        (kept,) = tx.consents.of_subject(SubjectId(subject))
        release = tx.fields.get(SubjectId(subject), f"release_{kept.id}")
        (template,) = tx.templates.of_subject(SubjectId(subject))
        assert kept.given_at <= template.created_at
        # The drawn lines are sealed: neither they nor the name stand in the record.
        assert b"Ada" not in release.ciphertext
        assert len(kept.release_sha256) == hashlib.sha256().digest_size


async def test_req_01_a_consent_that_ended_or_is_to_an_old_notice_lets_nobody_in(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        subject = await entered(owner)
        assert (await consent(api, owner, subject, notice="2020-01")).status_code == 400
        assert (await consent(api, owner, subject, ends_at=later(api, -1))).status_code == 400
        assert (await consent(api, owner, subject, ends_at=later(api, 1200))).status_code == 400
        assert (await consent(api, owner, subject, strokes=STROKES[1:])).status_code == 400
        assert (await consent(api, owner, subject)).status_code == 201
        await owner.put(f"{STAFF}/rules", json=RULE | {"notice": "2027-01"})
        assert (await photographed(api, owner, subject, face)).status_code == 403
        await owner.put(f"{STAFF}/rules", json=RULE)
        api.site.clock.move(91 * DAY)
        assert (await photographed(api, owner, subject, face)).status_code == 403


async def test_req_01_a_consent_withdrawn_while_the_vaults_prepare_stops_the_enrolment(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        subject = await entered(owner)
        await consent(api, owner, subject)
        enroller = type(api.site.house.enroller)
        prepare = enroller._prepare

        async def slow(self: Any, plan: Any) -> None:
            await prepare(self, plan)
            withdrawn = await owner.post(f"{STAFF}/subjects/{subject}/withdraw", json={**WHY, "keep_card": True})
            assert withdrawn.status_code == 200

        monkeypatch.setattr(enroller, "_prepare", slow)
        assert (await photographed(api, owner, subject, face)).status_code == 403
        with api.site.store.read() as tx:
            assert [t.state for t in tx.templates.of_subject(SubjectId(subject))] in ([], [TemplateState.PENDING])
            assert tx.intents.pending() == ()


@BOTH
async def test_req_02_a_card_or_pin_completes_the_job_without_a_face(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        carded = await entered(owner, "card-0042")
        pinned = await entered(owner, "card-0043", pin="2468")
        present = f"{STAFF}/present"
        good = await owner.post(present, json={"reference": "CARD-0042", **WHY})
        assert good.json() == {"same": True, "subject_id": carded}
        none = await owner.post(present, json={"reference": "card-0099", **WHY})
        assert none.json() == {"same": False, "subject_id": None}
        ask = {"reference": "card-0043", **WHY}
        assert not (await owner.post(present, json=ask)).json()["same"]
        assert (await owner.post(present, json=ask | {"pin": "2468"})).json()["subject_id"] == pinned
        for _ in range(5):
            assert not (await owner.post(present, json=ask | {"pin": "1357"})).json()["same"]
        held = await owner.post(present, json=ask | {"pin": "2468"})
        assert (held.status_code, 1 <= int(held.headers["retry-after"]) <= 31) == (429, True)
        api.site.clock.move(31)
        assert (await owner.post(present, json=ask | {"pin": "2468"})).json()["same"]
        page = (await owner.get(f"{STAFF}/subjects")).json()["subjects"]
        assert {one["id"]: one["photos"] for one in page} == {carded: 0, pinned: 0}
        shown = await owner.post(f"{STAFF}/subjects/{carded}/reveal", json={"fields": ["reference"], **WHY})
        assert shown.json()["fields"] == {"reference": "card-0042"}
    # A guess cannot be tried on what the gate's disk holds: its mark is keyed again at vault B.
    with api.site.store.read() as tx:
        assert len(tx.fields.get(SubjectId(pinned), "pin").blind or b"") == 32


@BOTH
async def test_req_03_withdrawing_changes_no_other_access_and_erases_the_face(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner, keep_photos=True)
        subject = await complete(api, owner, face, "card-0042")
        withdrawn = await owner.post(f"{STAFF}/subjects/{subject}/withdraw", json={**WHY, "keep_card": True})
        assert withdrawn.json() == {"erased": "face"}
        assert await candidates(api, owner, face) == []
        assert rows_about(api, subject)["template"] == 0
        with api.site.store.read() as tx:
            names = [one.name for one in tx.fields.list(SubjectId(subject))]
            assert tx.consents.of_subject(SubjectId(subject))[0].withdrawn_at is not None
        assert not [name for name in names if name.startswith("image_")]
        card = await owner.post(f"{STAFF}/present", json={"reference": "card-0042", **WHY})
        assert card.json() == {"same": True, "subject_id": subject}
        assert (await photographed(api, owner, subject, face)).status_code == 403
        (receipt,) = (await owner.get(f"{STAFF}/receipts/{subject}")).json()["receipts"]
        assert '"act":"face-erased"' in receipt["document"]
        # Whoever changes their mind consents anew.
        assert (await consent(api, owner, subject)).status_code == 201
        assert (await photographed(api, owner, subject, face)).status_code == 201
        assert await candidates(api, owner, face) == [subject]


async def test_req_03_withdrawing_everything_leaves_a_receipt_and_nothing_else(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        subject = await complete(api, owner, face)
        gone = await owner.post(f"{STAFF}/subjects/{subject}/withdraw", json=WHY)
        assert gone.json() == {"erased": "person"}
        assert set(rows_about(api, subject).values()) == {0}
        assert (await owner.get(f"{STAFF}/subjects/{subject}/record")).status_code == 404
        (receipt,) = (await owner.get(f"{STAFF}/receipts/{subject}")).json()["receipts"]
    assert '"act":"person-erased"' in receipt["document"]
    assert "Ada" not in str(receipt)


async def test_req_06_enrolment_refuses_poor_quality_with_its_reasons(api: Api) -> None:
    async with api.owner as owner:
        await made(owner, consent=False)
        poor = WordyQuality(enrollable=False, reasons=("the face is too small", "too dark"))
        photo = api.photo(api.site.sight.person(), quality=poor)
        refused = await owner.post(f"{STAFF}/subjects", data=WHY, files=upload(photo))
        assert (refused.status_code, refused.json()["type"]) == (422, PROBLEM + "poor-quality")
        assert "too small" in refused.json()["detail"]
        assert (await owner.get(f"{STAFF}/subjects")).json()["subjects"] == []


@BOTH
async def test_req_07_under_eighteen_needs_a_guardian_and_an_authorised_reason(api: Api) -> None:
    face = api.site.sight.person()
    young: dict[str, Any] = {"fields": {"birth_date": "2015-06-01"}}
    async with api.owner as owner:
        await made(owner)
        for body in (young, {"minor": True}, {"guardian": GUARDIAN}):
            refused = await owner.post(f"{STAFF}/people", json={"reference": "Tim King", **WHY, **body})
            assert refused.status_code == 400, body
        blank = await owner.post(
            f"{STAFF}/people", json={"reference": "Tim King", **WHY, **young, "guardian": GUARDIAN | {"reason": " "}}
        )
        assert blank.status_code == 422
        subject = await entered(owner, "Tim King", guardian=GUARDIAN, **young)
        record = (await owner.get(f"{STAFF}/subjects/{subject}/record")).json()
        assert record["under_eighteen"]
        assert (await consent(api, owner, subject)).status_code == 403
        assert (await photographed(api, owner, subject, face)).status_code == 403
        assert (await consent(api, owner, subject, by_guardian=True)).status_code == 201
        assert (await photographed(api, owner, subject, face)).status_code == 201
        grown = await entered(owner, "Ada King", fields={"birth_date": "1990-01-01"})
        assert (await consent(api, owner, grown, by_guardian=True)).status_code == 400
        assert (await owner.post(f"{STAFF}/subjects/{grown}/rectify", json={**young, **WHY})).status_code == 400


async def test_req_07_nobody_young_comes_in_by_a_photo_alone_in_any_gallery(api: Api) -> None:
    async with api.owner as owner:
        await owner.post("/v1/galleries", json={"name": "open", "purpose": "a door of the site"})
        form = WHY | {"fields": '{"birth_date": "2020-02-29"}'}
        photo = upload(api.photo(api.site.sight.person()))
        refused = await owner.post("/v1/galleries/open/subjects", data=form, files=photo)
    assert (refused.status_code, refused.json()["type"]) == (403, PROBLEM + "consent-needed")


async def test_req_09_nobody_is_kept_without_a_rule_once_somebody_works_here(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOIETY_RECORDS")
    card = {"reference": "Ada King", **WHY}
    async with api.owner as owner:
        await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors of the works"})
        assert (await owner.post(f"{STAFF}/people", json=card)).status_code == 201
    ben = await invited(api, await first(api), "Ben Ali", "registrar")
    card["reference"] = "Cy King"
    refused = await ben.post(f"{STAFF}/people", json=card)
    assert (refused.status_code, "missing: basis" in refused.json()["detail"]) == (400, True)
    assert (await ben.ask("PUT", f"{STAFF}/rules", json=RULE)).status_code == 200
    assert (await ben.post(f"{STAFF}/people", json=card)).status_code == 201


async def test_req_01_a_gallery_with_people_goes_on_asking_for_consent(api: Api) -> None:
    async with api.owner as owner:
        await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors of the works"})
        for consent in (True, False, True):
            assert (await owner.put(f"{STAFF}/rules", json=RULE | {"consent": consent})).status_code == 200
        await entered(owner)
        refused = await owner.put(f"{STAFF}/rules", json=RULE | {"consent": False})
        assert (refused.status_code, "another gallery" in refused.json()["detail"]) == (400, True)
        assert (await owner.get(f"{STAFF}/rules")).json()["consent"] is True
        # While nobody works here nobody could be the second person: the owner alone keeps them longer.
        longer = RULE | {"keep_days": 500, "keep_photos": True}
        assert (await owner.put(f"{STAFF}/rules", json=longer)).status_code == 200


async def test_req_09_every_record_says_purpose_basis_controller_source_and_end(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_RECORDS", "needed")
    own = {"basis": "contract", "source": "employer"}
    async with api.owner as owner:
        await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors of the works"})
        for body, missing in (({"source": "employer"}, "basis"), (own, "controller")):
            refused = await owner.post(f"{STAFF}/people", json={"reference": "Ada King", **WHY, **body})
            assert (refused.status_code, missing in refused.json()["detail"]) == (400, True)
        photo = upload(api.photo(api.site.sight.person()))
        taken = WHY | {"capture": "attended"}
        assert (await owner.post(f"{STAFF}/subjects", data=taken, files=photo)).status_code == 400
        # A name that somebody gives one record would lie there in the clear: who answers is the rule's alone.
        named = {"reference": "Ada King", "controller": "Ada King", **WHY, **own}
        assert (await owner.post(f"{STAFF}/people", json=named)).status_code == 422
        assert (await owner.put(f"{STAFF}/rules", json=RULE)).status_code == 200
        subject = await entered(owner, **own)
        record = (await owner.get(f"{STAFF}/subjects/{subject}/record")).json()
        assert {name: record[name] for name in own} == own
        assert record["controller"] == RULE["controller"]
        assert record["expires_at"] is not None
        for part in ("controller", "basis", "notice", "keep_days"):
            rule = {name: value for name, value in RULE.items() if name != part}
            assert (await owner.put(f"{STAFF}/rules", json=rule)).status_code == 422
    with api.site.store.read() as tx:
        kept = tx.records.get(SubjectId(subject))
        assert kept is not None
        assert kept.purpose == "doors of the works"


@BOTH
async def test_a_person_whose_entry_is_cut_short_is_not_there(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api.owner as owner:
        await made(owner)
        registrar = type(api.site.house.registry.registrar)

        def broken(*_: object) -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(registrar, "_decide", broken)
        with pytest.raises(asyncio.CancelledError):
            await owner.post(f"{STAFF}/people", json={"reference": "Ada King", **WHY})
        monkeypatch.undo()
        assert (await owner.get(f"{STAFF}/subjects")).json()["subjects"] == []
        await api.site.house.settle()
        with api.site.store.read() as tx:
            assert tx.intents.pending() == ()
        assert (await owner.post(f"{STAFF}/people", json={"reference": "Ada King", **WHY})).status_code == 201


async def test_what_is_written_later_of_somebody_who_came_without_a_word_is_not_swept_away(api: Api) -> None:
    """Such a person's key at B is made by the first field; a sweep of what nobody will commit must not take it."""
    async with api.owner as owner:
        await made(owner, consent=False)
        enrolled = await owner.post(f"{STAFF}/subjects", data=WHY, files=upload(api.photo(api.site.sight.person())))
        one = f"{STAFF}/subjects/{enrolled.json()['subject_id']}"
        told = await owner.post(f"{one}/rectify", json=WHY | {"fields": {"note": "left-handed"}})
        assert told.status_code == 200, told.text
        api.site.clock.move(SWEEP_SECONDS + 1)
        await api.site.house.settler.everything()
        shown = await owner.post(f"{one}/reveal", json=WHY | {"fields": ["note"]})
    assert shown.json() == {"fields": {"note": "left-handed"}}
