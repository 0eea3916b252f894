"""Every page: axe-core finds nothing to object to, the keyboard reaches all of it, and nothing scrolls sideways."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from browser.watched import Watched
from moiety.cli.bench.pages import console_pages, filled
from moiety.console.languages import NAMES, SOURCE
from moiety.vision.weights import folder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import httpx
    from playwright.sync_api import Browser, Page

    from harness import Site
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow
AXE = "axe-core@4.11.0"
# Room below a page, so that nothing of it lies under what sticks to the window.
SPARE = 200
# How often the tab key is pressed before somebody looks where it has been.
STRIDE = 10
SIZES = ((390, 844), (1440, 900))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe() -> str:
    """Install axe-core beside the models, once, and give its source."""
    folder = folder_of(None).parent / "test-tools"
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm to install axe-core with")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--silent", "--no-audit", "--prefix", folder, AXE], check=True, timeout=120)
    return Path(source).read_text()


def objections(page: Page, axe: str) -> list[str]:
    """Run axe-core on the page as it stands, all of it in sight: what sticks to the window's foot hides nothing."""
    size = page.viewport_size
    assert size is not None
    tall = max(size["height"], page.evaluate("document.documentElement.scrollHeight") + SPARE)
    page.set_viewport_size({"width": size["width"], "height": tall})
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(axe)
    found = page.evaluate("(tags) => axe.run({ runOnly: tags })", RULES)
    page.set_viewport_size(size)
    assert len(found["passes"]) > 10
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


def test_axe_has_no_objection_to_an_answer(watched: Watched, photos: Samples, axe: str) -> None:
    watched.page.goto(watched.site.url)
    assert objections(watched.page, axe) == []
    watched.enter()
    watched.page.wait_for_selector("[data-part=eye][data-state=up]")
    watched.choose(photos.probe)
    assert objections(watched.page, axe) == []


def something_wrong(owner: httpx.Client) -> dict[str, str]:
    """Open an incident and send a report from outside; gives what stands in their pages' addresses."""
    now = datetime.now(UTC)
    times = {name: (now - timedelta(hours=ago)).isoformat() for name, ago in (("began_at", 9), ("ended_at", 2))}
    told = {"happened": "A phone with an open session was stolen.", "lost": ["session"], "aware_at": now.isoformat()}
    incident = owner.post("incidents", json=told | times).json()["id"]
    number = owner.post("reports", json={"text": "A list opens without a sign-in."}).json()["number"]
    return {"incident": incident, "number": number}


@pytest.fixture(scope="module")
def pages(site: Site) -> list[str]:
    """Find every page by the console's own routes."""
    with site.owner() as owner:
        galleries = owner.get("galleries").json()["galleries"]
        gallery = next(one["id"] for one in galleries if one["name"] == "friends")
        subject = owner.get(f"galleries/{gallery}/subjects").json()["subjects"][0]["id"]
        known = {"gallery": gallery, "subject": subject, "seq": "1"} | something_wrong(owner)
    found = [filled(route, known) for route in console_pages()]
    assert all(found)
    return found


def looks(
    page: Page,
    sizes: Collection[tuple[int, int]] = SIZES,
    schemes: Collection[Literal["light", "dark"]] = SCHEMES,
) -> Iterator[str]:
    """Give the page each of its looks without loading it again: its widths, light and dark."""
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            yield f"{width} px, {scheme}"


@pytest.mark.parametrize("size", SIZES, ids=lambda one: str(one[0]))
def test_every_page_suits_axe_the_keyboard_and_the_width(
    browser: Browser, site: Site, pages: list[str], axe: str, size: tuple[int, int]
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = Watched(context.new_page(), site).enter()
    wrong = []
    for path in pages:
        reply = page.goto(site.url + path)
        assert reply is not None
        if reply.status == 404 or reply.status >= 500:
            wrong.append(f"{path}: {reply.status}")
        page.wait_for_load_state("load")
        # Colours do not hang on the width: the dark ones are looked at on the phone.
        for look in looks(page, [size], SCHEMES if size == SIZES[0] else SCHEMES[:1]):
            wrong += [f"{path}, {look}: {one}" for one in objections(page, axe)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{path}: scrolls sideways")
        wrong += [f"{path}: the keyboard does not reach {one}" for one in unreached(page)]
    context.close()
    assert wrong == []


@pytest.mark.parametrize("language", [one for one in NAMES if one != SOURCE])
def test_no_page_is_too_wide_for_a_phone_in_another_language(
    browser: Browser, site: Site, pages: list[str], language: str
) -> None:
    width, height = SIZES[0]
    context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
    page = Watched(context.new_page(), site).enter()
    wrong = []
    for path in pages:
        page.goto(site.url + path)
        if page.get_attribute("html", "lang") != language or page.inner_text(".skip") == "Skip to the content":
            wrong.append(f"{path}: not in the reader's language")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{path}: scrolls sideways")
    context.close()
    assert wrong == []


def unreached(page: Page) -> list[str]:
    """Walk through a page by the tab key; give what it does not come to, or what shows no focus."""
    wanted = page.evaluate(
        """() => {
          const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
          const open = [...document.querySelectorAll(all)].filter(
            (one) => one.checkVisibility() && !one.disabled && !one.closest("[inert]") && one.type !== "hidden",
          );
          open.forEach((one, index) => { one.dataset.tab = index; });
          document.activeElement.blur();
          getSelection().removeAllRanges();
          globalThis.reached = new Set();
          document.addEventListener("focusin", ({ target: at }) => {
            const place = at.type === "file" ? at.parentElement : at;
            if (getComputedStyle(place).outlineStyle !== "none") reached.add(Number(at.dataset.tab));
          });
          return open.map((one) => `${one.tagName} ${one.id || one.textContent.trim() || one.className}`);
        }"""
    )
    seen: set[int] = set()
    # A field for a date is three stops.
    for _ in range(0, 2 * len(wanted) + STRIDE, STRIDE):
        for _ in range(STRIDE):
            page.keyboard.press("Tab")
        seen = set(page.evaluate("[...reached]"))
        if len(seen) == len(wanted):
            break
    # A radio group is one stop; the browser walks inside of it by arrows.
    return [words for index, words in enumerate(wanted) if index not in seen and "radio" not in words]
