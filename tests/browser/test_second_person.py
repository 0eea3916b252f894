"""Acts of two people over the real pages: proposed where they are wanted, signed for, and done from the inbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.signing import SigningSite
from browser.test_staff_pages import ada, ben
from browser.test_story import WHY, picture_of_somebody_new

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser.test_staff_pages import Colleague

__all__ = ["ada", "ben"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningSite]:
    with SigningSite(tmp_path_factory.mktemp("second")) as made:
        yield made


def confirmed(one: Colleague, kind: str) -> str:
    """Let the machine's owner be the second person for what somebody has just proposed; gives the inbox's row."""
    page = one.page
    page.wait_for_url(f"{one.site.url}/approvals")
    page.wait_for_load_state()
    row = f"#waiting li[data-state=open]:has-text('{kind}')"
    approval = page.get_attribute(row, "data-id")
    with one.site.owner() as owner:
        assert owner.post(f"approvals/{approval}/confirm").status_code == 200
    page.reload()
    page.wait_for_load_state()
    return f"#waiting li[data-id={approval}][data-state=approved]"


def ask(one: Colleague, site: SigningSite, picture: bytes, case: str) -> None:
    page = one.page
    page.goto(f"{site.url}/identify")
    page.wait_for_load_state()
    page.select_option("#gallery", site.gallery.id)
    page.fill("#reason", WHY)
    page.fill("#case", case)
    page.set_input_files("#file", {"name": "picture.png", "mimeType": "image/png", "buffer": picture})


def test_uses_searches_and_exports_go_through_a_second_person(
    site: SigningSite, ada: Colleague, ben: Colleague
) -> None:
    # Ada proposes that two people stand behind each search of this gallery, and carries it out.
    page = ada.page
    page.goto(f"{site.url}/galleries/{site.gallery.id}")
    page.click("summary:has-text('Propose another use')")
    page.fill("#use-assessment", "DPIA-7")
    page.fill("#use-review", page.get_attribute("#use-review", "max") or "")
    page.select_option("#use-two", "yes")
    page.fill("#use-reason", WHY)
    page.click("form:has(#use-two) button")
    row = confirmed(ada, "What a gallery is used under")
    page.click(f"{row} [data-act=show]")
    page.wait_for_selector(row, state="detached")
    page.goto(f"{site.url}/galleries/{site.gallery.id}")
    assert "two people stand behind each" in page.inner_text("main")

    # Ben's search has to name its case, is proposed with the picture's hash, and answered once that is signed.
    page, picture = ben.page, picture_of_somebody_new(site)
    ask(ben, site, picture, "")
    page.wait_for_selector("#said:has-text('need to know the case')")
    ask(ben, site, picture, "FIR 12/2026")
    page.wait_for_selector("#said:has-text('It is proposed now')")
    page.click("#again")
    page.wait_for_selector("#said:has-text('waits for a colleague')")
    page.goto(f"{site.url}/approvals")
    confirmed(ben, "A search in a case")
    ask(ben, site, picture, "FIR 12/2026")
    page.wait_for_selector("#faces .face")
    ask(ben, site, picture, "FIR 12/2026")
    page.wait_for_selector("#said:has-text('It is proposed now')")  # an approval is used up

    # An export of many people is fetched once.
    page.goto(f"{site.url}/people/{site.gallery.id}")
    page.wait_for_load_state()
    page.click("summary:has-text('export of many people')")
    page.fill("#export-why", WHY)
    page.click("form:has(#export-why) [type=submit]")
    row = confirmed(ben, "An export of many people")
    with page.expect_download() as begun:
        page.click(f"{row} [data-act=fetch]")
    table = Path(begun.value.path()).read_text()
    assert "•••" in table
    assert len(table.splitlines()) > 1
    page.wait_for_selector(row, state="detached")
