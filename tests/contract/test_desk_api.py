"""What the console's desk asks of the API: a look at a picture, masked candidates, the ledger's entries of an act."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from api_in_process import WHY, Api, WordyQuality, api_over, upload
from harness import command
from moiety.cli.ledgers import trust_in
from moiety.foundation.errors import Unverified
from moiety.ledger import audit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DOORS = "/v1/galleries/doors"
BLURRED = "the face is blurred"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        async with made.owner as owner:
            assert (await owner.post("/v1/galleries", json={"name": "doors", "purpose": "a door"})).status_code == 201
        yield made


async def test_a_look_says_what_to_change_and_keeps_nothing(api: Api) -> None:
    ada, ben = api.site.sight.person(), api.site.sight.person()
    poor = api.photo(ada, quality=WordyQuality(enrollable=False, reasons=(BLURRED,)))
    async with api.owner as owner:
        before = (await owner.get("/v1/ledger")).json()["head"]
        looked = [
            (await owner.post(f"{DOORS}/look", files=upload(image))).json()
            for image in (api.photo(ada), poor, api.photo(ada, ben), api.site.sight.paint())
        ]
        assert [one["enrollable"] for one in looked] == [True, False, False, False]
        assert [one["hints"] for one in looked] == [[], ["still"], ["alone"], ["nobody"]]
        assert [one["faces"] for one in looked] == [1, 1, 2, 0]
        assert looked[3]["face"] is None
        assert BLURRED in looked[1]["why"]
        assert (await owner.get("/v1/ledger")).json()["head"] == before
        assert (await owner.get(f"{DOORS}/subjects")).json()["subjects"] == []
    async with api.client(api.key("gallery:probe:identify")) as guard:
        assert (await guard.post(f"{DOORS}/look", files=upload(poor))).status_code == 403


async def test_candidates_are_masked_for_who_may_list_people(api: Api) -> None:
    ada = api.site.sight.person()
    async with api.owner as owner:
        form = WHY | {"reference": "Ada King"}
        made = (await owner.post(f"{DOORS}/subjects", data=form, files=upload(api.photo(ada)))).json()
        asked = WHY | {"masked": "true"}
        found = (await owner.post(f"{DOORS}/identify", data=asked, files=upload(api.photo(ada)))).json()
        (candidate,) = found["faces"][0]["candidates"]
        assert candidate == {"subject_id": made["subject_id"], "band": "strong", "masked": "A••• K•••"}
    async with api.client(api.key("gallery:probe:identify")) as guard:
        reply = await guard.post(f"{DOORS}/identify", data=asked, files=upload(api.photo(ada)))
        assert reply.status_code == 403
        plain = (await guard.post(f"{DOORS}/identify", data=WHY, files=upload(api.photo(ada)))).json()
        assert set(plain["faces"][0]["candidates"][0]) == {"subject_id", "band"}


async def test_an_answer_names_the_ledger_s_entries_of_what_was_done(api: Api) -> None:
    ada = api.site.sight.person()
    async with api.owner as owner:
        form = WHY | {"reference": "Ada King"}
        reply = await owner.post(f"{DOORS}/subjects", data=form, files=upload(api.photo(ada)))
        subject = reply.json()["subject_id"]
        (number,) = reply.headers["moiety-entries"].split()
        reply = await owner.post(f"{DOORS}/identify", data=WHY, files=upload(api.photo(ada)))
        numbers = [int(one) for one in reply.headers["moiety-entries"].split()]
        page = (await owner.get("/v1/ledger", params={"after": int(number) - 1})).json()["entries"]
        assert [(one["seq"], one["act"]) for one in page] == [
            (int(number), "enrol"),
            (numbers[0], "identify"),
            (numbers[1], "candidate"),
            (numbers[2], "identify-outcome"),
        ]
        refused = await owner.post(f"{DOORS}/subjects", data=form, files=upload(b"not a picture"))
        assert (refused.status_code, "moiety-entries" in refused.headers) == (415, False)
        assert "moiety-entries" not in (await owner.get(f"{DOORS}/subjects/{subject}")).headers


async def test_the_ledger_is_searched_newest_first_and_given_as_a_table(api: Api) -> None:
    faces = [api.site.sight.person() for _ in range(3)]
    async with api.owner as owner:
        subjects = []
        for number, face in enumerate(faces):
            form = WHY | {"reference": f"Person {number}"}
            reply = await owner.post(f"{DOORS}/subjects", data=form, files=upload(api.photo(face)))
            subjects.append(reply.json()["subject_id"])
            api.site.clock.move(3600)
        found = (await owner.get("/v1/ledger/search", params={"act": "enrol", "limit": 2})).json()
        assert [one["subject_id"] for one in found["entries"]] == [subjects[2], subjects[1]]
        rest = (await owner.get("/v1/ledger/search", params={"act": "enrol", "before": found["next"]})).json()
        assert ([one["subject_id"] for one in rest["entries"]], rest["next"]) == ([subjects[0]], None)
        now = api.site.clock.now()
        span = {
            "since": datetime.fromtimestamp(now - 2.5 * 3600, UTC).isoformat(),
            "until": datetime.fromtimestamp(now - 1.5 * 3600, UTC).isoformat(),
        }
        middle = (await owner.get("/v1/ledger/search", params=span)).json()["entries"]
        assert [one["subject_id"] for one in middle] == [subjects[1]]
        asked = {"kind": "collection", "actor": "owner", "subject": subjects[0]}
        one = (await owner.get("/v1/ledger/search", params=asked)).json()["entries"]
        assert [(one["act"], one["subject_id"]) for one in one] == [("enrol", subjects[0])]
        sheet = await owner.get("/v1/ledger/search.csv", params=asked)
        assert sheet.headers["content-type"].startswith("text/csv")
        assert [subjects[0] in line for line in sheet.text.splitlines()] == [False, True]
        for wrong in ({"kind": "gossip"}, {"actor": "Ada King"}, {"since": "yesterday"}, {"other": "1"}):
            assert (await owner.get("/v1/ledger/search", params=wrong)).status_code == 422
    async with api.client(api.key("gallery:subject:read")) as key:
        assert (await key.get("/v1/ledger/search")).status_code == 403


async def test_req_41_one_entry_s_proof_is_checked_by_anybody_who_has_its_file(api: Api, tmp_path: Path) -> None:
    ada = api.site.sight.person()
    async with api.owner as owner:
        form = WHY | {"reference": "Ada King"}
        reply = await owner.post(f"{DOORS}/subjects", data=form, files=upload(api.photo(ada)))
        (seq,) = reply.headers["moiety-entries"].split()
        assert (await owner.post("/v1/ledger/checkpoint")).status_code == 200
        told = (await owner.get(f"/v1/ledger/own/{seq}/proof")).json()
        other = (await owner.get("/v1/ledger/entries/1/proof")).json()
    file = tmp_path / "entry.json"
    file.write_text(json.dumps(told))
    keys = ("--key", told["log_key"], "--key", told["witness_key"])
    said = await asyncio.to_thread(command, "ledger", "verify", "--proof", file, *keys, "--json")
    assert (said.code, said.json["entry"], said.json["sound"]) == (0, int(seq), True)
    assert said.json["cosigned_at"] is not None
    trust = trust_in([told["log_key"], told["witness_key"]])
    leaf, proof = base64.b64decode(told["leaf"]), told["proof"].encode()
    assert audit.check_entry(leaf, proof, trust).seq == int(seq)
    for wrong in (leaf[:-1] + bytes([leaf[-1] ^ 1]), base64.b64decode(other["leaf"])):
        with pytest.raises(Unverified):
            audit.check_entry(wrong, proof, trust)
    unsigned = "\n".join(line for line in told["proof"].split("\n") if told["witness_key"].split("+")[0] not in line)
    with pytest.raises(Unverified):
        audit.check_entry(leaf, unsigned.encode(), trust)
