"""People who work here, in a real browser: first passkey, invitation, approval; and a cookie that was stolen."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error

from api_people import RULE
from browser.signing import Device, SigningSite, portrait
from browser.test_console_axe import axe, looks, objections
from moiety.access.device_proofs import from_text, to_text
from moiety.access.papers import Content, Fact, SignIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

    from harness import Site

__all__ = ["axe"]
pytestmark = pytest.mark.slow

SMALL: ViewportSize = {"width": 390, "height": 844}


class Colleague:
    """Somebody with a browser of their own and passkeys in it; whatever goes wrong in a window is noted."""

    def __init__(self, browser: Browser, site: SigningSite | Site) -> None:
        self.context = browser.new_context(viewport=SMALL)
        self.site = site
        self.keys = Device()
        self.wrong: list[str] = []
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._said)

    def _said(self, message: Any) -> None:
        # A browser says of each refusal that it was one; 401 and 403 are what some of these tests want.
        if message.type in {"error", "warning"} and "status of 40" not in message.text:
            self.wrong.append(message.text)

    def in_window(self, press: str, then: str) -> str:
        """Press what opens a window of the witness, use the passkey there; gives what the window showed."""
        # A page's own script listens from when it has loaded on.
        self.page.wait_for_load_state()
        with self.context.expect_page() as opened:
            self.page.click(press)
        window = opened.value
        window.wait_for_selector("#asked:visible, #for:visible")
        words = window.inner_text("main")
        with suppress(Error), self.keys.at(window):
            window.click(then)
            window.wait_for_event("close", timeout=20_000)
        return words

    def join(self, link: str, name: str = "") -> None:
        """Open an invitation, make a passkey, sign in."""
        self.page.goto(link)
        self.page.wait_for_selector("#begin:visible")
        if name:
            self.page.fill("#name", name)
        self.make("#make")
        self.page.wait_for_selector("#made:visible")
        self.sign("#enter")
        self.page.wait_for_selector("#home")

    def make(self, press: str) -> str:
        """Make a passkey in the witness's window."""
        return self.in_window(press, "#create")

    def sign(self, press: str) -> str:
        """Sign in the witness's window."""
        return self.in_window(press, "#sign")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningSite]:
    with SigningSite(tmp_path_factory.mktemp("staff")) as made:
        yield made


@pytest.fixture(scope="module")
def ada(browser: Browser, site: SigningSite) -> Iterator[Colleague]:
    """Let the first operator in."""
    with site.owner() as owner:
        way = owner.post("operators/first").json()
    made = Colleague(browser, site)
    made.join(site.url + way["path"], "Ada Osei")
    yield made
    assert made.wrong == []
    made.context.close()


@pytest.fixture(scope="module")
def ben(browser: Browser, site: SigningSite, ada: Colleague) -> Iterator[Colleague]:
    """Let Ada invite Ben; the machine's owner is the second person, since nobody else works here."""
    link = invite(ada, "Ben Ali", "officer")
    made = Colleague(browser, site)
    made.page.goto(link)
    made.page.wait_for_selector("#begin:visible")
    assert made.page.input_value("#name") == "Ben Ali"
    made.join(link)
    yield made
    assert made.wrong == []
    made.context.close()


def propose(ada: Colleague, name: str, role: str) -> str:
    ada.page.goto(f"{ada.site.url}/operators")
    ada.page.fill("#name", name)
    ada.page.check(f"#role-{role}")
    ada.page.fill("#invite-form #reason", "a new colleague")
    ada.page.click("#propose")
    ada.page.wait_for_url(f"{ada.site.url}/approvals")
    ada.page.wait_for_load_state()
    row = "#waiting li[data-state=open]"
    ada.page.wait_for_selector(row)
    return str(ada.page.get_attribute(f"{row}:has-text('{name}')", "data-id"))


def carry_out(ada: Colleague, approval: str) -> str:
    ada.page.goto(f"{ada.site.url}/approvals")
    ada.page.click(f"#waiting li[data-id={approval}] [data-act=carry-out]")
    ada.page.wait_for_selector("#result-link:not(:empty)")
    return ada.page.inner_text("#result-link")


