"""Safeguard 56: the breach wizard: 72 hours, who is affected, notices, evidence that an outsider checks."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import WHY, Api, api_over, upload
from databases import BOTH
from moiety.cli.ledgers import trust_in
from moiety.foundation.errors import Unverified
from moiety.incidents import evidence
from moiety.incidents.breaches import STEPS
from moiety.incidents.losses import ALONE, BOTH_HALVES, READABLE, Lost, meaning
from nasty_texts import NASTY, drawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = BOTH

ALL = "/v1/incidents"
HOUR = 3600


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        yield made


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def body(api: Api, **more: Any) -> dict[str, Any]:
    """Tell of a breach that was noticed ten hours ago and began the day before."""
    now = api.site.clock.now()
    told: dict[str, Any] = {
        "happened": "A disk of vault A was missing after the move.",
        "aware_at": at(now - 10 * HOUR),
        "began_at": at(now - 24 * HOUR),
        "ended_at": at(now + 1),  # this very moment is rounded, here one way and there the other
        "lost": ["vault-a"],
        "controller": "A school",
        "contact": "dpo@school.example.org",
    }
    return told | more


async def populated(api: Api, owner: httpx.AsyncClient) -> str:
    """Keep three people with names in one gallery, none in another, and look for one of them; gives the first's id."""
    ids = [
        (await owner.post("/v1/galleries", json={"name": name, "purpose": "doors"})).json()["id"]
        for name in ("staff", "empty")
    ]
    faces = [api.site.sight.person() for _ in range(3)]
    for number, face in enumerate(faces):
        form = WHY | {"reference": f"Asha Menon {number}"}
        made = await owner.post("/v1/galleries/staff/subjects", data=form, files=upload(api.photo(face)))
        assert made.status_code == 201, made.text
    found = await owner.post("/v1/galleries/staff/identify", data=WHY, files=upload(api.photo(faces[0])))
    assert found.json()["faces"][0]["candidates"]
    return str(ids[0])


async def test_req_56_breach_wizard_has_the_72_hour_clock_and_the_affected_subjects(api: Api) -> None:
    async with api.owner as owner:
        gallery = await populated(api, owner)
        one = (await owner.post(ALL, json=body(api))).json()
        assert 62 * HOUR - 60 <= one["seconds_left"] <= 62 * HOUR
        assert [step["step"] for step in one["steps"] if not step["done"]] == list(STEPS)
        here = f"{ALL}/{one['id']}"

        found = (await owner.get(f"{here}/affected")).json()
        assert (found["people"], found["photos"], found["faces_lost"], found["high_risk"]) == (3, 3, False, False)
        assert {hit["name"]: hit["people"] for hit in found["galleries"]} == {"staff": 3, "empty": 0}
        assert sum(found["galleries"][0]["fields"].values()) + sum(found["galleries"][1]["fields"].values()) == 3
        assert found["words"] == [ALONE[Lost.VAULT_A]]
        assert ("identify", 1) in {(act["act"], act["times"]) for act in found["acts"]}
        assert found["disclosed"] == 1

        # What is known changes, the time of awareness does not.
        more = {
            key: value for key, value in body(api, lost=["vault-a", "vault-b", "gate"]).items() if key != "aware_at"
        }
        changed = (await owner.put(here, json=more | {"galleries": [gallery]})).json()
        assert (changed["aware_at"], changed["galleries"]) == (one["aware_at"], [gallery])
        found = (await owner.get(f"{here}/affected")).json()
        assert (found["faces_lost"], found["fields_lost"], found["high_risk"]) == (True, True, True)
        assert [words.startswith(BOTH_HALVES) for words in found["words"]] == [True, False]

        text = (await owner.get(f"{here}/notices/authority")).text
        for said in ("article 33 (3)", "People: 3.", "A disk of vault A", "dpo@school.example.org", "72 hours end at"):
            assert said in text
        people = (await owner.get(f"{here}/notices/subjects")).text
        assert "article 34 (2)" in people
        assert READABLE in people
        pdf = await owner.get(f"{here}/notices/india-board", params={"form": "pdf"})
        assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
        assert (await owner.get(f"{here}/notices/nobody")).status_code == 400

        early = await owner.post(f"{here}/close", json={"note": "all is well"})
        assert (early.status_code, "steps are left" in early.json()["detail"]) == (409, True)
        for step in STEPS:
            assert (await owner.post(f"{here}/steps/{step}")).status_code == 200
        api.site.clock.move(70 * HOUR)
        late = (await owner.get(here)).json()
        assert late["seconds_left"] < -7 * HOUR
        figures = (await owner.get("/metrics")).text
        assert "moiety_incidents_open 1.0" in figures
        assert "moiety_incident_seconds_left -" in figures
        done = (await owner.post(f"{here}/close", json={"note": "New disks are sealed."})).json()
        assert (done["closing"], done["closed_at"] is not None) == ("New disks are sealed.", True)
        assert (await owner.put(here, json=more)).status_code == 409


