"""One mechanism for acts of two people: shown where the act is done, for exactly its lines, and once."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import DAY, WHY, Api, api_over, upload
from api_people import RULE
from databases import BOTH
from moiety.foundation.ids import GalleryId
from moiety.people.holds import hold_lines, release_lines
from moiety.people.rules import rule_lines
from moiety.storage.person_records import Rule
from staffed import SIGN_AT, Person, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

STAFF = "/v1/galleries/staff"
NOT_APPROVED = "urn:moiety:problem:not-approved"


class Office:
    """A gallery and those who work there."""

    def __init__(self, api: Api, gallery: str, ada: Person, ben: Person, eve: Person) -> None:
        self.api, self.gallery, self.ada, self.ben, self.eve = api, gallery, ada, ben, eve

    async def approved(self, by: Person, second: Person, kind: str, lines: Mapping[str, str], gallery: str = "") -> str:
        """Have an act proposed and signed; gives the approval's id."""
        approval = await self.proposed(by, kind, lines, gallery)
        signed = await second.approve(approval)
        assert signed.status_code == 200, signed.text
        return approval

    async def proposed(self, by: Person, kind: str, lines: Mapping[str, str], gallery: str = "") -> str:
        """Have an act proposed."""
        facts = [{"name": name, "value": value} for name, value in lines.items()]
        body = {"kind": kind, "facts": facts, "gallery": gallery or self.gallery, **WHY}
        made = await by.post("/v1/approvals", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def later(self, days: float) -> datetime:
        """Give a moment from the test's clock, to the second."""
        return datetime.fromtimestamp(int(self.api.site.clock.now()), UTC) + timedelta(days=days)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as api:
        async with api.owner as owner:
            made = await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors of the works"})
        ada = await first(api)
        ben = await invited(api, ada, "Ben Ali", "registrar", "officer")
        eve = await invited(api, ada, "Eve Roy", "examiner", second=ben)
        yield Office(api, made.json()["id"], ada, ben, eve)


@BOTH
async def test_req_33_a_legal_hold_needs_two_people_and_a_day_of_review(office: Office) -> None:
    api, ben, eve = office.api, office.ben, office.eve
    photo = upload(api.photo(api.site.sight.person()))
    made = await ben.post(f"{STAFF}/subjects", data={"reference": "Ada King", **WHY}, files=photo)
    subject = made.json()["subject_id"]
    one, review = f"{STAFF}/subjects/{subject}", office.later(60)
    lines = hold_lines(subject, review.timestamp())

    async def hold(approval: str | None, when: datetime = review, by: Person = ben) -> Any:
        return await by.post(f"{one}/holds", json={"review_at": when.isoformat(), "approval": approval, **WHY})

    assert (await hold(None)).status_code == 422
    alone = await office.proposed(ben, "legal-hold", lines)
    assert (await ben.approve(alone)).status_code == 403
    assert (await hold(alone)).status_code == 409
    assert (await eve.approve(alone)).status_code == 200
    # Another day than the approved one; another person's approval; a day beyond a year.
    other = await hold(alone, review + timedelta(days=1))
    assert (other.status_code, other.json()["type"]) == (403, NOT_APPROVED)
    assert (await hold(alone, office.later(400))).status_code == 400
    olga = await invited(api, office.ada, "Olga Roy", "officer", second=ben)
    assert (await hold(alone, by=olga)).status_code == 403
    elsewhere = await office.approved(ben, eve, "legal-hold", lines, gallery="gal_" + "a" * 16)
    assert (await hold(elsewhere)).json()["type"] == NOT_APPROVED
    active = await hold(alone)
    assert (active.status_code, active.json()["state"]) == (201, "active")
    assert (active.json()["proposed_by"], active.json()["approved_by"]) == (ben.id, eve.id)
    assert (await hold(alone)).status_code == 409
    # Nobody and nothing erases it now; then two others let it go.
    assert (await ben.ask("DELETE", one, params=WHY)).json()["type"] == "urn:moiety:problem:on-hold"
    waits = await ben.post(f"{one}/withdraw", json=WHY)
    assert waits.json() == {"erased": "waits-for-hold"}
    assert await api.site.house.retention.sweep() == 0
    name = active.json()["id"]
    free = await office.approved(olga, eve, "legal-hold", release_lines(subject, name))
    released = await olga.post(f"{STAFF}/holds/{name}/release", json={"approval": free, **WHY})
    assert (released.json()["state"], released.json()["released_by"]) == ("released", eve.id)
    again = await olga.post(f"{STAFF}/holds/{name}/release", json={"approval": free, **WHY})
    assert again.status_code == 409
    assert await api.site.house.retention.sweep() == 1


@BOTH
async def test_req_30_two_people_loosen_a_gallery_s_rule_and_one_tightens_it(office: Office) -> None:
    """Two people keep a gallery's people longer, or their photos; one keeps them shorter."""
    api, ben, eve = office.api, office.ben, office.eve
    base = RULE | {"source": "person", "keep_days": 100, "keep_photos": False}
    looser = base | {"keep_days": 400, "keep_photos": True}

    async def put(rule: dict[str, Any], approval: str | None = None, by: Person = ben) -> Any:
        return await by.ask("PUT", f"{STAFF}/rules", json=rule | {"approval": approval})

    # While nobody is there it is set up by one.
    for days in (30, 100):
        assert (await put(base | {"keep_days": days})).status_code == 200
    assert (await ben.post(f"{STAFF}/people", json={"reference": "Ada King", **WHY})).status_code == 201
    for rule in (base | {"keep_days": 101}, base | {"keep_photos": True}, looser):
        assert (await put(rule)).json()["type"] == NOT_APPROVED
    async with api.owner as owner, api.client(api.key("gallery:rules:set")) as program:
        for alone in (owner, program):
            assert (await alone.put(f"{STAFF}/rules", json=looser)).json()["type"] == NOT_APPROVED
    assert (await ben.get(f"{STAFF}/rules")).json()["keep_days"] == 100
    fields: dict[str, Any] = {name: value for name, value in looser.items() if name != "reason"}
    approval = await office.proposed(ben, "rules", rule_lines(Rule(GalleryId(office.gallery), **fields)))
    assert (await ben.approve(approval)).status_code == 403
    assert (await put(looser, approval)).status_code == 409
    assert (await eve.approve(approval)).status_code == 200
    for change in ({"keep_days": 401}, {"keep_photos": False}, {"notice": "2026-12"}, {"controller": "Another Ltd"}):
        assert (await put(looser | change, approval)).json()["type"] == NOT_APPROVED
    assert (await put(looser, approval)).json()["keep_days"] == 400
    assert (await put(looser, approval)).status_code == 409
    # Tightening, and saying something else that keeps nobody longer, is one person's.
    assert (await put(looser | {"notice": "2026-12"})).status_code == 200
    assert (await put(base | {"keep_days": 30})).status_code == 200
    assert (await put(base)).json()["type"] == NOT_APPROVED


@BOTH
async def test_an_export_of_more_than_one_person_needs_a_second(office: Office) -> None:
    ben, eve = office.ben, office.eve
    for reference in ("Ada King", "=cmd Bob"):
        assert (await ben.post(f"{STAFF}/people", json={"reference": reference, **WHY})).status_code == 201

    async def sheet(approval: str | None, limit: int = 500) -> Any:
        more = {"approval": approval} if approval else {}
        return await ben.get(f"{STAFF}/people.csv", params={"limit": limit, **more, **WHY})

    assert (await sheet(None)).json()["type"] == NOT_APPROVED
    lines = {"export": "people, references masked", "behind": "the beginning", "people": "500"}
    approval = await office.approved(ben, eve, "bulk-export", lines)
    assert (await sheet(approval, 501)).json()["type"] == NOT_APPROVED
    made = await sheet(approval)
    assert (made.status_code, "A••• K•••" in made.text, "Bob" in made.text) == (200, True, False)
    assert (await sheet(approval)).status_code == 409
    token = office.api.key("gallery:subject:read")
    async with office.api.client(token) as program:
        assert (await program.get(f"{STAFF}/people.csv", params=WHY)).status_code == 403


async def test_a_search_that_the_gallery_wants_two_people_for_is_of_exactly_this_picture(office: Office) -> None:
    api, ada, ben, eve = office.api, office.ada, office.ben, office.eve
    face = api.site.sight.person()
    assert (await ben.post(f"{STAFF}/subjects", data=WHY, files=upload(api.photo(face)))).status_code == 201
    review = office.later(90)
    body = {"assessment": "DPIA-7", "review_at": review.isoformat(), "two_to_search": True, **WHY}
    assert (await ada.ask("PUT", f"{STAFF}/deployment", json=body)).json()["type"] == NOT_APPROVED
    lines = {"assessment": "DPIA-7", "review": review.date().isoformat(), "police": "no", "two to search": "yes"}
    policy = await office.approved(ada, eve, "policy", lines)
    loose = body | {"two_to_search": False, "approval": policy}
    assert (await ada.ask("PUT", f"{STAFF}/deployment", json=loose)).json()["type"] == NOT_APPROVED
    put = await ada.ask("PUT", f"{STAFF}/deployment", json=body | {"approval": policy})
    assert (put.status_code, put.json()["two_to_search"]) == (200, True)
    image, other = api.photo(face), api.photo(face)

    async def search(picture: bytes, **more: str) -> Any:
        return await ben.post(f"{STAFF}/identify", data={"case": "FIR 12/2026", **more, **WHY}, files=upload(picture))

    assert (await search(image)).json()["type"] == NOT_APPROVED
    wanted = {"case": "FIR 12/2026", "picture": hashlib.sha256(image).hexdigest()}
    approval = await office.approved(ben, eve, "case-search", wanted)
    assert (await search(other, approval=approval)).json()["type"] == NOT_APPROVED
    assert (await search(image, approval=approval, case="FIR 13/2026")).json()["type"] == NOT_APPROVED
    found = await search(image, approval=approval)
    assert (found.status_code, len(found.json()["faces"][0]["candidates"])) == (200, 1)
    assert (await search(image, approval=approval)).status_code == 409


async def test_req_20_a_lowered_threshold_needs_two_people_and_a_test_report(office: Office) -> None:
    api, ada, eve = office.api, office.ada, office.eve
    face = api.site.sight.person()
    assert (await office.ben.post(f"{STAFF}/subjects", data=WHY, files=upload(api.photo(face)))).status_code == 201

    async def search() -> str:
        reply = await office.eve.post(f"{STAFF}/identify", data=WHY, files=upload(api.photo(face)))
        return str(reply.json().get("type", reply.status_code))

    assert await search() == "200"
    told = (await ada.get(f"{STAFF}/thresholds")).json()
    # What was taken here is higher than what the vaults' keepers have now signed for: they lowered it.
    with api.site.store.begin() as tx:
        tx.galleries.set_thresholds(GalleryId(office.gallery), [one + 10 for one in told["taken"]])
    assert await search() == NOT_APPROVED
    shown = (await ada.get(f"{STAFF}/thresholds")).json()
    assert shown["at_the_vaults"] == told["taken"] != shown["taken"]
    body = {"report": "TEST-2026-11", **WHY}
    assert (await ada.post(f"{STAFF}/thresholds", json=body)).json()["type"] == NOT_APPROVED
    assert (await ada.post(f"{STAFF}/thresholds", json=WHY)).status_code == 422
    lines = {"policy version": "1", "thresholds": ", ".join(map(str, told["taken"])), "report": "TEST-2026-11"}
    approval = await office.approved(ada, eve, "threshold", lines)
    other = body | {"report": "TEST-2026-12", "approval": approval}
    assert (await ada.post(f"{STAFF}/thresholds", json=other)).json()["type"] == NOT_APPROVED
    taken = await ada.post(f"{STAFF}/thresholds", json=body | {"approval": approval})
    assert (taken.status_code, taken.json()["taken"]) == (200, told["taken"])
    assert await search() == "200"
    # A raised one is taken as it comes.
    await api.site.put_policy(office.gallery, thresholds=tuple(one + 5 for one in told["taken"]))
    assert await search() == "200"
    assert (await ada.get(f"{STAFF}/thresholds")).json()["taken"] == [one + 5 for one in told["taken"]]
    api.site.clock.move(DAY)
