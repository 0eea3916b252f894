"""No route without a rule, and no answer without the permission: default deny."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from starlette.responses import Response
from starlette.routing import Route

from api_in_process import WHY, Api, api_over, upload
from moiety.access import Permission
from moiety.api.routes import GuardedRoute, Routes, Rule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

# What may be asked without a key. A new public route has to be added here by hand.
PUBLIC = {
    "GET /",
    "GET /enter",
    "GET /static/{name}",
    "GET /v1/health",
    "GET /v1/live",
    "GET /v1/openapi.json",
    "GET /v1/ready",
    "DELETE /v1/session",
    "POST /v1/session/begin",
    "POST /v1/session",
    "POST /v1/session/organisation",
    "POST /v1/session/organisation/leave",
    "GET /oidc/back",
    "POST /v1/join/begin",
    "POST /v1/join",
    "GET /sign-in",
    "GET /join",
    "GET /language",
    "GET /worker.js",
    "GET /.well-known/security.txt",
    "GET /v1/reports/clock",
    "GET /report-a-hole",
    "POST /report-a-hole",
    "POST /report-a-hole/answer",
    "POST /v1/reports",
    "POST /v1/reports/answer",
}
# What asks for the permission under which a question was asked; test_signing_api holds them to it.
OF_QUESTION = {
    "GET /v1/questions",
    "GET /v1/questions/{question}",
    "GET /v1/questions/{question}/material",
    "POST /v1/questions/{question}/signatures",
    # These give each caller what is their own; test_people_rights holds them to it.
    "GET /v1/follow-ups",
    "POST /v1/follow-ups/{follow_up}/done",
}
IMAGE = upload(b"a picture")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        async with made.owner as owner:
            for name in "doors", "cases":
                await owner.post("/v1/galleries", json={"name": name, "purpose": "a door of the site"})
        yield made


def guarded(api: Api) -> list[GuardedRoute]:
    return [route for route in api.app.routes if isinstance(route, GuardedRoute)]


async def call(client: httpx.AsyncClient, route: GuardedRoute, gallery: str = "doors") -> httpx.Response:
    """Ask a route with something in every place of its path, and with a body of its type."""
    path = re.sub(r"{\w+}", "sub_aaaaaaaaaaaaaaaa", route.path.replace("{gallery}", gallery))
    method = next(iter(route.methods or ()))
    if route.rule.form:
        pictures = dict.fromkeys(route.rule.pictures, ("picture", b"a picture"))
        return await client.request(method, path, data=WHY, files=pictures)
    return await client.request(method, path, json={} if route.rule.body else None, params=WHY)


async def test_every_route_has_a_rule(api: Api) -> None:
    assert all(isinstance(route, GuardedRoute) for route in api.app.routes)
    named = {f"{next(iter(one.methods or ()))} {one.path}": one.rule for one in guarded(api)}
    assert {name for name, rule in named.items() if rule.of_question} == OF_QUESTION
    assert {name for name, rule in named.items() if rule.permission is None} == PUBLIC | OF_QUESTION
    assert all(len(named[name].public) > 10 for name in PUBLIC)


def test_a_route_cannot_be_declared_without_a_rule() -> None:
    with pytest.raises(TypeError, match="permission"):
        Routes("a test").add("GET", "/v1/open")
    with pytest.raises(TypeError, match="permission"):
        Rule(Permission.LEDGER_READ, "and open to all as well")


async def test_a_route_that_came_in_by_another_way_would_be_found(api: Api) -> None:
    api.app.add_route("/v1/backdoor", lambda _: Response())
    stray = [route for route in api.app.routes if not isinstance(route, GuardedRoute)]
    assert [route.path for route in stray if isinstance(route, Route)] == ["/v1/backdoor"]


async def test_without_a_key_nothing_but_the_public_routes_answers(api: Api) -> None:
    asked = 0
    async with api.client() as nobody:
        for route in guarded(api):
            if not route.rule.public:
                reply = await call(nobody, route)
                assert (reply.status_code, reply.json()["type"]) == (401, "urn:moiety:problem:unauthenticated"), (
                    route.path
                )
                assert reply.headers["www-authenticate"].startswith("Bearer")
                asked += 1
    assert asked >= 20


async def test_a_key_with_every_other_scope_is_refused(api: Api) -> None:
    for permission in Permission:
        others = [str(one) for one in Permission if one is not permission and not one.personal]
        async with api.client(api.key(*others)) as client:
            for route in guarded(api):
                if route.rule.permission is permission:
                    reply = await call(client, route)
                    assert (reply.status_code, reply.json()["type"]) == (403, "urn:moiety:problem:forbidden"), (
                        route.path
                    )


async def test_a_key_for_one_gallery_opens_no_other_and_cannot_tell_which_exist(api: Api) -> None:
    async with api.owner as owner:
        doors = (await owner.get("/v1/galleries/doors")).json()["id"]
    programs = {one for one in Permission if one.narrowable and not one.personal}
    async with api.client(api.key(*(f"{one}@{doors}" for one in programs))) as client:
        for route in guarded(api):
            if "{gallery}" in route.path and route.rule.permission in programs:
                # There are more routes than a key may ask at once.
                api.site.clock.move(1)
                own = await call(client, route)
                assert own.status_code != 403 or own.json()["type"].endswith("not-approved"), route.path
                other, missing = await call(client, route, "cases"), await call(client, route, "windows")
                assert (other.status_code, other.json()) == (missing.status_code, missing.json())
                assert other.status_code == 403
        listed = (await client.get("/v1/galleries")).json()["galleries"]
        assert [one["name"] for one in listed] == ["doors"]


async def test_names_are_shown_only_to_who_may_reveal(api: Api) -> None:
    ada = api.site.sight.person()
    async with api.owner as owner:
        form = WHY | {"reference": "Ada"}
        await owner.post("/v1/galleries/doors/subjects", data=form, files=upload(api.photo(ada)))
    async with api.client(api.key("gallery:probe:identify")) as client:
        form = WHY | {"reveal": "true"}
        refused = await client.post("/v1/galleries/doors/identify", data=form, files=upload(api.photo(ada)))
        plain = await client.post("/v1/galleries/doors/identify", data=WHY, files=upload(api.photo(ada)))
    assert refused.status_code == 403
    assert "Ada" not in plain.text
    assert set(plain.json()["faces"][0]["candidates"][0]) == {"subject_id", "band"}


async def test_nobody_hands_out_more_than_they_hold(api: Api) -> None:
    async with api.owner as owner:
        doors = (await owner.get("/v1/galleries/doors")).json()["id"]
    token = api.key("access:key:manage", f"gallery:probe:identify@{doors}")
    async with api.client(token) as client:

        async def ask(scope: str) -> int:
            body = {"name": "new", "scopes": [scope], "days": 1}
            return (await client.post("/v1/keys", json=body)).status_code

        assert await ask(f"gallery:probe:identify@{doors}") == 201
        assert await ask("gallery:probe:identify") == 403
        assert await ask("ledger:entry:read") == 403


async def test_a_key_lives_from_its_making_to_its_end(api: Api) -> None:
    async with api.owner as owner:
        body = {"name": "front-door", "scopes": ["gallery:manage:list"], "days": 2}
        made = (await owner.post("/v1/keys", json=body)).json()
        second = (await owner.post("/v1/keys", json=body | {"name": "back-door"})).json()
        async with api.client(made["token"]) as client, api.client() as nobody:
            assert (await client.get("/v1/galleries")).status_code == 200
            assert (await nobody.get("/v1/galleries", headers={"x-api-key": made["token"]})).status_code == 200
            listed = await owner.get("/v1/keys")
            assert made["token"] not in listed.text
            assert {one["name"] for one in listed.json()["keys"]} == {"front-door", "back-door"}
            assert (await owner.delete(f"/v1/keys/{made['id']}")).json()["revoked_at"] is not None
            assert (await client.get("/v1/galleries")).status_code == 401
        api.site.clock.move(3 * 86_400)
        async with api.client(second["token"]) as client:
            late = await client.get("/v1/galleries")
            assert (late.status_code, late.json()["type"]) == (401, "urn:moiety:problem:key-expired")
        neither = await owner.post("/v1/keys", json={"name": "x", "scopes": ["ledger:entry:read"]})
        assert neither.status_code == 400
        assert (await owner.delete("/v1/keys/key_aaaaaaaaaaaaaaaa")).status_code == 404
