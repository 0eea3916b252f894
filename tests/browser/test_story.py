"""The whole way over the real pages with real passkeys: invited, signed for, enrolled, found, shown, and gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_in_process import WordyQuality
from api_people import later
from browser.signing import BOX, SigningSite, portrait
from browser.test_desk_people import sign as draw
from browser.test_staff_pages import Colleague, carry_out, invite, propose
from parts_in_process import PaintedFace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

WHY = "she asked for a card at the desk"
WHY_SET = {"reason": "the gallery goes live"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningSite]:
    with pytest.MonkeyPatch.context() as environment, SigningSite(tmp_path_factory.mktemp("story")) as made:
        # What is asked for by default before anybody is kept or looked for: here somebody works.
        for name in ("MOIETY_RECORDS", "MOIETY_ASSESSMENT"):
            environment.delenv(name)
        under = {"assessment": "DPIA-2026-04", "review_at": later(made.api, 90), **WHY_SET}
        with made.owner() as owner:
            assert owner.put(f"galleries/{made.gallery.id}/deployment", json=under).status_code == 200
        yield made


def picture_of_somebody_new(site: SigningSite) -> bytes:
    """Draw a picture in which the eye sees somebody who is not enrolled."""
    sight, picture = site.api.site.sight, portrait(77)
    sight._pictures[picture] = [PaintedFace(sight.person(), BOX, WordyQuality())]
    return picture


def ask_who(one: Colleague, site: SigningSite, picture: bytes) -> Page:
    """Ask who is in a picture, for a reason."""
    page = one.page
    page.goto(f"{site.url}/identify")
    page.select_option("#gallery", site.gallery.id)
    page.fill("#reason", WHY)
    page.set_input_files("#file", {"name": "picture.png", "mimeType": "image/png", "buffer": picture})
    page.wait_for_selector("#faces .face")
    return page


def come_in(browser: Browser, site: SigningSite, link: str, name: str = "") -> Colleague:
    """Open an invitation in a browser of one's own, make a passkey, sign in."""
    made = Colleague(browser, site)
    made.join(link, name)
    made.page.on("dialog", lambda dialog: dialog.accept())
    return made


def test_from_the_invitation_to_the_last_trace(browser: Browser, site: SigningSite) -> None:
    # Ada makes the first passkey and invites Ben; Ben signs, with his, that Cy shall work here too.
    with site.owner() as owner:
        way = owner.post("operators/first").json()["path"]
    ada = come_in(browser, site, site.url + way, "Ada Osei")
    assert ada.page.inner_text("[aria-current=step] .step-words") == "Invite a second person"
    ben = come_in(browser, site, invite(ada, "Ben Ali", "registrar"))
    approval = propose(ada, "Cy Young", "officer")
    ben.page.goto(f"{site.url}/")
    assert "1 proposal waits for your signature" in ben.page.inner_text("main")
    ben.page.click(".need a[href='/approvals']")
    assert "Cy Young" in ben.sign(f"#waiting li[data-id={approval}] [data-act=sign]")
    ben.page.wait_for_selector(f"#waiting li[data-id={approval}][data-state=approved]")
    cy = come_in(browser, site, carry_out(ada, approval))

    # Ben sets what the gallery asks, takes a release, and enrols Dee.
    subject = enrol(ben, site, picture := picture_of_somebody_new(site))

    # Cy finds her, masked; her name and her number are opened one by one, for a reason.
    page = ask_who(cy, site, picture)
    assert page.inner_text(".face .name") == "D••• R•••"
    page.click(".face button")
    page.wait_for_selector(".face .name:has-text('Dee Roy')")
    page.goto(f"{site.url}/people/{site.gallery.id}/{subject}")
    assert "555-0142" not in page.content()
    page.fill("#sealed-why", WHY)
    page.click("[data-reveal=phone]")
    page.wait_for_selector("#value-phone:has-text('555-0142')")
    assert not page.locator("#withdraw").count()

    # She withdraws: a receipt is left, and nobody finds her any more.
    page = ben.page
    page.goto(f"{site.url}/people/{site.gallery.id}/{subject}")
    page.click("#withdraw-act summary")
    page.fill("#withdraw-why", "she asked to be forgotten")
    page.click("#withdraw [type=submit]")
    page.wait_for_selector("[data-receipt]")
    assert ask_who(cy, site, picture).inner_text(".face .name") == "Nobody in this gallery"
    assert cy.page.goto(f"{site.url}/people/{site.gallery.id}/{subject}").status == 404  # type: ignore[union-attr]  # a page always answers

    # Ada, who runs all this, saw none of it; the first steps are done.
    for path in (f"/people/{site.gallery.id}/{subject}", f"/people/{site.gallery.id}", "/identify"):
        assert ada.page.goto(site.url + path).status == 403  # type: ignore[union-attr]  # a page always answers
    ada.page.goto(f"{site.url}/")
    assert "From the first passkey" not in ada.page.inner_text("main")
    for one in (ada, ben, cy):
        assert [said for said in one.wrong if "status of 404" not in said] == []
        one.context.close()


def enrol(ben: Colleague, site: SigningSite, picture: bytes) -> str:
    """Set the gallery's rule, enter Dee, take her drawn release, keep her photo; gives her record's number."""
    page = ben.page
    page.goto(f"{site.url}/galleries/{site.gallery.id}")
    page.click("summary:has-text('Change the rule')")
    page.fill("#notice", "2026-11")
    page.fill("#controller", "Example Works Ltd")
    page.fill("#rule-reason", "the gallery goes live")
    page.click("button:has-text('Set the rule')")
    page.wait_for_selector("dd:has-text('Example Works Ltd')")
    page.goto(f"{site.url}/enrol/{site.gallery.id}")
    page.fill("#reference", "Dee Roy")
    page.fill("#phone", "555-0142")
    page.fill("#enter-why", WHY)
    page.click("#enter [type=submit]")
    page.wait_for_selector("#release")
    page.wait_for_load_state()
    subject = page.url.split("/")[-2]
    page.fill("#signed_by", "Dee Roy")
    page.fill("#release-why", WHY)
    page.locator("canvas.pad").scroll_into_view_if_needed()
    draw(page)
    page.click("#release [type=submit]")
    page.wait_for_selector("#photos")
    page.wait_for_load_state()
    page.fill("#photos-why", WHY)
    page.select_option("#capture", "attended")
    page.set_input_files("#file", {"name": "dee.png", "mimeType": "image/png", "buffer": picture})
    page.wait_for_selector("#results [data-state=kept]")
    return subject
