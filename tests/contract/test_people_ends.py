"""An end for one person: earlier than the gallery's clock and never later, on record, in the calendar, and kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from api_in_process import DAY, WHY, Api, WordyQuality, api_over, upload
from api_people import STAFF, consent, entered, later, made, rows_about
from databases import BOTH
from moiety.foundation.ids import SubjectId
from parts_in_process import PaintedFace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = BOTH


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as site:
        yield site


async def ended(api: Api, client: httpx.AsyncClient, subject: str, days: float | None) -> httpx.Response:
    """Set an end so many days from now, or take it back."""
    told = {} if days is None else {"ends_at": later(api, days)}
    return await client.post(f"{STAFF}/subjects/{subject}/end", json=WHY | told)


async def test_req_30_whoever_comes_in_may_end_earlier_and_never_later_from_the_first_moment(api: Api) -> None:
    async with api.owner as owner:
        await made(owner, consent=False, keep_days=30)

        async def came(reference: str, days: float, face: PaintedFace | None = None) -> httpx.Response:
            told = WHY | {"reference": reference, "ends_at": later(api, days)}
            if face is None:
                return await owner.post(f"{STAFF}/people", json=told)
            return await owner.post(f"{STAFF}/subjects", data=told, files=upload(api.site.sight.paint(face)))

        face = PaintedFace(api.site.sight.person(), (5, 7, 200, 240), WordyQuality())
        for reference, given in (("Ada King", None), ("Ben Ali", face)):
            for days in (31, -1):
                late = await came(reference, days, given)
                assert (late.status_code, late.json()["type"]) == (400, "urn:moiety:problem:bad-input")
            entered_ = await came(reference, 10, given)
            assert entered_.status_code == 201, entered_.text
            record = (await owner.get(f"{STAFF}/subjects/{entered_.json()['subject_id']}/record")).json()
            assert record["own_end"] == record["expires_at"] is not None
            with api.site.store.read() as tx:
                acts = [tx.ledger.get(int(seq)).act for seq in entered_.headers["moiety-entries"].split()]
            assert acts == ["end", "register" if given is None else "enrol"]
        # Somebody who is here has an end already; a further photo changes none.
        again = await came("Ben Ali", 5, PaintedFace(api.site.sight.person(), (5, 7, 210, 250), WordyQuality()))
        assert again.status_code == 400
        with api.site.store.read() as tx:
            assert tx.subjects.count(tx.galleries.list()[0].id).active == 2
        api.site.clock.move(11 * DAY)
        assert await api.site.house.retention.sweep() == 2


async def test_req_30_an_end_that_was_set_for_one_person_is_earlier_and_is_kept(api: Api) -> None:
    async with api.owner as owner:
        await made(owner, consent=False, keep_days=30)
        subject, other = await entered(owner), await entered(owner, "Ben Ali")
        record = f"{STAFF}/subjects/{subject}/record"
        clock = (await owner.get(record)).json()["expires_at"]
        for days in (31, -1):
            assert (await ended(api, owner, subject, days)).status_code == 400
        assert (await ended(api, owner, subject, None)).status_code == 404
        set_to = await ended(api, owner, subject, 10)
        assert set_to.status_code == 200, set_to.text
        seq = int(set_to.headers["moiety-entries"])
        # A contact moves the gallery's clock, and nobody's own end.
        api.site.clock.move(5 * DAY)
        heard = await owner.post(f"{STAFF}/subjects/{subject}/contact", json=WHY)
        assert heard.json()["expires_at"] == set_to.json()["expires_at"]
        assert (await owner.get(record)).json()["own_end"] == set_to.json()["expires_at"]
        back = await ended(api, owner, subject, None)
        assert back.json()["expires_at"] > clock
        assert (await owner.get(record)).json()["own_end"] is None
        assert (await ended(api, owner, subject, 5)).status_code == 200
        page = (await owner.get("/retention", headers={"accept": "text/html"})).text
        rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
        assert sorted(row[-2:] for row in rows if "staff" in row) == [["1", "0"], ["1", "1"]]
        api.site.clock.move(4 * DAY)
        assert await api.site.house.retention.sweep() == 0
        api.site.clock.move(DAY + 1)
        assert await api.site.house.retention.sweep() == 1
        left = (await owner.get(f"{STAFF}/subjects")).json()["subjects"]
        assert [one["id"] for one in left] == [other]
        assert set(rows_about(api, subject).values()) == {0}
    with api.site.store.read() as tx:
        entry = tx.ledger.get(seq)
        assert (entry.kind, entry.act, entry.subject_id) == ("alteration", "end", subject)
        assert tx.ends.own(SubjectId(subject)) is None


async def test_what_ends_a_record_at_once_is_not_taken_back_by_an_own_end(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        over, short = await entered(owner), await entered(owner, "Ben Ali")
        for subject in (over, short):
            assert (await ended(api, owner, subject, 100)).status_code == 200
        assert (await owner.post(f"{STAFF}/subjects/{over}/over", json=WHY)).status_code == 200
        for days in (None, 50):
            assert (await ended(api, owner, over, days)).status_code == 400
        # A consent that ends sooner ends the record sooner than the day that was set.
        assert (await consent(api, owner, short)).status_code == 201
        heard = (await owner.post(f"{STAFF}/subjects/{short}/contact", json=WHY)).json()
        assert heard["expires_at"][:10] == later(api, 90)[:10]
    async with api.client(api.key("gallery:subject:enrol")) as program:
        assert (await ended(api, program, short, 10)).status_code == 403
