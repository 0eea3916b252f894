"""A running installation with people in it, and a browser that reports whatever a page should not do."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from browser.watched import Watched
from harness import Site, samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.cli.samples import Samples

# A subject whose name would run as a script if the page ever took it for markup.
MARKUP = '<img src=x onerror="document.title=`broken`">'
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
WIDTHS = {"phone": (390, 844), "desk": (1440, 900)}


@pytest.fixture(scope="session")
def photos() -> Samples:
    """Give the free photos."""
    return samples()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, photos: Samples) -> Iterator[Site]:
    """Run an installation in which the samples' people are enrolled, one under a name that looks like markup."""
    with Site(tmp_path_factory.mktemp("browser") / "data") as made:
        made.cli("gallery", "create", "friends", "--purpose", "trying the console")
        made.cli("gallery", "create", "strangers", "--purpose", "a gallery with nobody in it")
        with made.owner() as owner:
            for person, paths in photos.enrol.items():
                name = person if person == photos.probe_shows else MARKUP
                for path in paths:
                    form = {"reference": f"{name} {person}" if name == MARKUP else name, "reason": "a test"}
                    files = {"image": ("picture", path.read_bytes())}
                    reply = owner.post("galleries/friends/subjects", data=form, files=files)
                    assert reply.status_code == 201, reply.text
        yield made


# For a module at a time: while it is open, an event loop runs in which no asynchronous test could begin.
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, photos: Samples) -> Iterator[Browser]:
    """Start Chromium with a camera that films the probe."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium: install it or set CHROMIUM")
    film = tmp_path_factory.mktemp("camera") / "probe.mjpeg"
    film.write_bytes(photos.probe.read_bytes())
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=flags)
        yield made
        made.close()


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Give the size of a phone, then of a desk."""
    return WIDTHS[str(request.param)]


@pytest.fixture
def context(browser: Browser, width: tuple[int, int]) -> Iterator[BrowserContext]:
    """Open a fresh profile."""
    made = browser.new_context(viewport={"width": width[0], "height": width[1]})
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext, site: Site) -> Iterator[Watched]:
    """Open a page; afterwards nothing may have gone wrong on it."""
    made = Watched(context.new_page(), site)
    made.watch()
    yield made
    assert made.wrong == []
