"""A page in a browser, and everything that went wrong on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import ConsoleMessage, Page, Request

    from harness import Site


@dataclass
class Watched:
    """A page, and everything that went wrong on it."""

    page: Page
    site: Site
    wrong: list[str] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)

    def watch(self) -> None:
        """Listen from the first request on."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(part in message.text for part in self.expected):
            self.wrong.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "blob" and f"{parts.scheme}://{parts.netloc}" != self.site.url:
            self.wrong.append(f"request to {request.url}")

    def ticket(self) -> str:
        """Make a way in."""
        with self.site.owner() as owner:
            return self.site.url + str(owner.post("tickets").json()["path"])

    def enter(self) -> Page:
        """Come in by a ticket, and go to where one asks who is in a picture."""
        self.page.goto(self.ticket())
        self.page.goto(f"{self.site.url}/identify")
        self.page.fill("#reason", "a test")
        return self.page

    def choose(self, path: Path) -> None:
        """Give the page a photo and wait for its answer."""
        self.page.set_input_files("#file", path)
        self.answered()

    def answered(self) -> None:
        """Wait for the answer."""
        self.page.wait_for_selector("#running", state="hidden")
        self.page.wait_for_selector("#faces .face")
