"""The console and the witness's window together: asked in one, signed in the other, answered in the first."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, FilePayload

from browser.signing import Device, SigningSite
from browser.test_console_axe import RULES, axe
from moiety.vault.policy import Needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["axe"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningSite]:
    with SigningSite(tmp_path_factory.mktemp("console")) as made:
        yield made


@pytest.fixture(scope="module")
def people(browser: Browser, site: SigningSite) -> dict[str, Device]:
    found = {name: Device() for name in ("ada", "ben")}
    page = browser.new_page()
    cards = {name: device.register(page, site.witness, name) for name, device in found.items()}
    page.close()
    site.seat(cards, asks=Needs.TWO_PERSON)
    return found


class Watching:
    """A console, and everything that went wrong in it or in the windows that it opened."""

    def __init__(self, context: BrowserContext, site: SigningSite) -> None:
        self.context, self.site = context, site
        self.wrong: list[str] = []
        self.expected = "nothing that a browser says"
        context.on("page", self._watch)
        self.page = context.new_page()
        self.page.goto(site.ticket())
        self.page.goto(f"{site.url}/identify")
        self.page.fill("#reason", "a test")

    def _watch(self, page: Page) -> None:
        page.on("console", lambda one: self.wrong.append(one.text) if one.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        ours = (self.site.url, self.site.witness, "blob:")
        page.on("request", lambda one: None if one.url.startswith(ours) else self.wrong.append(one.url))

    def ask(self) -> None:
        """Ask who is in the picture."""
        self.page.set_input_files("#file", FilePayload(name="picture", mimeType="image/png", buffer=self.site.ada))
        self.page.wait_for_selector("#sign-now:visible")

    def sign(self, button: str, device: Device, *, by_keyboard: bool = False) -> None:
        """Press a button of the console, and sign in the window that opens."""
        with self.context.expect_page() as opened:
            if by_keyboard:
                self.page.focus(button)
                self.page.keyboard.press("Enter")
            else:
                self.page.click(button)
        window = opened.value
        window.wait_for_selector("#asked:visible")
        assert window.url == f"{self.site.witness}/sign"
        device.sign(window)
        assert window.is_visible("#handed")
        with window.expect_event("close"), suppress(Error):
            window.click("#close")  # the click ends before it is confirmed


@pytest.fixture
def watching(context: BrowserContext, site: SigningSite) -> Iterator[Watching]:
    made = Watching(context, site)
    yield made
    assert [one for one in made.wrong if made.expected not in one] == []


def test_two_people_sign_in_the_window_and_the_console_shows_the_answer(
    watching: Watching, people: dict[str, Device]
) -> None:
    page = watching.page
    watching.ask()
    assert "two people" in page.inner_text("#said")
    page.wait_for_selector("#waiting .waiting")
    watching.sign("#sign-now", people["ada"])
    page.wait_for_selector("#waiting :text('One of two people has signed')")
    assert page.inner_text("#waiting button") == "Sign as second"
    watching.sign("#waiting button", people["ben"], by_keyboard=True)
    page.wait_for_selector("#faces .face")
    assert "A•••" in page.inner_text("#faces")
    page.wait_for_selector("#waits", state="hidden")
    assert not page.is_visible("#sign-now")
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]


def test_who_signs_twice_is_told_so(watching: Watching, people: dict[str, Device]) -> None:
    page, watching.expected = watching.page, "409 (Conflict)"
    watching.ask()
    for _ in range(2):
        watching.sign("#sign-now", people["ada"])
    page.wait_for_selector("#waits-said:not(:empty)")
    assert "another person must sign" in page.inner_text("#waits-said")
    assert page.is_visible("#waiting button")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_objection_to_waiting_and_signing(
    browser: Browser, site: SigningSite, people: dict[str, Device], axe: str, width: tuple[int, int], scheme: str
) -> None:
    size = {"width": width[0], "height": width[1]}
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]  # one of two literals

    def objections(page: Page) -> list[str]:
        page.evaluate(axe)
        found = page.evaluate("(tags) => axe.run({ runOnly: tags })", RULES)
        assert len(found["passes"]) > 10
        return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]

    page = context.new_page()
    for path in ("", "register", "sign"):
        page.goto(f"{site.witness}/{path}")
        assert objections(page) == [], path
    watching = Watching(context, site)
    watching.ask()
    watching.page.wait_for_selector("#waiting .waiting")
    assert objections(watching.page) == []
    with context.expect_page() as opened:
        watching.page.click("#sign-now")
    window = opened.value
    window.wait_for_selector("#asked:visible")
    assert objections(window) == []
    people["ada"].sign(window)
    assert objections(window) == []
    context.close()