async def test_evidence_proves_each_entry_to_an_outsider_and_an_altered_one_does_not(api: Api) -> None:
    async with api.owner as owner:
        await populated(api, owner)
        await api.site.house.checkpointing.cosign()
        one = (await owner.post(ALL, json=body(api))).json()
        raw = (await owner.get(f"{ALL}/{one['id']}/evidence")).content
    told = json.loads(raw)
    trust = trust_in(told["keys"])
    proved = await asyncio.to_thread(evidence.check, raw, trust)
    assert (proved.entries, proved.incident) == (len(told["entries"]), one["id"])
    assert proved.cosigned >= proved.entries - 2, "all but the incident's own entries"
    assert b"Asha" not in raw
    for change in (
        {"leaf": told["entries"][1]["leaf"]},
        {"seq": 2},
        {"proof": told["entries"][0]["proof"].replace("index 0", "index 1")},
        {"proof": "nothing"},
        {"leaf": "é"},
    ):
        bad = told | {"entries": [told["entries"][0] | change]}
        with pytest.raises(Unverified):
            evidence.check(json.dumps(bad).encode(), trust)
    with pytest.raises(Unverified):
        evidence.check(b"[]", trust)


async def test_what_people_write_lies_sealed_and_comes_back_as_they_wrote_it(api: Api) -> None:
    told = "Kannan's வீடு, 家, דירה\nsecond line"
    async with api.owner as owner:
        one = (await owner.post(ALL, json=body(api, happened=told))).json()
        assert one["happened"] == told
        pdf = await owner.get(f"{ALL}/{one['id']}/notices/subjects", params={"form": "pdf"})
        assert pdf.status_code == 200
    with api.site.store.read() as tx:
        (kept,) = tx.incidents.list()
    assert b"Kannan" not in kept.content_sealed


@pytest.mark.parametrize(
    "wrong",
    [
        {"aware_at": at(4e9)},
        {"began_at": at(4e9)},
        {"ended_at": at(1e6)},
        {"lost": ["everything"]},
        {"galleries": ["gal_aaaaaaaaaaaaaaaa"]},
        {"happened": "\0\u202e "},
        {"happened": "x" * 4_001},
        {"aware_at": "yesterday"},
    ],
)
async def test_what_makes_no_sense_opens_nothing(api: Api, wrong: dict[str, Any]) -> None:
    async with api.owner as owner:
        refused = await owner.post(ALL, json=body(api, **wrong))
        assert refused.status_code in {400, 404, 422}, refused.text
        assert (await owner.get(ALL)).json()["incidents"] == []


def test_a_thief_of_every_combination_is_told_of_in_words_and_halves_only_together_are_faces() -> None:
    draw = random.Random(7)  # noqa: S311 - a test's own choice
    for _ in range(200):
        lost = set(draw.sample(list(Lost), draw.randrange(len(Lost))))
        words = meaning(lost)
        assert words
        assert any(one.startswith(BOTH_HALVES) for one in words) == ({Lost.VAULT_A, Lost.VAULT_B} <= lost)
        assert (READABLE in words) == ({Lost.GATE, Lost.VAULT_B} <= lost)
        assert (ALONE[Lost.VAULT_A] in words) == (Lost.VAULT_A in lost and Lost.VAULT_B not in lost)


async def test_forms_survive_every_text(api: Api) -> None:
    async with api.owner as owner:
        one = (await owner.post(ALL, json=body(api))).json()
        draw = random.Random(56)  # noqa: S311 - a test's own choice
        for text in [*NASTY, *(drawn(draw) for _ in range(60))]:
            told = {"happened": text, "controller": text, "contact": text, "consequences": text, "measures": text}
            more = {key: value for key, value in body(api, **told).items() if key != "aware_at"}
            replies = [
                await owner.put(
                    f"{ALL}/{one['id']}", content=json.dumps(more), headers={"content-type": "application/json"}
                ),
                await owner.get(f"{ALL}/{one['id']}/notices/subjects"),
            ]
            assert all(reply.status_code < 500 for reply in replies), text
            page = await owner.get(f"/incidents/{one['id']}")
            assert page.status_code == 200
            assert "<script>alert" not in page.text
    assert api.faults == []