def invite(ada: Colleague, name: str, role: str) -> str:
    approval = propose(ada, name, role)
    with ada.site.owner() as owner:
        assert owner.post(f"approvals/{approval}/confirm").status_code == 200
    return carry_out(ada, approval)


def test_the_first_passkey_lets_the_first_operator_in(ada: Colleague) -> None:
    ada.page.goto(f"{ada.site.url}/access")
    ada.page.wait_for_selector("#who:has-text('Ada Osei')")
    assert ada.page.inner_text("#roles") == "administrator"
    assert "second one" in ada.page.inner_text("#passkeys")
    ada.page.goto(f"{ada.site.url}/identify")
    assert "do not allow" in ada.page.inner_text("main")


def test_an_invitation_is_signed_by_a_colleague_on_the_witness_s_page(
    browser: Browser, site: SigningSite, ada: Colleague, ben: Colleague
) -> None:
    approval = propose(ada, "Cy Young", "guard")
    words = signs(ben, approval, "Cy Young")
    for said in ("Shall this person work here?", "Cy Young", "guard", "a new colleague", "“Ada Osei”"):
        assert said in words
    cy = Colleague(browser, site)
    cy.join(carry_out(ada, approval))
    assert cy.wrong == []
    cy.context.close()


def signs(second: Colleague, approval: str, about: str) -> str:
    """Sign what waits in the inbox, once its row says what it is about; gives what the witness's page said."""
    second.page.goto(f"{second.site.url}/approvals")
    row = f"#waiting li[data-id={approval}]"
    assert about in second.page.inner_text(row)
    words = second.sign(f"{row} [data-act=sign]")
    second.page.wait_for_selector(f"{row}[data-state=approved]")
    return words


def test_a_looser_rule_waits_in_the_inbox_for_a_second_person(
    browser: Browser, site: SigningSite, ada: Colleague, ben: Colleague
) -> None:
    with site.owner() as owner:
        assert owner.put("galleries/friends/rules", json=RULE | {"consent": False, "keep_days": 30}).status_code == 200
    approval = propose(ada, "Rae Lim", "registrar")
    signs(ben, approval, "Rae Lim")
    rae = Colleague(browser, site)
    rae.join(carry_out(ada, approval))
    page = rae.page

    def wants(days: int) -> None:
        page.goto(f"{site.url}/galleries/{site.gallery.id}")
        page.wait_for_load_state()
        page.click("summary:has-text('Change the rule')")
        page.fill("#keep_days", str(days))
        page.fill("#rule-reason", "whoever comes in winter comes back")
        page.click("button:has-text('Set the rule')")

    wants(20)
    page.wait_for_selector("dd:has-text('20 days after the last contact')")
    wants(90)
    page.wait_for_url(f"{site.url}/approvals")
    page.wait_for_selector("#done:has-text('waits here for a second person')")
    row = "#waiting li:has-text('A looser rule of a gallery')"
    words = signs(ben, str(page.get_attribute(row, "data-id")), site.gallery.name)
    for said in ("Shall this gallery keep people by this rule?", "90", "whoever comes in winter", "“Rae Lim”"):
        assert said in words
    page.reload()
    page.wait_for_load_state()
    page.click(f"{row} [data-act=show]")
    page.wait_for_selector(row, state="detached")
    page.goto(f"{site.url}/galleries/{site.gallery.id}")
    assert "90 days after the last contact" in page.inner_text("main")
    assert rae.wrong == []
    rae.context.close()


def test_an_officer_asks_who_is_in_a_picture_with_every_request_signed(site: SigningSite, ben: Colleague) -> None:
    ben.page.goto(f"{site.url}/identify")
    ben.page.fill("#reason", "somebody at the door")
    with ben.page.expect_response("**/identify") as got:
        ben.page.set_input_files("#file", {"name": "ada.png", "mimeType": "image/png", "buffer": site.ada})
    assert got.value.status == 200
    ben.page.wait_for_selector("#faces .face")


