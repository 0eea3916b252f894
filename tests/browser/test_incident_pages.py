"""When something goes wrong, over the real pages: a stranger's report, a breach up to its notice, stop, and kill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.signing import SigningSite
from browser.test_desk_people import proved
from browser.test_second_person import confirmed
from browser.test_staff_pages import ada
from moiety.incidents.breaches import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Dialog, Page

    from browser.test_staff_pages import Colleague

__all__ = ["ada"]
pytestmark = pytest.mark.slow

FOUND = "The list of people opens without a sign-in: /x?all=1"
ANSWER = "Thank you. It is closed since this morning."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningSite]:
    with SigningSite(tmp_path_factory.mktemp("incidents")) as made:
        yield made


def fact(page: Page, of: str) -> str:
    """Read what stands beside a word in a list of facts."""
    return page.inner_text(f"dl.facts dt:text-is('{of}') + dd")


def sure(page: Page, words: str, *, yes: bool) -> None:
    """Answer the next question of a button, which has to be this one."""

    def answer(dialog: Dialog) -> None:
        assert words in dialog.message
        dialog.accept() if yes else dialog.dismiss()

    page.once("dialog", answer)


def test_a_stranger_reports_a_hole_and_fetches_the_answer(browser: Browser, site: SigningSite, ada: Colleague) -> None:
    stranger = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = stranger.new_page()
    page.goto(f"{site.url}/report-a-hole")
    page.fill("#text", FOUND)
    page.fill("#contact", "finder@example.org")
    page.click("button:text-is('Send')")
    number, secret = fact(page, "Number"), fact(page, "Secret")

    # It stands on the home of who may answer it, and is opened and answered there.
    ada.page.goto(site.url)
    assert ada.page.locator(".need:has-text('report from outside waits for an answer')").count() == 1
    ada.page.click(".need a[href='/reports']")
    ada.page.click(f"a[href='/reports/{number}']")
    assert FOUND in ada.page.inner_text("main")
    assert fact(ada.page, "How to reach the sender") == "finder@example.org"
    ada.page.fill("#text", ANSWER)
    # Whoever is quicker than the page's script is waited for, and nothing of it gets into the address.
    ada.page.click("button:text-is('Answer')")
    ada.page.wait_for_url(f"{site.url}/reports")
    assert "answered" in ada.page.inner_text(f"tr:has(a[href='/reports/{number}'])")

    page.goto(f"{site.url}/report-a-hole")
    page.fill("#number", number)
    page.fill("#secret", secret)
    page.click("button:text-is('Ask')")
    assert ANSWER in page.inner_text("main")
    stranger.close()


def test_a_breach_goes_through_its_steps_to_the_draft_of_a_notice(site: SigningSite, ada: Colleague) -> None:
    page, day = ada.page, site.day
    page.goto(f"{site.url}/incidents")
    page.wait_for_load_state()
    page.fill("#aware_at", f"{day(-1)}T13:00")
    page.fill("#happened", "A phone with an open session was stolen.")
    page.fill("#began_at", f"{day(-2)}T12:00")
    page.fill("#ended_at", f"{day(-1)}T12:00")
    for lost in ("gate", "vault-b"):
        page.check(f"#lost-{lost}")
    page.fill("#controller", "Example Works Ltd")
    page.click("button:text-is('Open the incident')")
    page.click("main table a[href^='/incidents/inc_']")
    page.wait_for_load_state()
    assert "left of 72" in page.inner_text(".standing")
    assert (fact(page, "People"), fact(page, "Risk for people")) == ("1", "high: tell them")
    notice = page.get_attribute("a[href$='/notices/authority']", "href")
    page.click("button:text-is('Close it')")  # neither a note nor its steps
    page.fill("#note", "The phone was locked from afar.")
    sure(page, "Close this incident?", yes=True)
    page.click("button:text-is('Close it')")
    page.wait_for_selector("form:has(#note) [role=alert]:not(:empty)")
    first, *others = page.locator("form[data-send*='/steps/']").all()
    steps = [str(one.get_attribute("data-send")).rpartition("/")[2] for one in others]
    with page.expect_navigation():
        first.locator("button").click()
    assert page.locator("form[data-send*='/steps/']").count() == len(steps) == len(STEPS) - 1
    with site.owner() as owner:
        for step in steps:
            assert owner.post(f"incidents/{page.url.rpartition('/')[2]}/steps/{step}").status_code == 200
    shown = page.goto(f"{site.url}{notice}")
    assert shown is not None
    draft = shown.text()
    for words in ("supervisory authority", "DRAFT", "A phone with an open session was stolen.", "Example Works Ltd"):
        assert words in draft
    page.go_back()
    page.wait_for_load_state()
    page.fill("#note", "The phone was locked from afar.")
    sure(page, "Close this incident?", yes=True)
    page.click("button:text-is('Close it')")
    page.wait_for_selector(".standing:has-text('closed')")
    assert page.locator("form").count() == 0


def test_one_person_stops_matching_after_a_question_and_two_let_go(site: SigningSite, ada: Colleague) -> None:
    page = ada.page
    page.goto(f"{site.url}/emergency")
    page.wait_for_load_state()
    page.fill("#stop-reason", "a wrong gallery")
    sure(page, "Stop all matching now?", yes=False)
    page.click("button:text-is('Stop matching now')")
    assert page.locator("button:text-is('Stop matching now')").is_enabled()
    with site.owner() as owner:
        assert owner.get("emergencies").json()["stop"] is None
    sure(page, "Stop all matching now?", yes=True)
    page.click("button:text-is('Stop matching now')")
    page.wait_for_selector("section:has(#stop) .status.bad:has-text('pressed')")
    assert "matching stopped" in fact(page, "vault A")
    proved(page, "#done")
    page.click("section:has(> #stop) a.proven")
    page.wait_for_selector("h1:has-text('of the ledger')")
    assert fact(page, "Act") == "stop-press"
    page.goto(site.url)
    page.click(".need.bad:has-text('Matching is stopped') a")
    page.wait_for_url(f"{site.url}/emergency")
    page.wait_for_load_state()
    page.fill("#stop-lift", "the gallery is put right")
    page.click("button:text-is('Propose to let go')")
    row = confirmed(ada, "What was stopped shall go on")
    page.click(f"{row} [data-act=carry-out]")
    page.wait_for_selector("#result-words:has-text('Done.')")
    proved(page, "#result-proof")
    page.goto(f"{site.url}/emergency")
    assert "not pressed" in page.inner_text("section:has(> #stop)")
    assert "The gate has let go, a vault has not." in page.inner_text("main")


def test_the_kill_switch_ends_ones_own_session_too(site: SigningSite, ada: Colleague) -> None:
    page = ada.page
    page.goto(f"{site.url}/emergency")
    page.wait_for_load_state()
    page.fill("#kill-reason", "a stolen laptop")
    sure(page, "yours too?", yes=True)
    with page.expect_navigation():
        page.click("button:text-is('Revoke everything now')")
    assert page.request.get(f"{site.url}/v1/session").status == 401
    page.goto(site.url)
    page.wait_for_selector("#enter")
    with site.owner() as owner:
        assert owner.get("emergencies").json()["kill"]
