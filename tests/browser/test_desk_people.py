"""A person's way through the console in a real browser: entered, released, photographed, found, shown, gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api_people import RULE
from browser.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from harness import Site
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

WHY = "a test of the desk"


@pytest.fixture(scope="module")
def galleries(site: Site) -> dict[str, str]:
    """Open a gallery that asks for consent, and one that does not."""
    found = {}
    with site.owner() as owner:
        for name in "staff", "guests":
            made = owner.post("galleries", json={"name": name, "purpose": f"the {name} of the works"})
            found[name] = str(made.json()["id"])
        assert owner.put("galleries/staff/rules", json=RULE).status_code == 200
    return found


@pytest.fixture
def watched(browser: Browser, site: Site) -> Iterator[Watched]:
    """Open a phone's page; afterwards nothing may have gone wrong on it."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    made = Watched(context.new_page(), site)
    made.watch()
    made.page.goto(made.ticket())
    made.page.on("dialog", lambda dialog: dialog.accept())
    yield made
    assert made.wrong == []
    context.close()


def sign(page: Page) -> None:
    """Draw a signature."""
    box: Any = page.locator("canvas.pad").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 40)
    page.mouse.down()
    for step in range(12):
        page.mouse.move(box["x"] + 20 + 15 * step, box["y"] + 40 + (step * 17) % 50)
    page.mouse.up()


def proved(page: Page, place: str) -> None:
    """See that an act names its entry, and where the entry is proved."""
    link = page.wait_for_selector(f"{place} .entries a")
    assert link is not None
    assert str(link.get_attribute("href")).startswith("/proof/")
    page.wait_for_selector(f"{place} .hint:has-text('entries')")


def enter(page: Page, url: str, reference: str) -> None:
    page.goto(url)
    page.fill("#reference", reference)
    page.fill("#phone", "555-0142")
    page.fill("#enter-why", WHY)
    page.click("#enter [type=submit]")


def ask_who(watched: Watched, site: Site, gallery: str, photos: Samples) -> str:
    """Ask who is in the sample photo; gives what stands under the face."""
    page = watched.page
    page.goto(f"{site.url}/identify")
    page.select_option("#gallery", gallery)
    page.fill("#reason", WHY)
    watched.choose(photos.probe)
    return page.inner_text(".face .name")


def released(page: Page, url: str) -> str:
    """Enter Ada King and have her sign, which photos wait for; gives the subject's id."""
    enter(page, url, "Ada King")
    page.wait_for_selector("#release")
    assert page.is_disabled("#release [type=submit]")
    subject = page.url.split("/")[-2]
    proved(page, "#done")

    page.fill("#signed_by", "Ada King")
    page.fill("#release-why", WHY)
    sign(page)
    page.click("#release [type=submit]")
    page.wait_for_selector("#photos")
    return subject


def test_req_01_a_release_comes_before_the_face_and_withdrawing_leaves_a_receipt(
    watched: Watched, site: Site, galleries: dict[str, str], photos: Samples
) -> None:
    page, gallery = watched.page, galleries["staff"]
    subject = released(page, f"{site.url}/enrol/{gallery}")

    # The camera films the sample photo; the server's own check of quality says that it will do.
    page.fill("#photos-why", WHY)
    page.click("#camera")
    page.wait_for_selector("#guide[data-good=true]:has-text('Take the picture')")
    page.click("#shoot")
    page.wait_for_selector("#results [data-state=kept]")

    assert ask_who(watched, site, gallery, photos) == "A••• K•••"
    proved(page, "#proof")
    page.click(".face button")
    page.wait_for_selector(".face .name:has-text('Ada King')")
    page.click(".face .candidate a")

    page.wait_for_url(f"**/people/{gallery}/{subject}")
    assert "555-0142" not in page.content()
    page.fill("#sealed-why", WHY)
    page.click("[data-reveal=phone]")
    page.wait_for_selector("#value-phone:has-text('555-0142')")
    assert page.inner_text("#value-name, #value-reference") == "•••"
    page.click("#withdraw-act summary")
    page.fill("#withdraw-why", "they asked to be forgotten")
    page.click("#withdraw [type=submit]")

    page.wait_for_selector("[data-receipt]")
    assert page.url.endswith(f"/people/{gallery}/receipts/{subject}")
    assert "Ada" not in page.inner_text("main")
    with page.expect_download() as saved:
        page.click("[data-receipt]")
    assert subject in saved.value.path().read_text()
    assert ask_who(watched, site, gallery, photos) == "Nobody in this gallery"


