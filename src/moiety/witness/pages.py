"""The witness's pages: a few static files, read once from the package, that know their own address and the gates'.

No request changes anything, none is written down, and nothing is read from one but its path.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence
    from typing import Any

    Scope = MutableMapping[str, Any]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?")
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_PAGES: Final = {
    "/": ("index", "Signatures"),
    "/sign": ("sign", "Sign a question"),
    "/register": ("register", "Make a passkey"),
    "/release": ("release", "Do you agree?"),
}
# The page may send nothing: it gives what it made back to the window that opened it, or to a person.
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": (
        "publickey-credentials-get=(self), publickey-credentials-create=(self), clipboard-write=(self), camera=(), "
        "microphone=(), geolocation=(), display-capture=(), usb=(), payment=()"
    ),
    "cache-control": "no-cache",
    # It must be able to answer the console that opened it, so it stays in that window's group.
    "cross-origin-opener-policy": "unsafe-none",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Site:
    """Where people find the page, and the origins of the gates that may hand it questions."""

    origin: str
    gates: tuple[str, ...] = ()

    def check(self) -> None:
        """Check that these are origins: a scheme, a host and perhaps a port.

        Raises:
            BadInput: one is not; the message names the setting.

        """
        if not _ORIGIN.fullmatch(self.origin):
            raise BadInput("MOIETY_WITNESS_ORIGIN must be an origin such as https://sign.example.org.")
        if not all(_ORIGIN.fullmatch(gate) for gate in self.gates):
            raise BadInput("MOIETY_GATE_ORIGINS must be origins such as https://gate.example.org, separated by commas.")

    @property
    def rp_id(self) -> str:
        """The host, to which passkeys are bound."""
        return urlsplit(self.origin).hostname or ""


@dataclass(frozen=True, slots=True)
class _File:
    """What is answered at one path."""

    content: bytes
    kind: str


class Pages:
    """An ASGI application that serves them."""

    def __init__(self, site: Site) -> None:
        """Write the pages for `site`.

        Raises:
            BadInput: an origin is none.

        """
        site.check()
        folder = resources.files("moiety.witness").joinpath("static")
        frame = Template(folder.joinpath("frame.html").read_text())
        self._files: dict[str, _File] = {}
        for file in folder.iterdir():
            kind = _TYPES.get(file.name.rpartition(".")[2])
            if kind:
                self._files[f"/static/{file.name}"] = _File(file.read_bytes(), kind)
        for path, (name, title) in _PAGES.items():
            main = folder.joinpath(f"{name}.html").read_text()
            self._files[path] = _File(_page(frame, site, name, title, main).encode(), "text/html; charset=utf-8")

    def paths(self) -> Sequence[str]:
        """List every path that there is."""
        return sorted(self._files)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer one request by its path alone."""
        if scope["type"] != "http":
            return
        file = self._files.get(scope["path"])
        status, more = 200, []
        if scope["method"] not in {"GET", "HEAD"}:
            file, status, more = None, 405, [(b"allow", b"GET, HEAD")]
        elif file is None:
            status = 404
        content = file.content if file else b""
        kind = file.kind if file else "text/plain; charset=utf-8"
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        headers += [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode()), *more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


def _page(frame: Template, site: Site, name: str, title: str, main: str) -> str:
    """Put a page into the frame; what comes from settings is escaped."""
    script = f'<script type="module" src="/static/{name}.js"></script>' if name != "index" else ""
    return frame.substitute(
        rp=html.escape(site.rp_id),
        origin=html.escape(site.origin),
        gates=html.escape(" ".join(site.gates)),
        host=html.escape(urlsplit(site.origin).netloc),
        title=html.escape(title),
        script=script,
        main=main,
    )
