"""What each role can not do, over every route; and what the owner of the machine may not, once people work here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from api_in_process import WHY, Api, api_over, upload
from moiety.access import DUTIES, OWNER_BESIDE_OPERATORS, Permission, Role
from moiety.access.callers import LOOKING
from moiety.api.routes import GuardedRoute
from staffed import SIGN_AT, Person, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

GALLERY = {"name": "doors", "purpose": "a door of the site"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as made:
        yield made


@pytest.fixture
async def ada(api: Api) -> Person:
    made = await first(api)
    assert (await made.post("/v1/galleries", json=GALLERY)).status_code == 201
    return made


async def ask(person: Person, route: GuardedRoute) -> httpx.Response:
    path = re.sub(r"{\w+}", "sub_aaaaaaaaaaaaaaaa", route.path.replace("{gallery}", "doors").replace("{seq}", "1"))
    method = next(iter(route.methods or ()))
    if route.rule.form:
        files = dict.fromkeys(route.rule.pictures, ("picture", b"a picture"))
        return await person.ask(method, path, data=WHY, files=files)
    return await person.ask(method, path, json={} if route.rule.body else None, params=WHY)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
async def test_req_49_a_role_opens_its_own_routes_and_no_other(api: Api, ada: Person, role: Role) -> None:
    person = await invited(api, ada, "Ben Ali", role)
    await _holds(api, person, role)


async def test_req_49_an_administrator_searches_no_one_and_reads_no_one(api: Api, ada: Person) -> None:
    await _holds(api, ada, Role.ADMINISTRATOR)
    assert not DUTIES[Role.ADMINISTRATOR].may & LOOKING


async def _holds(api: Api, person: Person, role: Role) -> None:
    may, tried = DUTIES[role].may, 0
    for route in api.app.routes:
        if not isinstance(route, GuardedRoute) or route.rule.permission is None:
            continue
        tried += 1
        # There are more routes than anybody may ask at once.
        api.site.clock.move(1)
        reply = await ask(person, route)
        if route.rule.permission in may:
            assert reply.status_code not in {401, 500}, route.path
            assert "Your roles" not in reply.text or route.path in {"/v1/approvals", "/retention"}, route.path
        else:
            assert (reply.status_code, "Your roles" in reply.text) == (403, True), route.path
    assert tried > 30


def test_an_auditor_reads_reasons_and_no_faces() -> None:
    may = DUTIES[Role.AUDITOR].may
    assert {Permission.LEDGER_READ, Permission.LEDGER_REASON} <= may
    assert not may & (LOOKING - {Permission.LEDGER_REASON})
    assert [role for role in Role if Permission.LEDGER_REASON in DUTIES[role].may] == [Role.AUDITOR]


async def test_an_auditor_opens_a_reason_and_that_is_written_down(api: Api, ada: Person) -> None:
    eve = await invited(api, ada, "Eve Roy", "auditor")
    entries = (await eve.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
    proposal = next(one for one in entries if one["act"] == "approval-propose")
    opened = await eve.get(f"/v1/ledger/entries/{proposal['seq']}/reason")
    assert opened.json() == {"seq": proposal["seq"], "reason": "a new colleague"}
    after = (await eve.get("/v1/ledger", params={"after": len(entries)})).json()["entries"]
    assert [(one["act"], one["actor"], one["detail"]) for one in after] == [
        ("reason", eve.id, {"entry": proposal["seq"]})
    ]
    assert (await eve.get("/v1/ledger/entries/999999/reason")).status_code == 404


async def test_a_narrowed_role_opens_its_gallery_and_no_other(api: Api, ada: Person) -> None:
    doors = (await ada.get("/v1/galleries/doors")).json()["id"]
    await ada.post("/v1/galleries", json=GALLERY | {"name": "cases"})
    ben = await invited(api, ada, "Ben Ali", f"officer@{doors}")
    assert (await ben.get("/v1/galleries/doors/subjects")).status_code == 200
    assert (await ben.get("/v1/galleries/cases/subjects")).status_code == 403
    assert [one["name"] for one in (await ben.get("/v1/galleries")).json()["galleries"]] == ["doors"]


async def test_the_owner_of_the_machine_looks_for_nobody_once_people_work_here(api: Api) -> None:
    async with api.owner as owner:
        await owner.post("/v1/galleries", json=GALLERY)
        ada = api.site.sight.person()
        photo = upload(api.photo(ada))
        made = (await owner.post("/v1/galleries/doors/subjects", data=WHY, files=photo)).json()
        base = "/v1/galleries/doors"
        assert (await owner.get(f"{base}/subjects")).status_code == 200
        await owner.post("/v1/operators/first")
        assert (await owner.get(f"{base}/subjects")).status_code == 200
        await first(api)
        looks = [
            await owner.get(f"{base}/subjects"),
            await owner.get(f"{base}/subjects/{made['subject_id']}"),
            await owner.post(f"{base}/find", json=WHY | {"reference": "Ada"}),
            await owner.post(f"{base}/subjects/{made['subject_id']}/reveal", json=WHY | {"fields": ["reference"]}),
            await owner.post(f"{base}/identify", data=WHY, files=upload(api.photo(ada))),
            await owner.post(f"{base}/subjects/{made['subject_id']}/verify", data=WHY, files=upload(api.photo(ada))),
            await owner.get("/v1/ledger/entries/1/reason"),
            await owner.post("/v1/keys", json={"name": "x", "scopes": ["gallery:probe:identify"], "days": 1}),
        ]
        assert [reply.status_code for reply in looks] == [403] * len(looks)
        assert "People work here now" in looks[0].json()["detail"]
        assert (await owner.get("/v1/galleries")).status_code == 200
        again = await owner.post("/v1/operators/first")
        assert again.status_code == 409
    assert {scope.permission for scope in OWNER_BESIDE_OPERATORS.scopes} == set(Permission) - LOOKING


async def test_a_program_never_speaks_for_a_person(api: Api) -> None:
    async with api.owner as owner:
        for scope in ("access:operator:manage", "access:approval:sign", "access:self:read", "ledger:reason:read"):
            reply = await owner.post("/v1/keys", json={"name": "x", "scopes": [scope], "days": 1})
            assert reply.status_code == 422
