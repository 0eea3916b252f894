"""An organisation's own sign-in, a real provider, in a real browser: it names the person, and the passkey signs."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.signing import SigningSite
from browser.test_console_axe import RULES, axe
from browser.test_staff_pages import Colleague
from moiety.access.provider import Organisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = ["axe"]
pytestmark = pytest.mark.slow
HOME = Path(__file__).resolve().parents[2] / ".cache" / "oidc"


@contextmanager
def provider(gate: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the real provider, at a site of its own: `localhost`, where the gate is 127.0.0.1."""
    node = shutil.which("node")
    if node is None or not (HOME / ".installed").exists():
        pytest.skip("no OpenID Connect provider: `make test` installs it with npm")
    command = [node, "provider.mjs", gate]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=HOME, text=True, **pipes) as process:  # type: ignore[call-overload] # as above
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def log_in(site: SigningSite, person: Colleague, name: str) -> str:
    """Say at the provider who one is; gives the address by which it came back."""
    page, clock = person.page, site.api.site.clock
    # The provider lives in the world's time, and refuses to be believed a minute later or earlier.
    clock.move(time.time() - clock.now())
    page.goto(f"{site.url}/sign-in")
    page.click("#organisation")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "whatever the provider asks for")
    page.click("button[type=submit]")
    with page.expect_request(lambda request: "/oidc/back?" in request.url) as came:
        page.click("button[type=submit]")
    page.wait_for_selector("#known")
    # Buttons work once the page's scripts have run.
    page.wait_for_load_state()
    return came.value.url


def test_the_organisation_names_people_and_the_passkey_signs(browser: Browser, tmp_path: Path, axe: str) -> None:
    site = SigningSite(tmp_path)
    with provider(site.url) as (issuer, process):
        site.organisation = Organisation(issuer, "moiety", "a secret of the tests")
        with site:
            ada = Colleague(browser, site)
            with site.owner() as owner:
                ada.page.goto(site.url + owner.post("operators/first").json()["path"])
            ada.page.wait_for_selector("#begin:visible")
            ada.page.fill("#name", "Ada Osei")
            ada.make("#make")
            ada.page.click("#enter")
            ada.page.wait_for_selector("#organisation")
            ada.page.evaluate(axe)
            found = ada.page.evaluate("(tags) => axe.run({ runOnly: tags })", RULES)
            assert [one["id"] for one in found["violations"]] == []
            answered = log_in(site, ada, "ada")
            ada.sign("#enter")
            ada.page.wait_for_selector("#leave")

            # The same answer again, and in another's browser: nobody is named by it.
            thief = Colleague(browser, site)
            for page in (ada.page, thief.page):
                reply = page.goto(answered)
                assert reply is not None
                assert reply.status == 401
            # With her passkey under another name, nobody comes in.
            log_in(site, thief, "mallory")
            thief.keys = ada.keys
            thief.sign("#enter")
            thief.page.wait_for_selector("#trouble:has-text('somebody else')")

            # Out here, and out there.
            ada.page.goto(f"{site.url}/access")
            ada.page.click("#leave")
            ada.page.wait_for_url(f"{site.url}/sign-in")
            ada.page.click("#leave-organisation")
            ada.page.click("button[value=yes]")
            ada.page.wait_for_url(f"{site.url}/sign-in**")

            process.kill()
            process.wait()
            site.api.app.state.gate.staff.identified._provider._found = None
            ada.page.click("#organisation")
            ada.page.wait_for_selector("#trouble:has-text('does not answer')")
            # The provider's own page wants a font from elsewhere, which nothing here can reach.
            assert [said for said in ada.wrong if "Failed to load resource" not in said] == []
            ada.context.close()
            thief.context.close()
