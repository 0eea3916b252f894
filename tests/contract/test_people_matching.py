"""Safeguards 11, 18, 19 and 28: a question is of one purpose, enrols nobody, is bounded, and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_in_process import WHY, Api, api_over, upload
from api_people import STAFF, candidates, complete, consent, entered, halves_of, made, photographed
from databases import BOTH
from moiety.foundation.ids import GalleryId
from moiety.matching.identify import HITS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from moiety.storage import ActiveRow

VISITORS = "/v1/galleries/visitors"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as site:
        yield site


@BOTH
async def test_req_11_a_search_stays_within_its_purpose(api: Api) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        staff = await made(owner)
        await made(owner, "visitors")
        first = await complete(api, owner, face)
        second = await entered(owner, base=VISITORS)
        await consent(api, owner, second, base=VISITORS)
        assert (await photographed(api, owner, second, face, base=VISITORS)).status_code == 201
        # The same face, enrolled for two purposes, is two people with two keys; neither search finds the other.
        assert await candidates(api, owner, face) == [first]
        assert await candidates(api, owner, face, base=VISITORS) == [second]
        photo = upload(api.photo(face))
        crossed = await owner.post(f"{STAFF}/subjects/{second}/verify", data=WHY, files=photo)
        assert crossed.status_code == 404
        async with api.client(api.key(f"gallery:probe:identify@{staff}")) as door:
            assert await candidates(api, door, face) == [first]
            photo = upload(api.photo(face))
            assert (await door.post(f"{VISITORS}/identify", data=WHY, files=photo)).status_code == 403
        async with api.client(api.key(f"gallery:subject:read@{staff}")) as desk:
            found = await desk.post("/v1/people/find", json={"reference": "ada king", **WHY})
            assert found.json()["records"] == [{"gallery_id": staff, "subject_id": first}]
        everywhere = await owner.post("/v1/people/find", json={"reference": "ada king", **WHY})
        assert {one["subject_id"] for one in everywhere.json()["records"]} == {first, second}


async def test_req_18_and_28_a_probe_is_never_enrolled_and_leaves_nothing_but_the_ledger(api: Api) -> None:
    known, stranger = api.site.sight.person(), api.site.sight.person()
    tables = ("subject", "subject_field", "template", "intent", "subject_record", "consent", "follow_up", "receipt")

    def counts() -> dict[str, int]:
        with api.site.store.engine.connect() as db:
            asked = {table: f"SELECT count(*) FROM {table}" for table in tables}  # noqa: S608 - names of this list
            return {table: db.exec_driver_sql(sql).scalar_one() for table, sql in asked.items()}

    async with api.owner as owner:
        gallery = await made(owner)
        subject = await complete(api, owner, known)
        before, held = counts(), sorted(row.row_id for row in _rows(api, gallery))
        halves = halves_of(api)
        assert any(any(raw) for raw in halves.values())
        for face in (known, stranger, stranger):
            await candidates(api, owner, face)
            await owner.post(f"{STAFF}/subjects/{subject}/verify", data=WHY, files=upload(api.photo(face)))
        assert await candidates(api, owner, stranger) == []
        assert counts() == before
        assert sorted(row.row_id for row in _rows(api, gallery)) == held
        assert halves_of(api) == halves


def _rows(api: Api, gallery: str) -> tuple[ActiveRow, ...]:
    with api.site.store.read() as tx:
        return tx.templates.active_rows(GalleryId(gallery))


async def test_req_19_below_the_threshold_it_says_none_and_above_it_the_list_ends(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = api.site.sight.person()
    async with api.owner as owner:
        await made(owner, consent=False)
        assert await candidates(api, owner, api.site.sight.person()) == []
        for _ in range(3):
            photo = upload(api.photo(face))
            assert (await owner.post(f"{STAFF}/subjects", data=WHY, files=photo)).status_code == 201
        assert len(await candidates(api, owner, face)) == 3
        assert HITS_MAX <= 48
        monkeypatch.setattr("moiety.matching.identify.HITS_MAX", 2)
        reply = await owner.post(f"{STAFF}/identify", data=WHY, files=upload(api.photo(face)))
        (seen,) = reply.json()["faces"]
        assert (seen["too_many"], seen["candidates"]) == (True, [])


@BOTH
async def test_lists_are_masked_and_open_no_more_than_they_show(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        for reference in ("Ada King", "=cmd Bob", "0151-2345678"):
            await entered(owner, reference, fields={"note": "Zanzibar"})
        page = await owner.get(f"{STAFF}/people", params={**WHY, "limit": 2})
        shown = page.json()
        assert len(shown["people"]) == 2
        rest = await owner.get(f"{STAFF}/people", params={**WHY, "after": shown["next"]})
        people = shown["people"] + rest.json()["people"]
        assert sorted(one["reference"] for one in people) == sorted(["A••• K•••", "c••• B•••", "•••78"])
        assert all(one["fields"] == ["note", "reference"] for one in people)
        sheet = await owner.get(f"{STAFF}/people.csv", params=WHY)
        assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
        for text in (page.text, rest.text, sheet.text):
            assert not any(word in text for word in ("Ada", "Bob", "Zanzibar", "2345"))
        entries = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
        assert sum(one["act"] == "reveal" for one in entries) == 2 + 1 + 3
