"""The inbox for strangers, security.txt, and reports of drills: a clock that nobody can ignore."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api_in_process import DAY, Api, api_over
from databases import BOTH, SQLITE
from moiety.access import Allowance
from moiety.api import Limits
from moiety.api.limits import Inbox
from moiety.api.reports import security_txt
from moiety.foundation.errors import Unverified
from moiety.incidents.drills import SignedDrills
from moiety.incidents.reports import TEXT_CHARS_MAX, WAITING_MAX
from nasty_texts import NASTY, drawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = BOTH

ALL = "/v1/reports"
HOLE = {"text": "GET /v1/anything answers me without a key.", "contact": "finder@example.org"}
MANY = Allowance(per_minute=100_000, burst=100_000)
FAST = Limits(reports=MANY, inbox=Inbox(near=MANY, together=MANY))


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, FAST) as made:
        yield made


def acts(api: Api) -> list[tuple[str, str]]:
    return [(one.act, one.actor) for one in api.site.desk.ledger.entries(limit=1000) if one.act.startswith("report")]


async def test_a_stranger_reports_without_an_account_and_gets_the_answer_by_number_and_secret(api: Api) -> None:
    async with api.client() as stranger, api.owner as owner:
        taken = (await stranger.post(ALL, json=HOLE)).json()
        waits = (await stranger.post(f"{ALL}/answer", json={k: taken[k] for k in ("number", "secret")})).json()
        assert waits["answer"] is None
        for wrong in ({"secret": "no"}, {"number": "rep_aaaaaaaaaaaaaaaa"}, {"number": "\0"}):
            asked = {"number": taken["number"], "secret": taken["secret"]} | wrong
            assert (await stranger.post(f"{ALL}/answer", json=asked)).status_code == 404
        assert (await stranger.get(ALL)).status_code == 401
        (line,) = (await owner.get(ALL)).json()["reports"]
        opened = (await owner.get(f"{ALL}/{line['number']}")).json()
        assert (opened["text"], opened["contact"]) == (HOLE["text"], HOLE["contact"])
        assert (
            await owner.post(f"{ALL}/{line['number']}/answer", json={"text": "Closed. Thank you."})
        ).status_code == 200
        told = (await stranger.post(f"{ALL}/answer", json={k: taken[k] for k in ("number", "secret")})).json()
        assert told["answer"] == "Closed. Thank you."
    assert acts(api) == [("report-receive", "stranger"), ("report-read", "owner"), ("report-answer", "owner")]
    with api.site.store.read() as tx:
        (kept,) = tx.reports.list()
    assert taken["secret"].encode() not in kept.secret_sha256
    assert b"answers me" not in kept.content_sealed


async def test_nobody_can_ignore_the_clock(api: Api) -> None:
    async with api.client() as stranger, api.owner as owner:
        await stranger.post(ALL, json=HOLE)
        assert "No report here has waited for more than 7 days." in (await stranger.get("/report-a-hole")).text
        api.site.clock.move(8 * DAY)
        assert (
            "1 report has waited here for an answer for more than 7 days."
            in (await stranger.get("/report-a-hole")).text
        )
        assert (await stranger.get(f"{ALL}/clock")).json()["overdue"] == 1
        token = api.app.state.gate.sessions
        browser = api.client()
        await browser.get(f"/enter?ticket={token.ticket()}")
        assert "have waited for too long" in (await browser.get("/")).text
        now = api.site.clock.now()
        told = {"happened": "x", "lost": ["vault-a"], "controller": "A school", "contact": "dpo@school.example.org"}
        times = {name: datetime.fromtimestamp(now, UTC).isoformat() for name in ("aware_at", "began_at", "ended_at")}
        breach = (await owner.post("/v1/incidents", json=told | times)).json()["id"]
        assert (await owner.post("/v1/emergencies/stop", json={"reason": "a test"})).status_code == 200
        needs = (await browser.get("/")).text.partition('class="needs"')[2].partition("</ul>")[0]
        places = re.findall(r'href="([^"]+)"', needs)
        assert {"/emergency", f"/incidents/{breach}", "/reports"} <= set(places)
        assert len(places) == len(set(places))
        for address in ("/incidents", "/reports"):
            assert "for too long" in (await owner.get(address)).text
        figures = (await owner.get("/metrics")).text
        assert "moiety_reports_overdue 1.0" in figures
        assert re.search(r"moiety_report_oldest_seconds 691\d{3}\.", figures)


async def test_the_form_works_without_a_script_and_repeats_nothing_it_should_not(api: Api) -> None:
    async with api.client() as stranger:
        page = await stranger.get("/report-a-hole")
        assert (page.status_code, "set-cookie" in page.headers) == (200, False)
        sent = await stranger.post("/report-a-hole", files={"text": (None, HOLE["text"]), "contact": (None, "")})
        number, secret = re.findall(r"<code>([^<]+)</code>", sent.text)
        assert (sent.status_code, number[:4]) == (201, "rep_")
        asked = await stranger.post("/report-a-hole/answer", files={"number": (None, number), "secret": (None, secret)})
        assert "No answer yet" in asked.text
        empty = await stranger.post("/report-a-hole", files={"text": (None, "\u202e \0")})
        assert (empty.status_code, "must not be empty" in empty.text) == (400, True)
        markup = await stranger.post(
            "/report-a-hole", files={"text": (None, ""), "contact": (None, "<script>alert(1)</script>")}
        )
        assert "<script>alert" not in markup.text


async def test_few_come_from_one_address_and_sizes_are_bounded(tmp_path: Path) -> None:
    async with api_over(tmp_path) as api, api.client() as stranger:
        codes = [(await stranger.post(ALL, json=HOLE)).status_code for _ in range(12)]
        assert (codes[:10], codes[-1]) == ([201] * 10, 429)
    # One address alone needs days until nobody else's report is taken, and somebody reads them meanwhile.
    usual = Limits().reports
    assert (WAITING_MAX - usual.burst) / usual.per_minute > 3 * 24 * 60
    async with api_over(tmp_path / "b", FAST) as api, api.client() as stranger:
        assert (await stranger.post(ALL, json={"text": "x" * (TEXT_CHARS_MAX + 1)})).status_code == 422
        assert (await stranger.post(ALL, json={"text": "😀" * TEXT_CHARS_MAX})).status_code == 201
        assert (await stranger.post(ALL, json=HOLE | {"ip": "1.2.3.4"})).status_code == 422
        picture = await stranger.post("/report-a-hole", files={"text": ("x.png", b"\x89PNG")})
        assert picture.status_code in {400, 422}


@SQLITE
async def test_whoever_has_many_addresses_leaves_a_share_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_SECURITY_CONTACT", "mailto:security@example.org")
    usual = Limits().inbox
    async with api_over(tmp_path) as api:

        async def sent(address: str, path: str = ALL, **how: Any) -> httpx.Response:
            line = httpx.ASGITransport(api.app, client=(address, 5))
            async with httpx.AsyncClient(transport=line, base_url="http://localhost") as stranger:
                return await stranger.post(path, **(how or {"json": HOLE}))

        async def codes(network: str, count: int) -> list[int]:
            return [(await sent(f"{network}{number}")).status_code for number in range(1, count + 1)]

        first = (await sent("10.0.0.1")).json()["number"]
        # One network, however many addresses; then another, until the places of all are gone.
        near = usual.near.burst
        assert await codes("10.0.0.", near + 2) == [201] * (near - 1) + [429] * 3
        assert near < usual.together.burst <= 2 * near
        assert await codes("10.0.1.", near) == [201] * near
        for network in ("10.0.2.", "2001:db8:7::", "::ffff:10.0.3."):
            assert await codes(network, 2) == [201, 429], network
        assert await codes("2001:db8:7:ff::", 1) == [429]
        refused = await sent("10.0.2.9")
        assert "write to security@example.org" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) > 0
        form = await sent("10.0.2.9", "/report-a-hole", files={"text": (None, "A long text."), "contact": (None, "")})
        assert (form.status_code, "A long text." in form.text) == (429, True)
        assert ("security@example.org" in form.text, "retry-after" in form.headers) == (True, True)
        # Who waits for an answer asks for it all the while.
        assert (await sent("10.0.2.9", ALL + "/answer", json={"number": first, "secret": "no"})).status_code == 404
        with api.site.store.read() as tx:
            kept = tx.reports.list()
        assert (first in {one.id for one in kept}, len(kept)) == (True, 2 * near + 3)
        api.site.clock.move(DAY)
        assert await codes("10.0.2.", 1) == [201]
    # Nobody fills the inbox, which takes no more at its end and drops none, before it was read for days.
    a_day = 24 * 60 * (usual.together.per_minute + usual.newcomers.per_minute)
    assert (WAITING_MAX - usual.together.burst - usual.newcomers.burst) / a_day >= 4


@SQLITE
async def test_a_full_inbox_takes_no_more_and_drops_none(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moiety.incidents.reports.WAITING_MAX", 2)
    async with api.client() as stranger:
        replies = [await stranger.post(ALL, json=HOLE) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [201, 201, 429]
    with api.site.store.read() as tx:
        assert {one.id for one in tx.reports.list()} == {reply.json()["number"] for reply in replies[:2]}


async def test_the_inbox_survives_every_text(api: Api) -> None:
    draw = random.Random(9116)  # noqa: S311 - a test's own choice
    async with api.client() as stranger, api.owner as owner:
        for text in [*NASTY, *(drawn(draw) for _ in range(60))]:
            raw = json.dumps({"text": text, "contact": text[:200]})
            replies = [
                await stranger.post(ALL, content=raw, headers={"content-type": "application/json"}),
                await stranger.post(
                    f"{ALL}/answer",
                    content=json.dumps({"number": text[:64], "secret": text[:100]}),
                    headers={"content-type": "application/json"},
                ),
            ]
            assert all(reply.status_code < 500 for reply in replies), text
            if replies[0].status_code == 201:
                number = replies[0].json()["number"]
                answer: dict[str, Any] = {
                    "content": json.dumps({"text": text}),
                    "headers": {"content-type": "application/json"},
                }
                assert (await owner.post(f"{ALL}/{number}/answer", **answer)).status_code < 500
                page = await owner.get(f"/reports/{number}")
                assert (page.status_code, "<script>alert" in page.text) == (200, False)
    assert api.faults == []


async def test_security_txt_names_the_inbox_and_never_expires(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api.client(base="http://localhost:8080") as stranger:
        reply = await stranger.get("/.well-known/security.txt")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in reply.text.splitlines())
    assert fields["Contact"] == "http://localhost:8080/report-a-hole"
    now = api.site.clock.now()
    for later in (0, 400 * DAY, 4000 * DAY):
        text = security_txt("https://gate.example.org", now + later)
        expires = datetime.fromisoformat(re.findall(r"Expires: (.+)", text)[0])
        left = expires.timestamp() - now - later
        assert 179 * DAY <= left < 365 * DAY
        assert expires.tzinfo is not None
        assert expires.astimezone(UTC) == expires
    monkeypatch.setenv("MOIETY_SECURITY_CONTACT", "mailto:security@example.org")
    monkeypatch.setenv("MOIETY_SECURITY_POLICY", "https://example.org/policy")
    text = security_txt("https://gate.example.org", now)
    assert "Contact: mailto:security@example.org\n" in text
    assert "Policy: https://example.org/policy\n" in text


RAN: list[dict[str, Any]] = [
    {"name": "steal-a", "obtained": 0, "control_obtained": 3, "seconds": 2.5},
    {"name": "password", "obtained": 1, "control_obtained": 1, "seconds": 1.0},
]


async def test_a_report_of_drills_is_signed_in_the_ledger_and_overdue_without_one(api: Api) -> None:
    async with api.owner as owner:
        assert (await owner.get("/v1/drills")).json()["overdue"]
        made = await owner.post("/v1/drills", json={"version": "1.0", "drills": RAN})
        assert made.status_code == 201, made.text
        paper = SignedDrills.read(made.content)
        told = paper.verify()
        assert [(one["name"], one["held"]) for one in told["drills"]] == [("steal-a", True), ("password", False)]
        listed = (await owner.get("/v1/drills")).json()
        assert (listed["overdue"], listed["reports"][0]["failed"]) == (False, 1)
        for document in (paper.document.replace('"held":false', '"held":true'), "{}"):
            with pytest.raises(Unverified):
                SignedDrills(document, paper.signature, paper.key).verify()
        api.site.clock.move(31 * DAY)
        assert (await owner.get("/v1/drills")).json()["overdue"]
        assert "moiety_drill_overdue 1.0" in (await owner.get("/metrics")).text
        assert "moiety drill --report" in (await owner.get("/incidents")).text
        twice = {"version": "1.0", "drills": [RAN[0], RAN[0]]}
        assert (await owner.post("/v1/drills", json=twice)).status_code == 400
    (entry,) = [one for one in api.site.desk.ledger.entries(limit=1000) if one.act == "drill-report"]
    assert '"failed":1' in entry.detail