def test_req_06_a_photo_that_was_sent_waits_for_the_picture_that_is_taken_here(
    watched: Watched, site: Site, photos: Samples
) -> None:
    page = watched.page
    with site.owner() as owner:
        gallery = owner.post("galleries", json={"name": "visitors", "purpose": "visits of the works"}).json()["id"]
        entered = owner.post(f"galleries/{gallery}/people", json={"reference": "Cy Young", "reason": WHY}).json()
    person = f"{site.url}/people/{gallery}/{entered['subject_id']}"
    page.goto(f"{person}/photos")
    page.fill("#photos-why", WHY)
    page.set_input_files("#file", photos.enrol[photos.probe_shows][0])
    page.wait_for_selector("[data-outcome]:has-text('how the photos were taken')")
    page.select_option("#capture", "sent")
    page.set_input_files("#file", photos.enrol[photos.probe_shows][0])
    page.wait_for_selector("#guide:has-text('Now take a picture of the person')")
    assert page.locator("#results li").count() == 0, "nothing is sent yet"
    page.click("#camera")
    page.wait_for_selector("#guide[data-good=true]")
    page.click("#shoot")
    page.wait_for_selector("#results [data-state=kept]")
    page.goto(person)
    page.wait_for_selector("text=sent to us")


def test_many_photos_are_dropped_and_a_bad_one_is_refused_in_words(
    watched: Watched, site: Site, galleries: dict[str, str], photos: Samples
) -> None:
    page = watched.page
    watched.expected.add("415")
    page.goto(f"{site.url}/enrol/{galleries['guests']}/many")
    pictures = [
        (f"{person}_{number}.jpg", path) for person, paths in photos.enrol.items() for number, path in enumerate(paths)
    ]
    files: list[Any] = [
        {"name": name, "mimeType": "image/jpeg", "buffer": path.read_bytes()} for name, path in pictures[:3]
    ]
    page.set_input_files("#files", files)
    page.wait_for_selector("#many [data-outcome]:has-text('reason')")
    page.fill("#many-why", WHY)
    page.set_input_files("#files", files)
    page.wait_for_selector("#many [data-outcome]:has-text('how the photos were taken')")
    page.select_option("#capture", "sent")
    page.set_input_files("#files", files)
    page.wait_for_selector("#many [data-outcome]:has-text('one person at a time')")
    page.select_option("#capture", "attended")
    page.set_input_files("#files", [*files, {"name": "Nobody.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}])
    page.wait_for_selector("#progress-words:has-text('4 of 4')")
    assert page.locator("#results [data-state=kept]").count() == 3
    assert "not a picture" in page.inner_text("#results [data-state=refused] .said")
    assert page.get_attribute("#progress", "value") == "4"

    page.goto(f"{site.url}/people/{galleries['guests']}")
    rows = page.locator("[data-of]").count()
    assert set(page.locator("[data-of]").all_inner_texts()) == {"•••"}
    page.fill("#masks-why", WHY)
    page.click("#masks [type=submit]")
    page.wait_for_selector("[data-of]:text-matches('[A-Za-z]•••')")
    assert all("•••" in one and one != "•••" for one in page.locator("[data-of]").all_inner_texts())
    page.fill("#reference", next(iter(photos.enrol)))
    page.fill("#find-why", WHY)
    page.click("#find [type=submit]")
    page.wait_for_url(f"**/people/{galleries['guests']}/sub_*")
    assert rows == len({name.rsplit("_", 1)[0] for name, _ in pictures[:3]})


def test_a_card_says_who_it_should_be_and_a_face_whether_it_is(watched: Watched, site: Site, photos: Samples) -> None:
    page = watched.page
    page.goto(f"{site.url}/verify")
    page.select_option("#gallery", label="friends: trying the console")
    page.fill("#reason", WHY)
    page.click("#ask")
    page.wait_for_selector("[data-outcome]:has-text('photo first')")
    page.set_input_files("#file", photos.probe)
    page.fill("#reference", "somebody else")
    page.click("#ask")
    page.wait_for_selector("[data-outcome]:has-text('No card')")
    page.fill("#reference", photos.probe_shows)
    page.click("#ask")
    page.wait_for_selector("#verdict[data-same=true]")
    assert page.inner_text("#verdict") == "It is them."
    proved(page, "#proof")
    page.click("#proof .entries a")
    page.wait_for_selector("[data-proof]")
    assert "verify" in page.inner_text("main")
