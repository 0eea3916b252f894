"""A release by the person's own passkey, made in the witness's window with a virtual authenticator."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from api_people import RULE
from browser.signing import Device, SigningSite
from browser.test_console_axe import RULES, axe, looks, objections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = ["axe"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningSite]:
    with SigningSite(tmp_path_factory.mktemp("release")) as made:
        yield made


def test_req_01_a_person_releases_by_a_passkey_in_the_witness_s_window(
    browser: Browser, site: SigningSite, axe: str
) -> None:
    with site.owner() as owner:
        gallery = owner.post("galleries", json={"name": "staff", "purpose": "doors of the works"}).json()["id"]
        assert owner.put("galleries/staff/rules", json=RULE).status_code == 200
        new = {"reference": "Ada King", "reason": "a test"}
        subject = owner.post("galleries/staff/people", json=new).json()["subject_id"]
    context = browser.new_context(viewport={"width": 390, "height": 844})
    wrong: list[str] = []
    context.on("page", lambda page: page.on("pageerror", lambda error: wrong.append(str(error))))
    page, phone = context.new_page(), Device()
    page.goto(site.ticket())
    page.goto(f"{site.url}/people/{gallery}/{subject}/consent")
    page.fill("#ends_at", site.day(100))
    page.fill("#signed_by", "Ada King")
    page.fill("#release-why", "a test")
    with context.expect_page() as opened:
        page.click("#passkey")
    window = opened.value
    window.wait_for_selector("#agree:enabled")
    told = window.inner_text("#facts")
    for said in ("doors of the works", "2026-11", "Ada King", subject, site.url):
        assert said in told
    window.evaluate(axe)
    found = window.evaluate("(tags) => axe.run({ runOnly: tags })", RULES)
    assert found["violations"] == []
    with suppress(Error), phone.at(window):
        window.click("#agree")
        window.wait_for_event("close", timeout=20_000)
    page.wait_for_url(f"**/people/{gallery}/{subject}/photos")
    with site.owner() as owner:
        (consent,) = owner.get(f"galleries/staff/subjects/{subject}/record").json()["consents"]
    assert consent["kind"] == "passkey"
    assert wrong == []
    context.close()


def test_no_page_of_the_desk_has_an_objection_of_axe(browser: Browser, site: SigningSite, axe: str) -> None:
    with site.owner() as owner:
        gallery = str(owner.get("galleries/friends").json()["id"])
        subject = owner.get("galleries/friends/subjects").json()["subjects"][0]["id"]
    places = (
        "people",
        f"people/{gallery}",
        f"people/{gallery}/{subject}",
        f"people/{gallery}/owed",
        f"people/{gallery}/receipts/{subject}",
        f"people/{gallery}/{subject}/consent",
        f"people/{gallery}/{subject}/photos",
        f"enrol/{gallery}",
        f"enrol/{gallery}/many",
        "verify",
        "ledger",
        "ledger/2",
    )
    page = browser.new_page()
    page.goto(site.ticket())
    for place in places:
        page.goto(f"{site.url}/{place}")
        page.evaluate("for (const one of document.querySelectorAll('details.act')) one.open = true")
        for look in looks(page):
            assert objections(page, axe) == [], (place, look)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (place, look)
    page.close()
