"""One person's enrolments for several purposes: put together for one answer, where rights, rules and consent allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import WHY, Api, api_over
from api_people import STAFF, consent, entered, later, made
from databases import BOTH
from moiety.foundation.ids import GalleryId
from moiety.ledger import Kind
from moiety.wire.kinds import Kind as Call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = BOTH
GYM, CLUB = "/v1/galleries/gym", "/v1/galleries/club"
DEPLOYED = {"assessment": "DPIA-1", "police": True, "two_to_search": False, "reason": "a test"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as site:
        yield site


async def others(client: httpx.AsyncClient, subject: str, base: str = STAFF) -> tuple[int, Any]:
    """Ask for what else somebody is enrolled; gives the ids, or the refusal."""
    reply = await client.post(f"{base}/subjects/{subject}/elsewhere", json=WHY)
    told = reply.json()
    if reply.status_code == 200:
        return 200, [one["subject_id"] for one in told["records"]]
    return reply.status_code, told["type"].rpartition(":")[2]


async def test_req_39_the_other_purposes_of_a_person_are_put_together_for_one_answer_on_record(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api.owner as owner:
        await made(owner, consent=False)
        gym = await made(owner, "gym", consent=False)
        club = await made(owner, "club", consent=False, controller="Another Club")
        here, there = await entered(owner), await entered(owner, base=GYM)
        await entered(owner, base=CLUB)
        await entered(owner, "Ben Ali", base=GYM)
        asked = []
        call = api.site.links.b.call

        async def counting(kind: Call, *given: Any, **named: Any) -> Any:
            asked.append(kind)
            return await call(kind, *given, **named)

        monkeypatch.setattr(api.site.links.b, "call", counting)
        # The same person at another controller's is not looked for.
        assert await others(owner, here) == (200, [there])
        assert (asked.count(Call.REVEAL), asked.count(Call.BLIND)) == (1, 1)
        reply = await owner.post(f"{STAFF}/subjects/{here}/elsewhere", json=WHY)
        assert "Ada" not in reply.text
    entries = [int(one) for one in reply.headers["moiety-entries"].split()]
    with api.site.store.read() as tx:
        told = [tx.ledger.get(seq) for seq in entries]
    assert [(one.kind, one.act, one.subject_id) for one in told] == [
        (Kind.CONSULTATION, "reveal", here),
        (Kind.COMBINATION, "find", here),
        (Kind.COMBINATION, "find", there),
    ]
    # A key that reads in one gallery alone is told of no other; one that may not reveal is told of none.
    alone = [f"gallery:subject:{act}@{{}}" for act in ("reveal", "read")]
    with api.site.store.read() as tx:
        staff = tx.galleries.by_name("staff").id
    for scopes, says in (
        ([one.format(staff) for one in alone], (200, [])),
        ([alone[0].format(staff), alone[1].format(gym)], (200, [there])),
        ([alone[0].format(staff), alone[1].format(club)], (200, [])),
        ([alone[1].format(staff), alone[1].format(gym)], (403, "forbidden")),
    ):
        async with api.client(api.key(*scopes)) as program:
            assert await others(program, here) == says


async def test_consent_objections_and_the_police_keep_records_apart(api: Api) -> None:
    async with api.owner as owner:
        await made(owner, consent=False)
        await made(owner, "gym")
        here, there = await entered(owner), await entered(owner, base=GYM)
        assert await others(owner, here) == (200, [])
        assert await others(owner, there, GYM) == (403, "consent-needed")
        assert (await consent(api, owner, there, GYM)).status_code == 201
        assert await others(owner, here) == (200, [there])
        assert await others(owner, there, GYM) == (200, [here])
        assert (await owner.post(f"{GYM}/subjects/{there}/object", json=WHY)).status_code == 200
        assert await others(owner, here) == (200, [])
        assert await others(owner, there, GYM) == (403, "matching-stopped")
        assert (await owner.post(f"{GYM}/subjects/{there}/overrule", json=WHY)).status_code == 200
        under = DEPLOYED | {"review_at": later(api, 90)}
        assert (await owner.put(f"{GYM}/deployment", json=under)).status_code == 200
        assert await others(owner, here) == (200, [])
        assert await others(owner, there, GYM) == (403, "forbidden")
        carried = await owner.post(f"{STAFF}/subjects/{here}/elsewhere/enter", json=WHY | {"into": "gym"})
        assert carried.status_code == 403


async def test_a_person_is_enrolled_for_one_purpose_more_by_the_reference_alone(api: Api) -> None:
    async with api.owner as owner:
        await made(owner, consent=False)
        gym = await made(owner, "gym")
        here = await entered(owner, fields={"phone": "555-0142"}, pin="4711")
        path = f"{STAFF}/subjects/{here}/elsewhere/enter"
        carried = await owner.post(path, json=WHY | {"into": "gym"})
        assert (carried.status_code, carried.json()["gallery_id"]) == (200, gym), carried.text
        there = carried.json()["subject_id"]
        record = (await owner.get(f"{GYM}/subjects/{there}/record")).json()
        assert (record["fields"], record["photos"], record["awaits_release"]) == (["reference"], 0, True)
        shown = await owner.post(f"{GYM}/subjects/{there}/reveal", json=WHY | {"fields": ["reference"]})
        assert shown.json() == {"fields": {"reference": "Ada King"}}
        assert (await owner.post(path, json=WHY | {"into": "gym"})).status_code == 409
        child: dict[str, Any] = {
            "minor": True,
            "guardian": {"name": "Eve King", "relation": "mother", "reason": "school"},
        }
        young = await entered(owner, "Kim King", **child)
        refused = await owner.post(f"{STAFF}/subjects/{young}/elsewhere/enter", json=WHY | {"into": "gym"})
        assert refused.status_code == 400
    with api.site.store.read() as tx:
        staff = tx.galleries.by_name("staff").id
        assert tx.subjects.count(GalleryId(gym)).active == 1
    # Whoever may not enrol there enrols nobody there.
    async with api.client(api.key(f"gallery:subject:reveal@{staff}", f"gallery:subject:enrol@{staff}")) as program:
        assert (await program.post(path, json=WHY | {"into": "gym"})).status_code == 403
