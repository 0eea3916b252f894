"""axe-core finds nothing to object to, light and dark, before and after an answer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.watched import Watched
from moiety.vision.weights import folder_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from harness import Site
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow
AXE = "axe-core@4.11.0"
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


def objections(watched: Watched, axe: str) -> list[str]:
    """Run axe-core on the page as it stands."""
    watched.page.evaluate(axe)
    found = watched.page.evaluate("(tags) => axe.run({ runOnly: tags })", RULES)
    assert len(found["passes"]) > 10
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_objection(
    browser: Browser, site: Site, photos: Samples, axe: str, width: tuple[int, int], scheme: str
) -> None:
    size = {"width": width[0], "height": width[1]}
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]  # one of two literals
    watched = Watched(context.new_page(), site)
    watched.page.goto(site.url)
    assert objections(watched, axe) == []
    watched.enter()
    watched.page.wait_for_selector("[data-part=eye][data-state=up]")
    assert objections(watched, axe) == []
    watched.choose(photos.probe)
    assert objections(watched, axe) == []
    context.close()
