"""The browser's session: a ticket in, a cookie that scripts cannot read, and no request forged by another site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_in_process import Api, api_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

GALLERY = {"name": "doors", "purpose": "a door of the site"}
OURS = {"x-moiety": "1", "origin": "http://localhost", "sec-fetch-site": "same-origin"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        yield made


async def enter(api: Api, client: httpx.AsyncClient) -> httpx.Response:
    async with api.owner as owner:
        path = (await owner.post("/v1/tickets")).json()["path"]
    return await client.get(path)


async def test_a_ticket_becomes_a_session_that_acts_as_the_owner(api: Api) -> None:
    async with api.client() as browser:
        reply = await enter(api, browser)
        assert (reply.status_code, reply.headers["location"]) == (303, "/")
        cookie = reply.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie
        assert (await browser.get("/v1/galleries")).status_code == 200
        assert (await browser.post("/v1/galleries", json=GALLERY, headers=OURS)).status_code == 201


async def test_behind_tls_the_cookie_is_for_tls_alone(api: Api) -> None:
    async with api.client(base="https://localhost") as browser:
        assert "secure" in (await enter(api, browser)).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-moiety": "1"},
        OURS | {"x-moiety": "0"},
        OURS | {"origin": "http://localhost:9999"},
        OURS | {"origin": "null"},
        OURS | {"sec-fetch-site": "same-site"},
        OURS | {"sec-fetch-site": "cross-site", "origin": "http://evil.example"},
        {"x-moiety": "1", "origin": "http://evil.example"},
        {"origin": "http://localhost", "sec-fetch-site": "same-origin"},
    ],
)
async def test_a_request_that_another_page_could_send_changes_nothing(api: Api, headers: dict[str, str]) -> None:
    async with api.client() as browser:
        await enter(api, browser)
        refused = await browser.post("/v1/galleries", json=GALLERY, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:moiety:problem:forbidden")
        left = await browser.delete("/v1/session", headers=headers)
        assert left.status_code == 403
        assert (await browser.get("/v1/galleries")).json() == {"galleries": []}


@pytest.mark.parametrize(
    "headers",
    [OURS, {"x-moiety": "1", "origin": "http://localhost"}, {"x-moiety": "1", "sec-fetch-site": "same-origin"}],
)
async def test_the_consoles_own_requests_pass(api: Api, headers: dict[str, str]) -> None:
    async with api.client() as browser:
        await enter(api, browser)
        assert (await browser.post("/v1/galleries", json=GALLERY, headers=headers)).status_code == 201


async def test_only_the_run_token_makes_tickets(api: Api) -> None:
    async with api.client() as browser, api.client(api.key("access:key:manage")) as manager:
        await enter(api, browser)
        assert (await browser.post("/v1/tickets", headers=OURS)).status_code == 403
        assert (await manager.post("/v1/tickets")).status_code == 403


async def test_leaving_ends_the_session(api: Api) -> None:
    async with api.client() as browser:
        await enter(api, browser)
        kept = dict(browser.cookies)
        assert (await browser.delete("/v1/session", headers=OURS)).status_code == 204
        browser.cookies.update(kept)
        assert (await browser.get("/v1/galleries")).status_code == 401
        assert (await browser.delete("/v1/session", headers=OURS)).status_code == 401


async def test_a_session_ends_by_itself(api: Api) -> None:
    async with api.client() as browser:
        await enter(api, browser)
        api.site.clock.move(3601)
        assert (await browser.get("/v1/galleries")).status_code == 401
        page = await browser.get("/")
        assert "Your session has ended" in page.text


async def test_a_key_that_was_sent_counts_before_the_cookie(api: Api) -> None:
    async with api.client() as browser:
        await enter(api, browser)
        wrong = await browser.get("/v1/galleries", headers={"authorization": "Bearer moi_wrong"})
        basic = await browser.get("/v1/galleries", headers={"authorization": "Basic b3duZXI6"})
        assert [wrong.status_code, basic.status_code] == [401, 401]