def test_a_stolen_cookie_opens_nothing_in_another_browser(browser: Browser, site: SigningSite, ada: Colleague) -> None:
    thief: BrowserContext = browser.new_context()
    thief.add_cookies(ada.context.cookies())  # type: ignore[arg-type]  # what it gives is what it takes
    for path in ("/", "/access", "/v1/operators", "/v1/approvals"):
        reply = thief.request.get(f"{site.url}{path}", headers={"accept": "text/html"})
        assert (reply.status, "Ada" in reply.text()) == (401, False)
    # With all of the console's own scripts it gets no further: they find no key in this browser.
    page = thief.new_page()
    page.goto(f"{site.url}/access", wait_until="commit")
    page.wait_for_url(f"{site.url}/sign-in")
    bare = thief.request.get(f"{site.url}/v1/session")
    assert (bare.status, bare.json()["type"]) == (401, "urn:moiety:problem:proof-missing")
    thief.close()
    assert ada.page.goto(f"{site.url}/access").status == 200  # type: ignore[union-attr]  # a page always answers


def test_a_page_that_was_loaded_without_the_worker_is_taken_over(site: SigningSite, ada: Colleague) -> None:
    """A hard reload goes past the worker: the answer is a small page that lets it take over."""
    ada.page.goto(f"{site.url}/access")
    session = ada.context.new_cdp_session(ada.page)
    session.send("Page.reload", {"ignoreCache": True})
    ada.page.wait_for_selector("#who:has-text('Ada Osei')")


def test_a_second_passkey_is_asked_for_and_added(site: SigningSite, ada: Colleague) -> None:
    first, ada.keys = ada.keys, Device()
    ada.page.goto(f"{site.url}/access")
    ada.page.wait_for_selector("#who:has-text('Ada Osei')")
    ada.make("#add")
    ada.page.wait_for_selector("#passkeys:has-text('2 passkeys')")
    ada.page.click("#leave")
    ada.page.wait_for_url(f"{site.url}/sign-in")
    ada.page.goto(f"{site.url}/access")
    ada.page.wait_for_url(f"{site.url}/access")
    assert "not signed in" in ada.page.inner_text("main").lower() or "No valid" in ada.page.inner_text("main")
    ada.page.goto(f"{site.url}/sign-in")
    words = ada.sign("#enter")
    assert site.url in words
    ada.page.wait_for_selector("#home")
    ada.keys = first


def load(page: Page, asked: dict[str, Any]) -> None:
    """Hand something to the signing page as a file."""
    content = json.dumps(asked).encode()
    page.set_input_files("#file", {"name": "asked.json", "mimeType": "application/json", "buffer": content})
    page.wait_for_selector("#asked:visible, #refused:visible")


def test_what_was_altered_or_comes_from_nowhere_is_not_signed(
    site: SigningSite, ada: Colleague, ben: Colleague
) -> None:
    approval = propose(ada, "Dee Roy", "guard")
    with site.owner() as owner:
        asked = owner.get(f"approvals/{approval}/material").json()
    raw = from_text(asked["content"])
    content = Content.decode(raw)
    page = ben.context.new_page()
    page.goto(f"{site.witness}/sign")
    page.wait_for_selector("#empty:visible")
    now = int(site.api.site.clock.now())
    for broken, words in (
        (raw[:-1], "damaged"),
        (raw + bytes(4), "damaged"),
        (replace(content, expires=now - 1).encode(), "has passed"),
        (replace(content, created=now + 900).encode(), "future"),
    ):
        load(page, asked | {"content": to_text(broken)})
        assert page.is_visible("#refused")
        assert words in page.inner_text("#why")
        page.click("#refused .another")
    paper = SignIn(site.url, "tenant", bytes(32), bytes(32), now, now + 3600)
    load(page, {"moiety": "sign-in/1", "record": to_text(paper.encode())})
    assert "opens this window" in page.inner_text("#why")
    page.click("#refused .another")
    load(page, asked)
    assert page.is_visible("#sign")
    assert "Dee Roy" in page.inner_text("#facts")
    assert (page.text_content("#digest") or "").replace(" ", "") == content.digest().hex()
    page.close()


