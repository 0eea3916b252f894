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
from moiety.incidents.outlived import NAMES, REPORTS, Outlived
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
        taken, waits = [(await stranger.post(ALL, json=HOLE)).json() for _ in range(2)]
        api.site.clock.move(30 * DAY)
        answer = {"text": "Closed. Thank you."}
        answered = (await owner.post(f"{ALL}/{taken['number']}/answer", json=answer)).json()["answered_at"]
        with api.site.store.read() as tx:
            sealed = tx.reports.find(taken["number"])
        assert sealed
        assert sealed.answer_sealed
        api.site.clock.move(364 * DAY)
        assert ends.sweep() == 0
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
        assert (await owner.get(f"{ALL}/{waits['number']}")).json()["text"] == HOLE["text"], "nobody answered it yet"
        listed = {one["number"]: one["answered_by"] for one in (await owner.get(ALL)).json()["reports"]}
        assert listed == {taken["number"]: "owner", waits["number"]: None}
        again = (await owner.post(f"{ALL}/{taken['number']}/answer", json=answer)).json()
        assert (again["text"], again["answer"]) == ("", answer["text"])
        assert ends.sweep() == 0, "the new answer has a term of its own"
        api.site.clock.move(366 * DAY)
        assert ends.sweep() == 1
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
    assert Outlived(api.site.desk).sweep() == 0
    api.site.clock.move(2 * DAY)
    tidying = asyncio.create_task(tidy(api.site.house, Outlived(api.site.desk)))
    async with asyncio.timeout(60):
        while not entries(api):  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.05)
    tidying.cancel()
    with suppress(asyncio.CancelledError):
        await tidying
    assert entries(api) == [("operator-erase-name", "retention", '{"operators":1}')]
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


@pytest.mark.parametrize("name", [REPORTS, NAMES])
async def test_there_is_no_way_to_keep_them_for_ever(api: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for term in ("0", "-1", "never"):
        monkeypatch.setenv(name, term)
        with pytest.raises(BadInput, match=name):
            Outlived(api.site.desk)
