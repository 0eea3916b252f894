"""What each role sees of the console: its navigation leads only to pages that open, and no other page opens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from api_in_process import DAY, WHY, Api, api_over, upload
from api_people import RULE
from moiety.access import Role
from moiety.console.navigation import GROUPS
from moiety.people.rules import DAY_SECONDS
from moiety.storage.guard_records import Deployment
from staffed import Person, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# Addresses without parameters that no navigation names: the way in, and one's own page.
BESIDE = {
    "/.well-known/security.txt",
    "/report-a-hole",
    "/oidc/back",
    "/enter",
    "/sign-in",
    "/join",
    "/language",
    "/worker.js",
    "/access",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at="https://sign.example.org/sign") as made:
        async with made.owner as owner:
            new = {"name": "doors", "purpose": "a door of the site", "retention_days": 20}
            assert (await owner.post("/v1/galleries", json=new)).status_code == 201
            form = WHY | {"reference": "Ada"}
            photo = upload(made.photo(made.site.sight.person()))
            assert (await owner.post("/v1/galleries/doors/subjects", data=form, files=photo)).status_code == 201
        yield made


def pages(api: Api) -> set[str]:
    """Give the addresses of all pages that have no parameters."""
    found = {one.path for one in api.app.routes if "GET" in (one.methods or ())}  # type: ignore[attr-defined]  # all are routes of ours
    return {one for one in found if "{" not in one and not one.startswith(("/v1/", "/metrics"))} - BESIDE


def links(page: str) -> set[str]:
    """Read where a page's navigation leads."""
    rail = re.search(r'<nav class="rail".*?</nav>', page, re.DOTALL)
    assert rail is not None
    return set(re.findall(r'href="([^"]+)"', rail[0]))


async def test_navigation_leads_each_role_to_what_opens_and_nothing_else_does(api: Api) -> None:
    ada = await first(api)
    ben = await invited(api, ada, "Ben Ali", "registrar")
    places = {place.address for group in GROUPS for place in group.places}
    assert pages(api) <= places, "a page that no navigation names"
    for role in Role:
        one = ada if role is Role.ADMINISTRATOR else await invited(api, ada, "Cy Young", role, second=ben)
        home = await one.get("/")
        assert home.status_code == 200
        opened = set()
        for path in sorted(pages(api)):
            api.site.clock.move(5)
            reply = await one.get(path, headers={"accept": "text/html"})
            # Some go on to the first gallery.
            assert reply.status_code in {200, 303, 403}, (role, path, reply.status_code)
            opened |= {path} if reply.status_code != 403 else set()
        assert opened == links(home.text), role


async def test_home_says_what_needs_its_reader_and_stops_when_it_is_done(api: Api) -> None:
    ada = await first(api)
    ben = await invited(api, ada, "Ben Ali", "officer")
    home = (await ben.get("/")).text
    assert "You have one passkey" in home
    assert "waits for your signature" not in home
    proposed = await ada.post(
        "/v1/operators", json={"name": "Cy Young", "roles": ["guard"], "reason": "a new colleague"}
    )
    approval = proposed.json()["id"]
    assert "1 proposal waits for your signature" in (await ben.get("/")).text
    inbox = (await ben.get("/approvals")).text
    assert all(words in inbox for words in ("Cy Young", "a new colleague", "Read and sign", proposed.json()["digest"]))
    assert "Read and sign" not in (await ada.get("/approvals")).text
    assert (await ben.approve(approval)).status_code == 200
    assert "waits for your signature" not in (await ben.get("/")).text
    assert "1 of your proposals is signed" in (await ada.get("/")).text


async def test_the_welcome_path_follows_what_is_done(api: Api) -> None:
    ada = await first(api)
    assert current(await home(ada)) == "Invite a second person"
    ben = await invited(api, ada, "Ben Ali", "officer")
    assert current(await home(ada)) == "Put it into use"
    with api.site.store.begin() as tx:
        gallery = tx.galleries.by_name("doors")
        tx.deployments.put(Deployment(gallery.id, "DPIA-2026-04", api.site.clock.now() + 90 * DAY, False, False))  # noqa: FBT003 - a record's own order
    fay = await invited(api, ada, "Fay Oyo", "registrar", second=ben)
    assert current(await home(ada)) == "Say what it asks of people"
    assert (await fay.ask("PUT", "/v1/galleries/doors/rules", json=RULE | {"keep_days": 20})).status_code == 200
    assert current(await home(ada)) == "Ask the first question"
    photo = upload(api.photo(api.site.sight.person()))
    reply = await ben.post("/v1/galleries/doors/identify", data=WHY, files=photo)
    assert reply.status_code == 200
    assert "From the first passkey" not in await home(ada)


async def home(one: Person) -> str:
    return (await one.get("/")).text


def current(page: str) -> str:
    """Read the step that is to be done now."""
    found = re.search(r'aria-current="step".*?class="step-words">([^<]+)', page, re.DOTALL)
    assert found is not None
    return found[1].strip()


async def test_the_calendar_counts_who_is_erased_on_which_day_and_names_nobody(api: Api) -> None:
    ada = await first(api)
    cy = await invited(api, ada, "Cy Young", "registrar")
    page = (await cy.get("/retention")).text
    assert re.search(r"<tr><th[^>]*>[^<]+</th><td[^>]*>1</td></tr>", page)
    assert page.count("<rect ") == 1
    assert "sub_" not in page
    # The day comes: nobody is due any more, and the one who still is there is said to be late.
    api.site.clock.move(21 * DAY_SECONDS)
    dee = await sign_in_anew(cy)
    assert "1 person should be gone already" in (await dee.get("/retention")).text


async def sign_in_anew(one: Person) -> Person:
    """Come back after the session's end."""
    assert (await one.device.sign_in(one.passkey)).status_code == 201
    return one


async def test_status_says_in_words_what_is_down_and_what_was_never_done(api: Api) -> None:
    ada = await first(api)
    page = (await ada.get("/status")).text
    assert "Every part answers." in page
    assert page.count("none is known") >= 4
    async with api.client() as nobody:
        assert (await nobody.get("/status", headers={"accept": "text/html"})).status_code == 401


async def test_a_choice_of_language_is_kept_and_leads_to_no_other_site(api: Api) -> None:
    async with api.client() as nobody:
        chosen = await nobody.get("/language", params={"to": "hi", "back": "/sign-in"})
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in")
        assert '<html lang="hi">' in (await nobody.get("/sign-in")).text
        for back in ("//evil.example", "/\\evil.example", "https://evil.example", "evil"):
            assert (await nobody.get("/language", params={"to": "hi", "back": back})).status_code == 422
        assert (await nobody.get("/language", params={"to": "xx"})).status_code == 400