@pytest.fixture
def signing(site: SigningSite, ben: Colleague) -> Iterator[Page]:
    """Open the witness's page for what is handed over as a file."""
    page = ben.context.new_page()
    page.goto(f"{site.witness}/sign")
    page.wait_for_selector("#empty:visible")
    yield page
    page.close()


def proposed(site: SigningSite, kind: str, **lines: str) -> dict[str, Any]:
    """Make what a colleague would be asked to sign."""
    now = int(site.api.site.clock.now())
    facts = tuple(Fact(name, value) for name, value in lines.items())
    content = Content("tenant", f"apr_{'1' * 26}", kind, "opr_1", "gal_1", facts, "why", bytes(16), now, now + 3600)
    return {"moiety": "approval/1", "content": to_text(content.encode())}


def test_the_words_follow_the_act(site: SigningSite, signing: Page) -> None:
    about = {"subject": "sub_1"}
    for act, title in (("hold", "Shall this be held?"), ("release", "Shall this hold be released?")):
        load(signing, proposed(site, "legal-hold", act=act, **about))
        assert signing.inner_text("#title") == title
    load(signing, proposed(site, "lift", switch="stop", presses="1"))
    assert signing.inner_text("#title") == "Shall what was stopped go on?"
    for asked in (proposed(site, "legal-hold", **about), proposed(site, "toString", **about)):
        load(signing, asked)
        assert "does not know" in signing.inner_text("#why")
        signing.click("#refused .another")


def see(page: Page, picture: bytes) -> None:
    page.set_input_files("#see", {"name": "picture.png", "mimeType": "image/png", "buffer": picture})


def test_whoever_signs_a_search_has_seen_the_face(site: SigningSite, signing: Page) -> None:
    """The picture of a search is shown to its second person, who cannot sign before, nor see another in its place."""
    picture = portrait(5)
    load(signing, proposed(site, "case-search", case="FIR 7", picture=hashlib.sha256(picture).hexdigest()))
    assert signing.is_disabled("#sign")
    see(signing, portrait(6))
    signing.wait_for_selector("#trouble:has-text('another picture')")
    assert (signing.is_disabled("#sign"), signing.is_visible("#picture")) == (True, False)
    see(signing, picture)
    signing.wait_for_selector("#picture:visible")
    assert (signing.is_enabled("#sign"), signing.is_visible("#frame")) == (True, False)
    load(signing, proposed(site, "case-search", case="FIR 7", picture="0" * 64))
    assert (signing.is_disabled("#sign"), signing.is_visible("#picture")) == (True, False)
    load(signing, proposed(site, "lift", switch="stop"))
    assert signing.is_enabled("#sign")


@pytest.mark.parametrize("path", ["/sign-in", "/join", "/access", "/operators", "/approvals"])
def test_the_pages_of_staff_have_no_fault_that_axe_finds(
    site: SigningSite, ada: Colleague, path: str, axe: str
) -> None:
    ada.page.goto(f"{site.url}{path}")
    ada.page.wait_for_selector("h1:visible")
    assert [f"{look}: {one}" for look in looks(ada.page) for one in objections(ada.page, axe)] == []


def test_another_site_s_link_looks_at_nobody_in_the_reader_s_name(site: SigningSite, ben: Colleague) -> None:
    """A navigation comes with the device's proof; what looks at people is never one."""

    def looks() -> int:
        return sum(one.act == "reveal" for one in site.api.site.house.desk.ledger.entries(limit=1000))

    ben.page.goto(f"{site.url}/identify")
    gallery, before = str(site.gallery.id), looks()
    for path in (f"/v1/galleries/{gallery}/people?reason=a+trick", f"/v1/galleries/{gallery}/subjects"):
        other = ben.context.new_page()
        other.goto(f"{site.witness}/")
        with other.expect_navigation() as gone:
            other.evaluate("(to) => { location.href = to }", site.url + path)
        assert gone.value is not None
        assert gone.value.status == 401
        other.close()
    assert looks() == before
    # What the console's own pages do goes on.
    assert ben.page.goto(f"{site.url}/people/{gallery}").status == 200  # type: ignore[union-attr]  # a page always answers
