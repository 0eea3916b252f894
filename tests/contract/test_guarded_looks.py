"""Who looks at whom: budgets that a gate cannot set back, decoys that lock, repeats that another unit hears of."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api_in_process import DAY, WHY, Api, api_over, upload
from api_people import rows_about
from databases import BOTH
from moiety.api.routes import GuardedRoute
from moiety.people.masks import DOTS
from moiety.vault.guard import HOUR_SECONDS
from staffed import SIGN_AT, Person, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    import httpx
    import pytest

STAFF = "/v1/galleries/staff"
PROBLEM = "urn:moiety:problem:"


@asynccontextmanager
async def office(folder: Path) -> AsyncIterator[tuple[Api, Person, Person]]:
    """Run a site with a gallery, an administrator and a registrar."""
    async with api_over(folder, sign_at=SIGN_AT) as api:
        async with api.owner as owner:
            made = await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors of the works"})
            assert made.status_code == 201
        ada = await first(api)
        yield api, ada, await invited(api, ada, "Ben Ali", "registrar")


async def entered(by: Person, reference: str) -> str:
    reply = await by.post(f"{STAFF}/people", json={"reference": reference, "fields": {"phone": "555-0142-77"}, **WHY})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["subject_id"])


async def opened(by: Person, subject: str, field: str = "phone") -> tuple[int, str]:
    reply = await by.post(f"{STAFF}/subjects/{subject}/reveal", json={"fields": [field], **WHY})
    return reply.status_code, reply.json().get("type", "").removeprefix(PROBLEM)


async def again(api: Api, who: Person, seconds: float) -> None:
    """Let time pass, and sign in once more."""
    api.site.clock.move(seconds)
    assert (await who.device.sign_in(who.passkey)).status_code == 201


async def test_people_are_masked_and_opened_one_by_one_within_a_persons_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_PERSON_FIELDS_HOUR", "3")
    monkeypatch.setenv("MOIETY_PERSON_LABELS_HOUR", "5")
    async with office(tmp_path) as (api, ada, ben):
        subject = await entered(ben, "Ada King")
        page = await ben.get(f"{STAFF}/people", params=WHY)
        assert [one["reference"] for one in page.json()["people"]] == ["A••• K•••"]
        assert (await ben.get(f"{STAFF}/subjects/{subject}/record")).json()["reference"] == DOTS
        assert "555" not in page.text
        both = await ben.post(f"{STAFF}/subjects/{subject}/reveal", json={"fields": ["phone", "reference"], **WHY})
        assert both.status_code == 422
        fields = ("phone", "reference", "phone")
        assert [await opened(ben, subject, field) for field in fields] == [(200, "")] * 3
        assert await opened(ben, subject) == (429, "rate-limited")
        # A list decrypts what it masks: whoever pages through it has a budget too.
        lists = [(await ben.get(f"{STAFF}/people", params=WHY)).status_code for _ in range(4)]
        assert lists == [200, 200, 200, 429]
        (alert,) = (await ada.get("/v1/alerts")).json()["alerts"]
        assert (alert["kind"], alert["actor"], alert["actor_name"]) == ("budget", ben.id, "Ben Ali")
        await again(api, ben, HOUR_SECONDS)
        assert await opened(ben, subject) == (200, "")


async def test_whoever_probes_for_references_spends_a_budget_and_stands_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_PERSON_LABELS_HOUR", "3")
    async with office(tmp_path) as (api, ada, ben):
        exa = await invited(api, ada, "Exa Roy", "examiner", second=ben)
        paths = [f"{STAFF}/find", "/v1/people/find", f"{STAFF}/find"] * 2
        guesses = [{"reference": f"555-0100-{index:02}", **WHY} for index in range(len(paths))]
        replies = [await exa.post(path, json=guess) for path, guess in zip(paths, guesses, strict=True)]
        assert [reply.status_code for reply in replies] == [200] * 3 + [429] * 3
        entries = (await ada.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
        found = [one for one in entries if one["actor"] == exa.id and one["act"] == "find"]
        assert [(one["kind"], one["detail"]["hit"], one["subject_id"], one["has_reason"]) for one in found] == [
            ("consultation", 0, None, True),
            ("combination", 0, None, True),
            ("consultation", 0, None, True),
        ]
        assert "555-0100" not in str(entries)
        (alert,) = (await ada.get("/v1/alerts")).json()["alerts"]
        assert (alert["kind"], alert["actor"]) == ("budget", exa.id)


async def test_a_fast_and_a_slow_leak_stop_at_vault_b_whatever_the_gate_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_PERSON_FIELDS_HOUR", "4")
    monkeypatch.setenv("MOIETY_PERSON_FIELDS_MONTH", "10")
    monkeypatch.setenv("MOIETY_GALLERY_FIELDS_MONTH", "15")
    # Nobody here has a spare passkey, and months go by.
    monkeypatch.setattr("moiety.access.spares.GRACE_SECONDS", 365 * DAY)
    async with office(tmp_path) as (api, ada, ben):
        subject = await entered(ben, "Ada King")
        # A stolen gate counts nothing of its own any more.
        monkeypatch.setattr("moiety.matching.vigil.spend", lambda *_: None)
        fast = [await opened(ben, subject) for _ in range(5)]
        assert fast == [(200, "")] * 4 + [(403, "warrant-refused")]
        slow = []
        for _ in range(7):
            await again(api, ben, DAY)
            slow.append(await opened(ben, subject))
        assert slow == [(200, "")] * 6 + [(403, "warrant-refused")]
        # Nor does it help to name somebody else, or nobody: the gallery has a budget for all of them.
        monkeypatch.setattr("moiety.matching.vigil.by_of", lambda *_, **__: {})
        anybody = [await opened(ben, subject) for _ in range(6)]
        assert anybody == [(200, "")] * 5 + [(403, "warrant-refused")]
        # Each refusal reads alike; another unit has heard of them.
        await again(api, ada, 0)
        (alert, *_) = (await ada.get("/v1/alerts")).json()["alerts"]
        assert (alert["kind"], alert["actor"]) == ("budget", ben.id)
        await again(api, ben, 31 * DAY)
        assert await opened(ben, subject) == (200, "")


async def test_req_58_a_decoy_alarms_on_read_and_locks_until_two_people_unlock(tmp_path: Path) -> None:
    async with office(tmp_path) as (api, ada, ben):
        planted = await ada.post(f"{STAFF}/decoys", json={"reference": "Vera Lind", "fields": {"phone": "555-0100-99"}})
        decoy = planted.json()["subject_id"]
        assert (await ben.post(f"{STAFF}/decoys", json={"reference": "Mo Lind"})).status_code == 403
        real = await entered(ben, "Ada King")
        # It stands in lists like anybody, and nothing there says what it is.
        listed = (await ben.get(f"{STAFF}/people", params=WHY)).json()["people"]
        assert {one["subject_id"]: sorted(one) for one in listed} == dict.fromkeys((decoy, real), sorted(listed[0]))
        assert await opened(ben, real) == (200, "")
        read = await ben.post(f"{STAFF}/subjects/{decoy}/reveal", json={"fields": ["phone"], **WHY})
        assert (read.status_code, read.json()["type"], "555" in read.text) == (403, PROBLEM + "account-locked", False)
        # Account and session: neither goes on, and no new session opens.
        assert (await opened(ben, real))[0] == 403
        assert (await opened(ben, real))[0] == 401
        assert (await ben.device.sign_in(ben.passkey)).json()["type"] == PROBLEM + "account-locked"
        inbox = (await ada.get("/v1/alerts")).json()
        assert [(one["kind"], one["actor"], one["subject_id"]) for one in inbox["alerts"]] == [
            ("canary", ben.id, decoy)
        ]
        assert [one["actor"] for one in inbox["locks"]] == [ben.id]
        # A program's key is locked alike.
        token = api.key("gallery:subject:reveal", "gallery:subject:read")
        async with api.client(token) as door:
            for code in (403, 403):
                shut = await door.post(f"{STAFF}/subjects/{decoy}/reveal", json={"fields": ["reference"], **WHY})
                assert (shut.status_code, shut.json()["type"]) == (code, PROBLEM + "account-locked")
            assert (await door.get(f"{STAFF}/people", params=WHY)).json()["type"] == PROBLEM + "account-locked"
        # One person does not unlock; two do, once.
        proposed = (await ada.post(f"/v1/locks/{ben.id}/unlock", json={"reason": "a slip, we spoke"})).json()["id"]
        assert (await ada.approve(proposed)).status_code == 403
        assert (await ada.post(f"/v1/approvals/{proposed}/carry-out")).status_code == 409
        async with api.owner as owner:
            assert (await owner.post(f"/v1/approvals/{proposed}/confirm")).status_code == 200
        assert (await ada.post(f"/v1/approvals/{proposed}/carry-out")).status_code == 200
        assert (await ben.device.sign_in(ben.passkey)).status_code == 201
        assert await opened(ben, real) == (200, "")
        seen = await ada.post(f"/v1/alerts/{inbox['alerts'][0]['id']}/seen", json={"reason": "a slip"})
        assert (seen.status_code, seen.json()["seen_by"]) == (200, ada.id)
        figures = (await ada.get("/metrics")).text
        assert 'moiety_alerts_total{kind="canary"} 2.0' in figures
        assert 'moiety_alerts_unseen{kind="canary"} 1.0' in figures


async def test_req_58_whatever_is_done_about_a_decoy_alarms_and_locks(tmp_path: Path) -> None:
    """Every declared route that does something about one person: rectify, withdraw, erase, merge, and the rest."""
    async with office(tmp_path) as (api, ada, ben):
        planted = await ada.post(f"{STAFF}/decoys", json={"reference": "Vera Lind", "fields": {"phone": "555-0100-99"}})
        decoy, real = planted.json()["subject_id"], await entered(ben, "Ada King")
        before = rows_about(api, decoy)
        touches = [
            (method, route.path, str(route.rule.permission))
            for route in api.app.routes
            if isinstance(route, GuardedRoute) and "{subject}" in route.path
            for method in route.methods or ()
            if method != "GET"
        ]
        acts = {"{subject}", "photos", "rectify", "withdraw", "merge", "split", "contact", "consents", "own-template"}
        assert {path.rpartition("/")[2] for _, path, _ in touches} >= acts | {"holds", "over", "object"}
        for method, path, permission in touches:
            api.site.clock.move(1)
            here = path.replace("{gallery}", "staff").replace("{subject}", decoy)
            async with api.client(api.key(permission)) as program:
                touched = await program.request(method, re.sub(r"{\w+}", "pho_aaaaaaaaaaaaaaaa", here), params=WHY)
                assert touched.json()["type"] == PROBLEM + "account-locked", path
                again = await program.get("/v1/galleries")
                assert again.status_code == 403, path
        # Nor is anybody merged into one, or given one's photos.
        merged = await ben.post(f"{STAFF}/subjects/{real}/merge", json={"into": decoy, **WHY})
        assert merged.json()["type"] == PROBLEM + "account-locked"
        assert rows_about(api, decoy) == before
        inbox = (await ada.get("/v1/alerts")).json()
        assert {(one["kind"], one["subject_id"]) for one in inbox["alerts"]} == {("canary", decoy)}
        assert len(inbox["locks"]) == len(touches) + 1


async def test_a_search_names_nobody_bare_to_people_who_work_here(tmp_path: Path) -> None:
    """An officer sees candidates masked and opens one with its reason; a program of a door is told names as before."""
    async with office(tmp_path) as (api, ada, ben):
        olga = await invited(api, ada, "Olga Roy", "officer", second=ben)
        face = api.site.sight.person()
        for reference in ("Ada King", "Mo Farr"):
            form = {"reference": reference, **WHY}
            assert (await ben.post(f"{STAFF}/subjects", data=form, files=upload(api.photo(face)))).status_code == 201

        def ask(by: Person | httpx.AsyncClient, **more: str) -> Awaitable[httpx.Response]:
            return by.post(f"{STAFF}/identify", data=WHY | more, files=upload(api.photo(face)))

        bare = await ask(olga, reveal="true")
        assert (bare.status_code, "King" in bare.text) == (400, False)
        (found,) = (await ask(olga, masked="true")).json()["faces"]
        assert sorted(one["masked"] for one in found["candidates"]) == ["A••• K•••", "M••• F•••"]
        assert await opened(olga, found["candidates"][0]["subject_id"], "reference") == (200, "")
        async with api.client(api.key("gallery:probe:identify", "gallery:subject:reveal")) as door:
            (seen,) = (await ask(door, reveal="true")).json()["faces"]
        assert sorted(one["subject"] for one in seen["candidates"]) == ["Ada King", "Mo Farr"]


@BOTH
async def test_searching_for_one_face_again_and_again_is_told_to_another_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_REPEATS", "3")
    async with office(tmp_path) as (api, ada, ben):
        olga = await invited(api, ada, "Olga Roy", "officer", second=ben)
        audit = await invited(api, ada, "Tom Lee", "auditor", second=ben)
        stalked, other = api.site.sight.person(), api.site.sight.person()
        names = {}
        for face, reference in ((stalked, "Ada King"), (other, "Mo Farr")):
            form = {"reference": reference, **WHY}
            made = await ben.post(f"{STAFF}/subjects", data=form, files=upload(api.photo(face)))
            names[reference] = made.json()["subject_id"]

        async def search(face: object) -> None:
            reply = await olga.post(f"{STAFF}/identify", data=WHY, files=upload(api.photo(face)))  # type: ignore[arg-type] # a face of the sight's
            assert reply.status_code == 200

        async def inbox(by: Person) -> list[tuple[str, str, str, int]]:
            alerts = (await by.get("/v1/alerts")).json()["alerts"]
            return [(one["kind"], one["actor"], one["subject_id"], one["times"]) for one in alerts]

        # Another picture each time, so only the candidate is the same; and once by the reference.
        await search(stalked)
        await search(other)
        await search(stalked)
        assert await inbox(ada) == []
        found = await olga.post(f"{STAFF}/find", json={"reference": "ada king", **WHY})
        assert found.json()["subject_id"] == names["Ada King"]
        told = [("repeated", olga.id, names["Ada King"], 1)]
        assert (await inbox(ada), await inbox(audit)) == (told, told)
        for looker in (olga, ben):
            assert (await looker.get("/v1/alerts")).status_code == 403
            assert 'href="/alerts"' not in (await looker.get("/")).text
        assert "1 alert about who looks at people" in (await audit.get("/")).text
        assert "Olga Roy" in (await audit.get("/alerts")).text
        await search(stalked)
        assert await inbox(audit) == [("repeated", olga.id, names["Ada King"], 2)]
        # No probe is kept for it, and what is long ago does not count.
        with api.site.store.engine.connect() as db:
            assert db.exec_driver_sql("SELECT count(*) FROM template").scalar_one() == 2
        await again(api, olga, 8 * DAY)
        await search(stalked)
        await again(api, audit, 0)
        assert await inbox(audit) == [("repeated", olga.id, names["Ada King"], 2)]
