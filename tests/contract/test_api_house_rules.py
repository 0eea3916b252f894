"""Rules that hold for every answer: headers, hosts, limits, nothing of the input in errors or logs, nothing on disk."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.requests import Request

from api_in_process import WHY, Api, api_over, upload
from moiety.access import Allowance
from moiety.api import Limits
from moiety.api.shell import CSP, HEADERS
from moiety.foundation.errors import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Message, Receive

CANARY = "Zanzibar-Quokka-7731"
MIB = 1024 * 1024


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        async with made.owner as owner:
            await owner.post("/v1/galleries", json={"name": "doors", "purpose": "a door of the site"})
        yield made


async def test_every_answer_has_the_security_headers(api: Api) -> None:
    async with api.owner as owner, api.client() as nobody:
        replies = [
            await owner.get("/v1/galleries"),
            await nobody.get("/v1/galleries"),
            await nobody.get("/nowhere"),
            await nobody.put("/v1/galleries"),
            await nobody.get("/"),
            await nobody.get("/static/console.css"),
            await nobody.get("/v1/health", headers={"host": "evil.example"}),
        ]
    assert [reply.status_code for reply in replies] == [200, 401, 404, 405, 200, 200, 421]
    for reply in replies:
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in CSP
    assert replies[3].headers["allow"] == "GET, POST"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"])
async def test_the_local_names_are_answered_to(api: Api, host: str) -> None:
    async with api.client() as nobody:
        assert (await nobody.get("/v1/health", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["moiety.evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80", "[::2]"]
)
async def test_no_other_name_is_answered_to(api: Api, host: str) -> None:
    async with api.owner as owner:
        reply = await owner.get("/v1/galleries", headers={"host": host})
    assert (reply.status_code, reply.json()["type"]) == (421, "urn:moiety:problem:misdirected-request")


async def test_nothing_that_was_sent_comes_back_or_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    base = "/v1/galleries/doors"
    photo = upload(CANARY.encode())
    async with api.owner as owner:
        replies = [
            await owner.get(f"/v1/galleries/{CANARY}"),
            await owner.get(f"/{CANARY}"),
            await owner.request(CANARY, "/v1/galleries"),
            await owner.get(f"{base}/subjects", params={"after": CANARY, CANARY: CANARY}),
            await owner.get(f"{base}/subjects/{CANARY}"),
            await owner.post("/v1/galleries", json={"name": CANARY + "!", "purpose": 3, CANARY: CANARY}),
            await owner.post("/v1/galleries", json={"name": "x", "purpose": "why", "table": {CANARY: 1, "1": CANARY}}),
            await owner.post(
                "/v1/galleries", content=f'{{"name": "{CANARY}"', headers={"content-type": "application/json"}
            ),
            await owner.post("/v1/galleries", content=CANARY, headers={"content-type": CANARY}),
            await owner.post(f"{base}/subjects", data=WHY | {"fields": CANARY}, files=photo),
            await owner.post(f"{base}/subjects", data={"reason": CANARY, "reference": CANARY}, files=photo),
            await owner.post(f"{base}/subjects", data=WHY | {CANARY: CANARY}, files=photo),
            await owner.post(f"{base}/find", json={"reference": CANARY, "reason": CANARY}),
            await owner.delete(f"{base}/subjects/sub_aaaaaaaaaaaaaaaa", params={"reason": CANARY}),
            await owner.get("/v1/galleries", headers={"authorization": f"Bearer {CANARY}"}),
            await owner.get("/enter", params={"ticket": CANARY}),
            await owner.delete(f"/v1/keys/{CANARY}"),
        ]
    assert all(reply.status_code >= 400 or reply.json() == {"subject_id": None} for reply in replies)
    assert all(CANARY.lower() not in reply.text.lower() for reply in replies)
    ours = [record for record in caplog.records if record.name.startswith(("moiety", "uvicorn", "fastapi"))]
    assert len(ours) >= len(replies)
    assert all(CANARY not in record.getMessage() for record in ours)


async def test_the_access_log_has_route_status_and_key_and_nothing_else(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "moiety.api.access")
    token = api.key("gallery:manage:list")
    async with api.client(token) as client:
        await client.get("/v1/galleries/doors", params={"reason": "x"})
    method, path, status, _, unit, key = caplog.messages[-1].split()
    assert (method, path, status, unit) == ("GET", "/v1/galleries/{gallery}", "200", "ms")
    assert key in token


async def test_an_unforeseen_error_says_and_logs_nothing_of_its_text(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr(type(api.site.house.galleries), "list", broken)
    async with api.owner as owner:
        reply = await owner.get("/v1/galleries")
    assert (reply.status_code, reply.json()["type"]) == (500, "urn:moiety:problem:internal")
    assert CANARY not in reply.text + caplog.text
    assert "ValueError at broken:" in caplog.text


async def test_a_fault_stops_the_process(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault("The database is damaged.")

    async def broken(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(type(api.site.house.galleries), "list", broken)
    async with api.owner as owner:
        assert (await owner.get("/v1/galleries")).status_code == 500
    assert api.faults == [fault]


async def test_bodies_over_the_limit_are_refused(api: Api) -> None:
    big = upload(b"x" * (12 * MIB + 1))
    async with api.owner as owner:
        over = await owner.post("/v1/galleries/doors/identify", data=WHY, files=big)
        assert (over.status_code, over.json()["type"]) == (413, "urn:moiety:problem:image-too-large")
        words = await owner.post("/v1/galleries", json={"name": "x" * 70_000, "purpose": "why"})
        assert (words.status_code, words.json()["type"]) == (413, "urn:moiety:problem:body-too-large")
        long = await owner.post("/v1/galleries/doors/identify", data={"reason": "x" * 501}, files=upload(b"a"))
        assert (long.status_code, long.json()["errors"][0]["where"]) == (422, "reason")
        wrong = await owner.post("/v1/galleries", content=b"name=x")
        assert (wrong.status_code, wrong.json()["type"]) == (415, "urn:moiety:problem:unsupported-media-type")


async def test_a_body_without_a_length_is_counted_as_it_comes(api: Api) -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield b"x" * MIB

    async with api.owner as owner:
        kind = {"content-type": "multipart/form-data; boundary=b"}
        reply = await owner.post("/v1/galleries/doors/identify", content=endless(), headers=kind)
    assert reply.status_code == 413
    assert given <= 14


async def test_a_strangers_body_is_not_read_at_all(api: Api) -> None:
    given = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal given
        given += 1
        yield b"x"

    async with api.client() as nobody:
        kind = {"content-type": "multipart/form-data; boundary=b"}
        reply = await nobody.post("/v1/galleries/doors/identify", content=counted(), headers=kind)
    assert (reply.status_code, given) == (401, 0)


async def test_a_probe_never_touches_the_disk(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a temporary file nor any file of the installation ever holds the picture."""

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a temporary file was asked for")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    opened: list[str] = []
    was = os.open

    def watched(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            opened.append(str(path))
        return was(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", watched)
    ada = api.site.sight.person()
    seen = api.photo(ada)
    faces = api.site.sight.faces(seen)
    # A real photo's size: above every limit at which a form parser would spool to disk.
    picture = CANARY.encode() + os.urandom(6 * MIB)
    api.site.sight._pictures[picture] = faces
    async with api.owner as owner:
        reply = await owner.post("/v1/galleries/doors/identify", data=WHY, files=upload(picture))
    assert reply.status_code == 200
    assert len(reply.json()["faces"]) == 1
    assert opened == []
    assert not await asyncio.to_thread(_holding, tmp_path, CANARY.encode())
    # The control: the framework's own form parser would have asked for a temporary file.
    form = httpx.Request("POST", "http://localhost", data=WHY, files=upload(picture))
    headers = [(name.lower(), value) for name, value in form.headers.raw]
    with pytest.raises(pytest.fail.Exception):
        await Request({"type": "http", "headers": headers}, _once(form.read())).form()


def _holding(folder: Path, canary: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if canary in path.read_bytes()]


def _once(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def test_keys_and_strangers_are_slowed_down(tmp_path: Path) -> None:
    slow = Limits(key_rate=Allowance(60, 3), stranger_rate=Allowance(60, 2), failures=Allowance(60, 2))
    async with api_over(tmp_path, slow) as api:
        async with api.client(api.key("gallery:manage:list")) as client, api.client() as nobody:
            assert [(await client.get("/v1/galleries")).status_code for _ in range(4)] == [200, 200, 200, 429]
            last = await client.get("/v1/galleries")
            assert last.headers["retry-after"] == "1"
            api.site.clock.move(1)
            assert (await client.get("/v1/galleries")).status_code == 200
            assert [(await nobody.get("/v1/health")).status_code for _ in range(3)] == [200, 200, 429]
        async with api.client("moi_wrong") as wrong, api.client(api.key("gallery:manage:list")) as right:
            assert [(await wrong.get("/v1/galleries")).status_code for _ in range(4)] == [401, 401, 429, 429]
            assert (await right.get("/v1/galleries")).status_code == 429
            async with api.owner as owner:
                assert (await owner.get("/v1/galleries")).status_code == 200
            api.site.clock.move(2)
            assert (await right.get("/v1/galleries")).status_code == 200
            assert [(await wrong.get("/v1/galleries")).status_code for _ in range(3)][-1] == 429
            # Whoever was let in a moment ago is not locked out by others at the same address.
            assert (await right.get("/v1/galleries")).status_code == 200


async def test_pictures_wait_in_a_queue_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with api_over(tmp_path, Limits(pictures_at_once=1, pictures_waiting=1)) as api, api.owner as owner:
        await owner.post("/v1/galleries", json={"name": "doors", "purpose": "a door of the site"})
        go, working = asyncio.Event(), 0

        async def slow(*_: Any) -> list[Any]:
            nonlocal working
            working += 1
            await go.wait()
            return []

        monkeypatch.setattr(type(api.site.house.identifier), "identify", slow)

        async def ask() -> int:
            return (await owner.post("/v1/galleries/doors/identify", data=WHY, files=upload(b"a"))).status_code

        first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
        async with asyncio.timeout(10):
            while api.app.state.gate.queue._room or not working:  # noqa: ASYNC110 - the queue has no event for being full
                await asyncio.sleep(0.01)
        refused = await owner.post("/v1/galleries/doors/identify", data=WHY, files=upload(b"a"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert working == 1
        go.set()
        assert [await first, await second, await ask()] == [200, 200, 200]
