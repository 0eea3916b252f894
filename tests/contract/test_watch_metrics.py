"""What Prometheus reads at the gate, who may read it, and what it can never hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api_in_process import WHY, Api, api_over, upload
from moiety.foundation.errors import slugs
from moiety.watch import lines
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CANARY = "Zanzibarquokka"
SCOPE = "watch:metrics:read"
ORDER = ("method", "route", "status", "part", "kind", "outcome", "level", "work", "le")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        async with made.owner as owner:
            await owner.post("/v1/galleries", json={"name": "doors", "purpose": "a door of the site"})
        yield made


async def read(api: Api) -> dict[str, dict[tuple[str, ...], float]]:
    """Read the figures as Prometheus does: by name, then by the values of labels."""
    async with api.client(api.key(SCOPE)) as client:
        reply = await client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    assert CANARY not in reply.text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            values = tuple(sample.labels[name] for name in ORDER if name in sample.labels)
            found.setdefault(sample.name, {})[values] = sample.value
    return found


async def test_req_49_figures_are_for_those_with_the_scope(api: Api) -> None:
    for path in "/metrics", "/v1/parts":
        async with api.client() as nobody, api.client(api.key("ledger:entry:read")) as other:
            assert (await nobody.get(path)).status_code == 401
            assert (await other.get(path)).status_code == 403
        async with api.client(api.key(SCOPE)) as watcher:
            assert (await watcher.get(path)).status_code == 200
            assert (await watcher.get("/v1/galleries")).status_code == 403


async def test_figures_count_requests_answers_and_rows(api: Api) -> None:
    before = await read(api)
    async with api.owner as owner:
        photo = upload(api.photo(api.site.sight.person()))
        assert (await owner.post("/v1/galleries/doors/subjects", data=WHY, files=photo)).status_code == 201
        assert (await owner.get("/v1/galleries/nowhere")).status_code == 404
    api.app.state.gate.watching.parts._at = float("-inf")
    after = await read(api)
    requests = after["moiety_http_requests_total"]
    assert requests["POST", "/v1/galleries/{gallery}/subjects", "201"] == 1
    assert requests["GET", "/v1/galleries/{gallery}", "404"] == 1
    assert after["moiety_http_request_seconds_count"]["/v1/galleries/{gallery}/subjects",] == 1
    assert after["moiety_part_up"] == {(part,): 1.0 for part in (*Role,)}
    answers = after["moiety_part_answers_total"]
    assert answers["vault-a", "PREPARE", "ok"] == answers["vault-b", "COMMIT", "ok"] == 1
    assert answers["eye", "TEMPLATE", "ok"] == 1
    assert before["moiety_part_answers_total"].get(("eye", "TEMPLATE", "ok")) is None
    assert after["moiety_part_answer_seconds_total"]["eye", "TEMPLATE", "ok"] >= 0


async def test_a_part_that_is_away_is_down_and_no_more(api: Api) -> None:
    await api.site.stop(Role.MINT)
    found = await read(api)
    assert found["moiety_part_up"]["mint",] == 0
    assert found["moiety_part_up"]["vault-a",] == 1
    assert not [labels for labels in found["moiety_part_answers_total"] if labels[0] == "mint"]
    async with api.client(api.key(SCOPE)) as watcher:
        told = {one["part"]: one for one in (await watcher.get("/v1/parts")).json()["parts"]}
    assert told["mint"] == {
        "part": "mint",
        "answers": False,
        "runs_for_s": None,
        "said": "The mint does not answer. No question can be answered until it does.",
    }
    assert re.fullmatch(r"Vault A answers and has run for \d+ \w+\.", told["vault-a"]["said"])
    await api.site.start(Role.MINT)


async def test_every_label_is_of_a_closed_set(api: Api) -> None:
    async with api.owner as owner:
        person = api.site.sight.person()
        who = {"reference": CANARY, "reason": CANARY}
        reply = await owner.post("/v1/galleries/doors/subjects", data=who, files=upload(api.photo(person)))
        asked = {"reason": CANARY, "reveal": "true"}
        await owner.post("/v1/galleries/doors/identify", data=asked, files=upload(api.photo(person)))
        await owner.get(f"/v1/galleries/{CANARY}", params={CANARY: CANARY})
        await owner.get(f"/{CANARY}")
        await owner.request(CANARY, "/v1/galleries")
    found = await read(api)
    routes = {route.path for route in api.app.routes} | {"-"}  # type: ignore[attr-defined]  # all are routes of ours
    methods = {"GET", "POST", "DELETE", "OTHER"}
    for method, route, status in found["moiety_http_requests_total"]:
        assert method in methods
        assert route in routes
        assert re.fullmatch(r"[1-5]\d\d", status)
    for part, kind, outcome in found["moiety_part_answers_total"]:
        assert part in set(Role)
        assert kind in {one.name for one in Kind}
        assert outcome == "ok" or outcome in slugs()
    assert {level for _, level in found["moiety_log_lines_total"]} <= set(lines.LEVELS)
    everything = {value for labels in found.values() for values in labels for value in values}
    assert reply.json()["subject_id"] not in everything
    assert not [one for one in everything if one.startswith(("sub_", "gal_", "key_", "pho_"))]


async def test_what_a_part_says_of_itself_gets_in_as_numbers_under_our_words(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Client.call

    async def lying(self: Client, kind: Kind, *given: Any, **more: Any) -> Answer:
        if kind is not Kind.COUNTS:
            return await call(self, kind, *given, **more)
        rows = [[CANARY, "ok", 1, 1], ["SEARCH", CANARY, 1, 1], ["SEARCH", "ok", CANARY, -3], "x", ["SEARCH"]]
        return Answer(
            {"uptime_s": CANARY, "answered": rows, "lines": {CANARY: 3, "info": 2}, CANARY: 1, "rows": CANARY}
        )

    monkeypatch.setattr(Client, "call", lying)
    found = await read(api)
    assert found["moiety_part_answers_total"] == {
        (part, "SEARCH", "ok"): 0.0 for part in ("eye", "vault-a", "vault-b", "mint", "witness")
    }
    assert found["moiety_log_lines_total"]["eye", "info"] == 2
    assert found["moiety_vault_rows"]["vault-a",] == 0


async def test_the_parts_are_asked_once_a_second_at_most(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    call = Client.call

    async def counting(self: Client, kind: Kind, *given: Any, **more: Any) -> Answer:
        asked.append(kind)
        return await call(self, kind, *given, **more)

    monkeypatch.setattr(Client, "call", counting)
    for _ in range(5):
        await read(api)
    assert asked.count(Kind.COUNTS) == 5, "one for each of the five other parts"


# ---- whether the gate lives ----


async def test_the_gate_lives_as_long_as_its_lasting_work_goes_on(api: Api) -> None:
    watching = api.app.state.gate.watching
    async with api.client() as nobody:
        assert (await nobody.get("/v1/live")).json() == {"status": "live"}
        watching._background["tidy"] = lambda: False
        reply = await nobody.get("/v1/live")
        assert (reply.status_code, reply.json()["type"]) == (503, "urn:moiety:problem:unavailable")
        assert "restart the gate" in reply.json()["detail"]
    assert (await read(api))["moiety_gate_work_up"]["tidy",] == 0
