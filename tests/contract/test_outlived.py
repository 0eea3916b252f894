"""Texts of answered reports, and names of those who stopped working here, have an end that the gate keeps."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from api_in_process import DAY, Api, api_over
from databases import BOTH
from moiety.cli.gate import tidy
from moiety.foundation.errors import BadInput
from moiety.foundation.ids import ApprovalId, OperatorId
from moiety.incidents.outlived import APPROVALS, NAMES, REPORTS, Outlived
from staffed import SIGN_AT, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ALL = "/v1/reports"
HOLE = {"text": "GET /v1/anything answers me without a key.", "contact": "finder@example.org"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as made:
        yield made


def entries(api: Api) -> list[tuple[str, str, str]]:
    """Give what the ledger says of such ends."""
    found = api.site.desk.ledger.entries(limit=1000)
    return [(one.act, one.actor, one.detail) for one in found if one.kind == "erasure"]


@BOTH
async def test_a_report_is_erased_so_long_after_its_answer_and_its_number_and_dates_stay(api: Api) -> None:
    ends = Outlived(api.site.desk)
    async with api.client() as stranger, api.owner as owner:
        taken = (await stranger.post(ALL, json=HOLE)).json()
        api.site.clock.move(30 * DAY)
        answer = {"text": "Closed. Thank you."}
        answered = (await owner.post(f"{ALL}/{taken['number']}/answer", json=answer)).json()["answered_at"]
        with api.site.store.read() as tx:
            sealed = tx.reports.find(taken["number"])
        assert sealed
        assert sealed.answer_sealed
        api.site.clock.move(364 * DAY)
        assert ends.sweep() == 0
        waits = (await stranger.post(ALL, json=HOLE)).json()
        api.site.clock.move(2 * DAY)
        assert (ends.sweep(), ends.sweep()) == (1, 0)
        assert entries(api) == [("report-erase", "retention", '{"reports":1}')]
        seen = (await owner.get(f"{ALL}/{taken['number']}")).json()
        assert (seen["text"], seen["contact"], seen["answer"], seen["answered_at"]) == ("", "", None, answered)
        asked = {k: taken[k] for k in ("number", "secret")}
        assert (await stranger.post(f"{ALL}/answer", json=asked)).json()["answered_at"] == answered
        form = {k: (None, v) for k, v in asked.items()}
        assert "its time was over" in (await stranger.post("/report-a-hole/answer", files=form)).text
        page = (await owner.get(f"/reports/{taken['number']}")).text
        assert "its time was over" in page
        assert (await owner.get(f"{ALL}/{waits['number']}")).json()["text"] == HOLE["text"], "it came later"
        listed = {one["number"]: one["answered_by"] for one in (await owner.get(ALL)).json()["reports"]}
        assert listed == {taken["number"]: "owner", waits["number"]: None}
        again = (await owner.post(f"{ALL}/{taken['number']}/answer", json=answer)).json()
        assert (again["text"], again["answer"]) == ("", answer["text"])
        assert ends.sweep() == 0, "the new answer has a term of its own"
        api.site.clock.move(362 * DAY)
        assert ends.sweep() == 0
        api.site.clock.move(4 * DAY)
        assert ends.sweep() == 2
        # The one that nobody answered lost its text and nothing else: it waits on, for everybody to see.
        number = waits["number"]
        assert entries(api)[-1] == ("report-unanswered", "retention", f'{{"report":"{number}"}}')
        clock = (await stranger.get(f"{ALL}/clock")).json()
        assert (clock["waiting"], clock["overdue"]) == (1, 1)
        form = {k: (None, waits[k]) for k in ("number", "secret")}
        assert "Nobody ever answered" in (await stranger.post("/report-a-hole/answer", files=form)).text
        assert "never answered" in (await owner.get("/reports")).text
        assert (await owner.get(f"{ALL}/{number}")).json()["contact"] == ""
        assert (await owner.post(f"{ALL}/{number}/answer", json=answer)).json()["answer"] == answer["text"]
        assert (await stranger.get(f"{ALL}/clock")).json()["waiting"] == 0
        with api.site.store.read() as tx:
            left = tx.reports.find(taken["number"])
        assert left
        assert (left.content_sealed, left.answer_sealed, left.received_at) == (b"", None, sealed.received_at)


@BOTH
async def test_the_gates_tidying_erases_the_name_of_who_stopped_so_long_ago_and_no_other(api: Api) -> None:
    ada = await first(api)
    ben = await invited(api, ada, "Ben Ali", "registrar")
    cy = await invited(api, ada, "Cy Roy", "officer", second=ben)
    gone = await ada.ask("DELETE", f"/v1/operators/{ben.id}", json={"reason": "left the house"})
    assert gone.json()["name"] == "Ben Ali"
    api.site.clock.move(364 * DAY)
    assert Outlived(api.site.desk).sweep() == 2, "what the two approvals said, and no name"
    api.site.clock.move(2 * DAY)
    tidying = asyncio.create_task(tidy(api.site.house, Outlived(api.site.desk)))
    async with asyncio.timeout(60):
        while len(entries(api)) == 1:  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.05)
    tidying.cancel()
    with suppress(asyncio.CancelledError):
        await tidying
    assert entries(api)[1:] == [("operator-erase-name", "retention", '{"operators":1}')]
    with api.site.store.read() as tx:
        kept = {str(one.id): (one.name_sealed is None, one.roles) for one in tx.operators.list()}
    assert kept[ben.id] == (True, ("registrar",))
    assert not kept[ada.id][0]
    assert not kept[cy.id][0]
    async with api.owner as owner:
        names = {one["id"]: one["name"] for one in (await owner.get("/v1/operators")).json()["operators"]}
        page = (await owner.get("/operators")).text
    assert names == {ada.id: "Ada Osei", ben.id: "", cy.id: "Cy Roy"}
    assert f"<h2>{ben.id}</h2>" in page
    acts = [one.actor for one in api.site.desk.ledger.entries(limit=1000) if one.act == "operator-join"]
    assert ben.id in acts, "the id stays in the ledger"


@BOTH
async def test_what_an_approval_said_is_erased_so_long_after_its_end_and_its_digest_stays(api: Api) -> None:
    ada = await first(api)
    ben = await invited(api, ada, "Ben Ali", "registrar")
    await invited(api, ada, "Cy Roy", "officer", second=ben)
    guard = {"name": "Dee Kim", "roles": ["guard"], "reason": "for Dee Kim at the door"}
    refused, _ = [(await ada.post("/v1/operators", json=guard)).json()["id"] for _ in range(2)]
    assert (await ben.ask("DELETE", f"/v1/approvals/{refused}")).status_code == 200
    ends = Outlived(api.site.desk)
    async with api.owner as owner:
        before = {one["id"]: one for one in (await owner.get("/v1/approvals")).json()["approvals"]}
        api.site.clock.move(89 * DAY)
        assert ends.sweep() == 0
        api.site.clock.move(2 * DAY)
        fresh = (await owner.post("/v1/operators", json=guard)).json()["id"]
        # Done or refused; the fourth lapsed after its week, and has its ninety days from then on.
        assert (ends.sweep(), ends.sweep()) == (3, 0)
        api.site.clock.move(6 * DAY)
        assert (ends.sweep(), ends.sweep()) == (1, 0)
        said = [one for one in entries(api) if one[0] == "approval-erase"]
        assert said == [("approval-erase", "retention", f'{{"approvals":{count}}}') for count in (3, 1)]
        told = {one["id"]: one for one in (await owner.get("/v1/approvals")).json()["approvals"]}
        assert told.pop(fresh)["facts"][0]["value"] == "Dee Kim"
        stays = ("kind", "state", "proposer", "approver", "digest", "created_at", "expires_at")
        assert {name: [one[part] for part in stays] for name, one in told.items()} == {
            name: [one[part] for part in stays] for name, one in before.items()
        }
        assert {(tuple(one["facts"]), one["reason"]) for one in told.values()} == {((), "")}
        assert (await owner.get(f"/v1/approvals/{refused}/material")).status_code == 404
        assert (await owner.get("/approvals")).status_code == 200
    with api.site.store.read() as tx:
        kept = [tx.approvals.get(ApprovalId(one)) for one in before]
    assert {one.content_sealed for one in kept} == {b""}
    assert [one.approver for one in kept if one.signature] == [ben.id], "who signed which digest still shows"


@BOTH
async def test_whoever_was_invited_and_did_not_come_is_an_id_from_the_end_of_the_link_on(api: Api) -> None:
    ada = await first(api)
    cy = {"name": "Cy Roy", "roles": ["officer"], "reason": "a new colleague"}
    approval = (await ada.post("/v1/operators", json=cy)).json()["id"]
    async with api.owner as owner:
        assert (await owner.post(f"/v1/approvals/{approval}/confirm")).status_code == 200
    made = (await ada.post(f"/v1/approvals/{approval}/carry-out")).json()["result"]
    ends = Outlived(api.site.desk)
    api.site.clock.move(DAY - 60)
    assert ends.sweep() == 0
    api.site.clock.move(120)
    assert (ends.sweep(), ends.sweep()) == (1, 0)
    assert entries(api) == [("operator-erase-name", "retention", '{"operators":1}')]
    with api.site.store.read() as tx:
        left = tx.operators.get(OperatorId(made["operator"]))
    assert (left.name_sealed, left.state.value, left.roles) == (None, "invited", ("officer",))
    # Nobody knows whose it was: nobody brings it back under another name.
    assert (await ada.device.sign_in(ada.passkey)).status_code == 201
    again = await ada.post(f"/v1/operators/{left.id}/recovery", json={"reason": "the link was too old"})
    assert (again.status_code, "invite them anew" in again.json()["detail"]) == (400, True)
    assert (await ada.post("/v1/operators", json=cy)).status_code == 201


@pytest.mark.parametrize("name", [REPORTS, NAMES, APPROVALS])
async def test_there_is_no_way_to_keep_them_for_ever(api: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for term in ("0", "-1", "never"):
        monkeypatch.setenv(name, term)
        with pytest.raises(BadInput, match=name):
            Outlived(api.site.desk)
