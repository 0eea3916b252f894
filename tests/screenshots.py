"""Pictures of every page, found by the console's own routes: 390 and 1440 px wide, light and dark.

python tests/screenshots.py FOLDER        runs an installation with a few people, and takes them all
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from api_people import RULE
from browser.test_console_axe import something_wrong
from browser.test_staff_pages import Colleague, invite, propose
from harness import Site, samples
from moiety.cli.bench.pages import console_pages, filled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Browser, Page

    from moiety.cli.samples import Samples

SIZES = {"phone": (390, 844), "desk": (1440, 900)}
WITNESS = ("", "sign", "register", "release")
SCHEMES = ("light", "dark")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
WHY = {"reason": "a picture"}


def fill(site: Site, photos: Samples) -> dict[str, str]:
    """Enrol the samples' people and ask for one of them; gives what stands in the pages' addresses."""
    with site.owner() as owner:
        for name, purpose in (("staff", "doors of the east building"), ("visitors", "the front desk, for a day")):
            new = {"name": name, "purpose": purpose, "retention_days": 20}
            assert owner.post("galleries", json=new).status_code == 201
        for person, paths in photos.enrol.items():
            for path in paths:
                files = {"image": ("picture", path.read_bytes())}
                form = WHY | {"reference": person, "fields": '{"phone": "555-0142"}'}
                assert owner.post("galleries/staff/subjects", data=form, files=files).status_code == 201
        assert owner.put("galleries/staff/rules", json=RULE | {"keep_days": 30} | WHY).status_code == 200
        files = {"image": ("picture", photos.probe.read_bytes())}
        assert owner.post("galleries/staff/identify", data=WHY, files=files).status_code == 200
        (gallery,) = [one["id"] for one in owner.get("galleries").json()["galleries"] if one["name"] == "staff"]
        subject = owner.get("galleries/staff/subjects").json()["subjects"][0]["id"]
        return {"gallery": gallery, "subject": subject, "seq": "5"} | something_wrong(owner)


def name_of(route: str) -> str:
    """Make a file's name of a route."""
    return "-".join(step.strip("{}") for step in route.split("/") if step) or "home"


def take(page: Page, url: str, to: Path) -> None:
    """Take a whole page once it is quiet."""
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=to, full_page=True)


def everywhere(browser: Browser, cookies: Iterable[Any], shots: dict[str, str], folder: Path) -> None:
    """Take all of `shots`, addresses by names, in each size and scheme."""
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]  # one of two literals
            context.add_cookies(list(cookies))
            page = context.new_page()
            for name, url in shots.items():
                take(page, url, folder / f"{name}-{size}-{width}-{scheme}.png")
            context.close()


def owners(browser: Browser, site: Site, known: dict[str, str], folder: Path) -> int:
    """Take every page as the owner of the machine sees it, and those that strangers see."""
    routes = {route: filled(route, known) for route in console_pages()}
    shots = {name_of(route): site.url + path for route, path in routes.items()}
    context = browser.new_context()
    everywhere(browser, (), {"door": site.url, "sign-in": f"{site.url}/sign-in", "join": f"{site.url}/join"}, folder)
    with site.owner() as owner:
        context.new_page().goto(site.url + owner.post("tickets").json()["path"])
    everywhere(browser, context.cookies(), shots, folder)
    context.close()
    return len(shots)


def operators(browser: Browser, site: Site, folder: Path) -> None:
    """Take the pages that people with passkeys see, once some work here."""
    with site.owner() as owner:
        way = owner.post("operators/first").json()["path"]
    ada = Colleague(browser, site)
    ada.join(site.url + way, "Ada Osei")
    invite(ada, "Ben Ali", "registrar")
    approval = propose(ada, "Cy Young", "officer")
    with site.owner() as owner:
        signing = owner.get(f"approvals/{approval}/material").json()
        witness = owner.get(f"approvals/{approval}").json()["sign_at"].removesuffix("/sign")
    everywhere(browser, (), {f"witness-{name or 'home'}": f"{witness}/{name}" for name in WITNESS}, folder)
    to_sign(browser, f"{witness}/sign", signing, folder)
    for size, (width, height) in SIZES.items():
        ada.page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            ada.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of two literals
            for name in ("", "access", "operators", "approvals", "identify"):
                to = folder / f"operator-{name or 'home'}-{size}-{width}-{scheme}.png"
                take(ada.page, f"{site.url}/{name}", to)
    ada.context.close()


def to_sign(browser: Browser, url: str, asked: dict[str, Any], folder: Path) -> None:
    """Take the witness's page with something on it that is to be signed."""
    content = {"name": "asked.json", "mimeType": "application/json", "buffer": json.dumps(asked).encode()}
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]  # one of two literals
            page.goto(url)
            page.set_input_files("#file", content)  # type: ignore[arg-type]  # what the type names FilePayload
            page.wait_for_selector("#asked:visible")
            page.screenshot(path=folder / f"witness-asked-{size}-{width}-{scheme}.png", full_page=True)
            page.close()


def main(folder: Path) -> None:
    """Take all pictures."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        sys.exit("no Chromium: install it or set CHROMIUM")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="moiety-pictures-") as scratch, Site(Path(scratch) / "data") as site:
        known = fill(site, samples())
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
            taken = owners(browser, site, known, folder)
            operators(browser, site, folder)
            browser.close()
    sys.stdout.write(f"{taken} pages, {len(list(folder.glob('*.png')))} pictures in {folder}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
