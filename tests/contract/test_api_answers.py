"""The API's answers over real parts: a person's whole life in a gallery, and every plain refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_in_process import WHY, Api, WordyQuality, api_over, upload
from databases import BOTH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = BOTH
GALLERY = {"name": "doors", "purpose": "a door of the site"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        async with made.owner as owner:
            assert (await owner.post("/v1/galleries", json=GALLERY)).status_code == 201
        yield made


async def test_a_persons_whole_life(api: Api) -> None:
    ada = api.site.sight.person()
    async with api.owner as owner:
        photo = upload(api.photo(ada))
        made = (await owner.post("/v1/galleries/doors/subjects", data=WHY | {"reference": "Ada"}, files=photo)).json()
        assert made["new_subject"] is True
        subject = f"/v1/galleries/doors/subjects/{made['subject_id']}"

        more = await owner.post(
            "/v1/galleries/doors/subjects", data=WHY | {"reference": "ADA"}, files=upload(api.photo(ada))
        )
        assert (more.status_code, more.json()["new_subject"]) == (201, False)
        third = await owner.post(f"{subject}/photos", data=WHY, files=upload(api.photo(ada)))
        assert third.json()["subject_id"] == made["subject_id"]
        assert (await owner.get(subject)).json()["photos"] == 3
        photos = (await owner.get(f"{subject}/photos")).json()["photos"]
        assert made["photo_id"] in [one["id"] for one in photos]

        seen = (await owner.post("/v1/galleries/doors/identify", data=WHY, files=upload(api.photo(ada)))).json()
        assert seen["faces"][0]["candidates"] == [{"subject_id": made["subject_id"], "band": "strong"}]
        form = WHY | {"reveal": "true", "case": "door-3"}
        named = (await owner.post("/v1/galleries/doors/identify", data=form, files=upload(api.photo(ada)))).json()
        assert named["faces"][0]["candidates"][0]["subject"] == "Ada"
        sure = (await owner.post(f"{subject}/verify", data=WHY, files=upload(api.photo(ada)))).json()
        assert (sure["same"], sure["band"]) == (True, "strong")

        found = await owner.post("/v1/galleries/doors/find", json=WHY | {"reference": " ada "})
        assert found.json() == {"subject_id": made["subject_id"]}
        shown = await owner.post(f"{subject}/reveal", json=WHY | {"fields": ["reference"]})
        assert shown.json() == {"fields": {"reference": "Ada"}}

        gone = await owner.delete(f"{subject}/photos/{made['photo_id']}", params=WHY)
        assert gone.json() == {"erased": made["photo_id"]}
        assert (await owner.delete(subject, params=WHY)).json() == {"erased": made["subject_id"]}
        assert (await owner.get(subject)).status_code == 404
        after = (await owner.post("/v1/galleries/doors/identify", data=WHY, files=upload(api.photo(ada)))).json()
        assert after["faces"][0]["candidates"] == []
        ledger = (await owner.get("/v1/ledger", params={"limit": 1000})).json()
    acts = [entry["act"] for entry in ledger["entries"]]
    assert {"gallery", "enrol", "identify", "candidate", "verify", "reveal", "photo", "erase"} <= set(acts)
    assert ledger["head"] == {"size": len(acts), "hash": ledger["entries"][-1]["hash"]}


async def test_a_stranger_is_nobody_and_every_face_is_answered(api: Api) -> None:
    ada, stranger = api.site.sight.person(), api.site.sight.person()
    async with api.owner as owner:
        made = await owner.post("/v1/galleries/doors/subjects", data=WHY, files=upload(api.photo(ada)))
        form = WHY | {"reveal": "true"}
        both = await owner.post("/v1/galleries/doors/identify", data=form, files=upload(api.photo(stranger, ada)))
    faces = both.json()["faces"]
    assert [len(face["candidates"]) for face in faces] == [0, 1]
    assert faces[1]["candidates"][0] == {"subject_id": made.json()["subject_id"], "band": "strong", "subject": None}
    assert faces[0]["box"] == [5, 7, 200, 240]
    assert faces[0]["quality"]["reasons"] == []


async def test_two_pictures_against_each_other(api: Api) -> None:
    ada, bob = api.site.sight.person(), api.site.sight.person()
    async with api.owner as owner:
        same = await owner.post(
            "/v1/compare", data=WHY, files=upload(api.photo(ada), "first") | upload(api.photo(ada), "second")
        )
        other = await owner.post(
            "/v1/compare", data=WHY, files=upload(api.photo(ada), "first") | upload(api.photo(bob), "second")
        )
    assert (same.json()["same"], same.json()["band"]) == (True, "strong")
    assert (other.json()["same"], other.json()["band"]) == (False, None)
    assert len(other.json()["faces"]) == 2


async def test_enrolment_says_what_is_wrong_with_a_photo(api: Api) -> None:
    ada, bob = api.site.sight.person(), api.site.sight.person()
    twice = api.photo(ada)
    blurred = api.photo(bob, quality=WordyQuality(enrollable=False, reasons=("the face is blurred",)))
    async with api.owner as owner:

        async def enrol(image: bytes) -> tuple[int, str]:
            reply = await owner.post("/v1/galleries/doors/subjects", data=WHY, files=upload(image))
            return reply.status_code, reply.json().get("type", "").removeprefix("urn:moiety:problem:")

        assert await enrol(twice) == (201, "")
        assert await enrol(twice) == (409, "duplicate-photo")
        assert await enrol(b"not a picture") == (415, "not-an-image")
        assert await enrol(api.photo()) == (422, "no-face")
        assert await enrol(api.photo(ada, bob)) == (422, "many-faces")
        assert await enrol(blurred) == (422, "poor-quality")
        assert len((await owner.get("/v1/galleries/doors/subjects")).json()["subjects"]) == 1


async def test_fields_are_sealed_and_shown_on_demand(api: Api) -> None:
    async with api.owner as owner:
        form = WHY | {"reference": "staff-7", "fields": '{"phone": "555-0100"}'}
        made = await owner.post(
            "/v1/galleries/doors/subjects", data=form, files=upload(api.photo(api.site.sight.person()))
        )
        path = f"/v1/galleries/doors/subjects/{made.json()['subject_id']}/reveal"
        shown = [await owner.post(path, json=WHY | {"fields": [one]}) for one in ("phone", "reference")]
        both = await owner.post(path, json=WHY | {"fields": ["phone", "reference"]})
        missing = await owner.post(path, json=WHY | {"fields": ["address"]})
    assert [one.json()["fields"] for one in shown] == [{"phone": "555-0100"}, {"reference": "staff-7"}]
    assert both.status_code == 422
    assert missing.status_code == 404


async def test_subjects_come_in_pages(api: Api) -> None:
    async with api.owner as owner:
        made = set()
        for _ in range(3):
            reply = await owner.post(
                "/v1/galleries/doors/subjects", data=WHY, files=upload(api.photo(api.site.sight.person()))
            )
            made.add(reply.json()["subject_id"])
        first = (await owner.get("/v1/galleries/doors/subjects", params={"limit": 2})).json()
        after = {"limit": 2, "after": first["next"]}
        second = (await owner.get("/v1/galleries/doors/subjects", params=after)).json()
    assert second["next"] is None
    assert {one["id"] for one in first["subjects"] + second["subjects"]} == made


async def test_galleries_are_found_by_name_and_by_id(api: Api) -> None:
    async with api.owner as owner:
        by_name = (await owner.get("/v1/galleries/doors")).json()
        assert (await owner.get(f"/v1/galleries/{by_name['id']}")).json() == by_name
        assert by_name["bands"] == ["possible", "probable", "strong"]
        assert "thresholds" not in by_name
        again = await owner.post("/v1/galleries", json=GALLERY)
        assert (again.status_code, again.json()["title"]) == (409, "Already there")
        unknown = await owner.get("/v1/galleries/windows")
        assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:moiety:problem:unknown-gallery")
        assert (await owner.get(f"/v1/galleries/{'x' * 300}")).status_code == 404
        own = {"name": "own", "purpose": "own table", "fmr": 1e-3, "table": {"1e-2": 0.2, "1e-3": 0.3, "1e-5": 0.5}}
        made = await owner.post("/v1/galleries", json=own)
        assert made.json()["fmr"] == 1e-3


async def test_a_part_that_is_down_is_named_and_comes_back(api: Api) -> None:
    from moiety.wire.kinds import Role  # noqa: PLC0415 - the only test that stops a part

    async with api.owner as owner, api.client() as nobody:
        assert (await nobody.get("/v1/ready")).json()["status"] == "ready"
        await api.site.stop(Role.VAULT_B)
        api.site.clock.move(2)
        down = await nobody.get("/v1/ready")
        assert down.status_code == 503
        assert down.json()["parts"] == {"eye": True, "vault-a": True, "vault-b": False, "mint": True, "witness": True}
        assert (await nobody.get("/v1/health")).json() == {"status": "ok"}
        photo = upload(api.photo(api.site.sight.person()))
        refused = await owner.post("/v1/galleries/doors/identify", data=WHY, files=photo)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:moiety:problem:part-down")
        assert refused.headers["retry-after"] == "1"
        await api.site.start(Role.VAULT_B)
        photo = upload(api.photo(api.site.sight.person()))
        assert (await owner.post("/v1/galleries/doors/identify", data=WHY, files=photo)).status_code == 200
