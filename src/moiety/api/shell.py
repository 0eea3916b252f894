"""What is around every answer: host check, security headers, the access log, and the last resort."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any, Final

from moiety.api.problems import of_status
from moiety.watch import declare, kind_of, places, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("moiety.api")
access_log = logging.getLogger("moiety.api.access")

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "OTHER"
_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:@/\[\]]+))(?::[0-9]{0,5})?")
NOWHERE: Final = "-"
declare("method", {*_METHODS, _OTHER})
declare("route", {NOWHERE})

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types moiety"
)
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=(), usb=(), payment=()",
    "cache-control": "no-store",
    # The signing page of the witness, which the console opens, must be able to answer it.
    "cross-origin-opener-policy": "same-origin-allow-popups",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
_RAW: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Shell:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], seen: Callable[[str, str, int, float], None]) -> None:
        """Put it around `app`, which answers to `hosts` only (lower case, no port).

        `seen` is told the method, the route's template, status and seconds of each request.
        """
        self._app = app
        self._hosts = hosts
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = [pair for pair in message.get("headers", ()) if pair[0].lower().decode() not in HEADERS]
                message["headers"] = [*ours, *_RAW]
            await send(message)

        try:
            with span("http") as mark:
                try:
                    if _host(scope) in self._hosts:
                        await self._app(scope, receive, sending)
                    else:
                        await of_status(421).response()(scope, receive, sending)
                finally:
                    mark.put(method=method_of(scope), route=route_of(scope), status=status)
        except Exception as error:  # noqa: BLE001 - the last resort: it must not reach the server's log with its text
            _note(error)
            if not status:
                await of_status(500).response()(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - began
            self._seen(method_of(scope), route_of(scope), status, seconds)
            _log(scope, status, seconds)


def _host(scope: Scope) -> str:
    """Read the host name that was asked for, without its port and brackets; empty unless there is exactly one."""
    found = [value for name, value in scope["headers"] if name == b"host"]
    if len(found) != 1:
        return ""
    # Nothing beside name and port: `localhost:80@evil.example` is another host to whoever reads it as an address.
    match = _HOST.fullmatch(str(found[0], "latin-1").lower())
    return (match[1] or match[2]) if match else ""


def _note(error: Exception) -> None:
    """Log where an unforeseen error arose; its text may hold what was sent, so it is left out."""
    log.error("unforeseen %(error)s at %(at)s", {"error": kind_of(error), "at": places(error)})


def _log(scope: Scope, status: int, seconds: float) -> None:
    """Write method, route template, status, milliseconds and key id; nothing that the caller chose."""
    visit: Any = scope.get("state", {}).get("visit")
    visitor = visit.visitor if visit is not None else None
    about = {
        "method": method_of(scope),
        "route": route_of(scope),
        "status": status,
        "ms": seconds * 1000,
        "caller": visitor.caller.key_id if visitor is not None else "-",
    }
    access_log.info("%(method)s %(route)s %(status)d %(ms).1f ms %(caller)s", about)


def method_of(scope: Scope) -> str:
    """Give the method if it is one of HTTP's own."""
    return scope["method"] if scope["method"] in _METHODS else _OTHER


def route_of(scope: Scope) -> str:
    """Give the template of the route that answered."""
    route: Any = scope.get("route")
    return str(route.path) if route is not None else NOWHERE
