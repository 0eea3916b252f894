"""What a stranger on the network sees of an installation: ports, routes, headers, TLS, files that should not be there.

It uses no key and no knowledge of the inside but the list of routes that ask who is there. No password is tried; each
address is asked for once.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from moiety.foundation.errors import BadInput, PartDown
from moiety.incidents.findings import Finding
from moiety.incidents.outside_tls import SECONDS, look_at_tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

PORT_SECONDS: Final = 1.0
HSTS_SECONDS: Final = 180 * 86_400
AT_ONCE: Final = 32
# Addresses are asked a few at a time: far away most of the time is the way there and back.
ASKED_AT_ONCE: Final = 8
# What says that a route asked who is there.
CLOSED: Final = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})
WAITS_MAX: Final = 12
WAIT_SECONDS_MAX: Final = 30.0
# What installations like ours, and the systems that leaked, have had open to the world.
PORTS: Final = {
    21: "FTP",
    22: "SSH",
    23: "telnet",
    25: "mail",
    445: "Windows shares",
    554: "camera streams (RTSP)",
    1433: "SQL Server",
    1883: "MQTT without TLS",
    2375: "Docker",
    3306: "MySQL",
    3389: "remote desktop",
    5432: "PostgreSQL",
    5601: "Kibana",
    5900: "VNC",
    6379: "Redis",
    8086: "InfluxDB",
    8554: "camera streams (RTSP)",
    9000: "object store",
    9090: "Prometheus",
    9200: "Elasticsearch",
    11211: "memcached",
    15672: "message broker",
    27017: "MongoDB",
}
# Doors for people who look after the machine; whoever runs it says whether they are meant to be open.
MEANT: Final = frozenset({22, 25})
GUESSES: Final = (
    "/.git/config",
    "/.env",
    "/.htpasswd",
    "/.DS_Store",
    "/backup.zip",
    "/backup.sql",
    "/dump.sql",
    "/gate.sqlite",
    "/gate/gate.sqlite",
    "/moiety-data/",
    "/data/",
    "/keys/",
    "/logs/",
    "/uploads/",
    "/server-status",
    "/phpinfo.php",
    "/debug",
    "/docs",
    "/redoc",
    "/admin",
    "/console",
    "/actuator/env",
    "/static/",
    "/static/../gate.sqlite",
    "/static/%2e%2e/%2e%2e/etc/passwd",
)
MEDIA: Final = (
    "/media/1.jpg",
    "/photos/1.jpg",
    "/images/1.jpg",
    "/uploads/1.jpg",
    "/v1/media/pho_aaaaaaaaaaaaaaaa",
    "/v1/photos/pho_aaaaaaaaaaaaaaaa",
    "/v1/galleries/any/subjects/sub_aaaaaaaaaaaaaaaa/photos/pho_aaaaaaaaaaaaaaaa",
)
_FILLED: Final = re.compile(r"\{[a-z_:]+\}")
_LISTING: Final = re.compile(rb"<title>\s*(Index of|Directory listing)", re.IGNORECASE)
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Outside:
    """A look at one installation from outside."""

    def __init__(self, url: str, verify: ssl.SSLContext | bool = True) -> None:  # noqa: FBT001, FBT002 - as httpx has it
        """Look at `url`, such as `https://gate.example.org`; a name without a scheme is asked by HTTPS.

        Raises:
            BadInput: that is no such address.

        """
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise BadInput("Name a host, HOST:PORT, or an address such as https://gate.example.org.")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = parts.scheme == "https"
        self._verify = verify

    def look(self, guarded: Sequence[tuple[str, str]], ports: Iterable[int] = PORTS) -> list[Finding]:
        """Look at everything; `guarded` are methods and addresses of routes that must ask who is there.

        Behind a certificate that does not hold all else is looked at all the same; where no TLS of today is spoken,
        nothing else can be.

        Raises:
            PartDown: nothing answers there.

        """
        encrypted, spoken = look_at_tls(self._host, self._port, self._verify) if self._tls else (self._plain(), True)
        # Nobody signs in here and nothing is sent: a certificate that does not hold is told of, and is no end.
        verify = self._verify if not any(one.hole for one in encrypted) else False
        with httpx.Client(base_url=self.url, timeout=SECONDS, verify=verify, trust_env=False) as http:
            try:
                first = http.get("/") if spoken else None
            except httpx.HTTPError:
                raise PartDown(f"Nothing answers at {self.url}.") from None
            seen = [*self._ports(ports), *encrypted]
            return seen if first is None else seen + self._pages(http, first, guarded)

    def _pages(self, http: httpx.Client, first: httpx.Response, guarded: Sequence[tuple[str, str]]) -> list[Finding]:
        """Look at what is answered."""
        return [
            *_headers(first, tls=self._tls),
            *_cookies([first, http.get("/sign-in")]),
            _routes(http, guarded),
            _guesses(http),
            _media(http),
            _names(http),
            _security_txt(http),
        ]

    def _plain(self) -> list[Finding]:
        """Say what it means to be asked without TLS."""
        home = self._host in LOCAL
        said = "It is asked without TLS" + ("; at home that is fine." if home else ": everybody on the way can read.")
        return [Finding("tls", not home, said)]

    def _ports(self, ports: Iterable[int]) -> list[Finding]:
        """Try to connect to each port."""
        wanted = [port for port in ports if port != self._port]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            up = [port for port, there in zip(wanted, pool.map(self._answers, wanted), strict=True) if there]
        found = [
            Finding(
                "port",
                port not in MEANT,
                f"Port {port} ({PORTS.get(port, 'unknown')}) answers the whole network; "
                + ("is that meant?" if port in MEANT else "close it to everybody but those who need it."),
            )
            for port in up
        ]
        return found or [Finding("port", hole=False, said=f"None of {len(wanted)} other ports answers.")]

    def _answers(self, port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self._host, port), PORT_SECONDS):
            return True
        return False


def _headers(first: httpx.Response, *, tls: bool) -> list[Finding]:
    """Look at what browsers are told."""
    told, found = first.headers, []
    csp = told.get("content-security-policy", "")
    strict = "default-src 'none'" in csp or "default-src 'self'" in csp
    loose = "unsafe-inline" in csp or "unsafe-eval" in csp or not strict
    said = "The content security policy is missing or lets foreign or inline scripts run."
    found.append(Finding("headers", loose, said if loose else "A strict content security policy is sent."))
    framed = "frame-ancestors 'none'" not in csp and told.get("x-frame-options", "").upper() != "DENY"
    found.append(Finding("headers", framed, "Other pages may frame it." if framed else "No page may frame it."))
    sniffed = told.get("x-content-type-options") != "nosniff"
    found.append(Finding("headers", sniffed, "Types are guessed by browsers." if sniffed else "Types are not guessed."))
    named = [name for name in ("server", "x-powered-by") if re.search(r"\d", told.get(name, ""))]
    if named:
        found.append(Finding("headers", hole=True, said=f"The version of a program is told: {', '.join(named)}."))
    shared = told.get("access-control-allow-origin") == "*"
    if shared:
        found.append(Finding("headers", hole=True, said="Pages of everybody may read its answers (CORS *)."))
    if tls:
        age = re.search(r"max-age=(\d+)", told.get("strict-transport-security", ""))
        short = age is None or int(age[1][:12]) < HSTS_SECONDS
        said = (
            "HSTS is missing or short: the first visit can be turned to plain HTTP; set it at the proxy that ends TLS."
        )
        found.append(Finding("headers", short, said if short else "HSTS is set."))
    return found


def _cookies(replies: Iterable[httpx.Response]) -> list[Finding]:
    """Look at the cookies that strangers are given."""
    found = []
    for cookie in [one for reply in replies for one in reply.headers.get_list("set-cookie")]:
        marks = {part.strip().lower().partition("=")[0] for part in cookie.split(";")[1:]}
        missing = {"httponly", "samesite"} - marks
        if missing:
            found.append(Finding("cookies", hole=True, said=f"A cookie comes without {' and '.join(sorted(missing))}."))
    return found or [
        Finding("cookies", hole=False, said="Strangers get no cookie that scripts or other sites could use.")
    ]


def _routes(http: httpx.Client, guarded: Sequence[tuple[str, str]]) -> Finding:
    """Ask every route that must ask who is there; only who is refused for that found it closed."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        found = pool.map(lambda one: _status(http, one[0], _FILLED.sub("any", one[1])), guarded)
        said = {f"{method} {path}": status for (method, path), status in zip(guarded, found, strict=True)}
    answered = [route for route, status in said.items() if httpx.codes.is_success(status)]
    if answered:
        return Finding("routes", hole=True, said=f"Answered without signing in: {', '.join(answered[:10])}.")
    unsaid = [route for route, status in said.items() if status not in CLOSED]
    if unsaid:
        words = f"Did not ask who is there, or did not answer; look again: {', '.join(unsaid[:10])}."
        return Finding("routes", hole=True, said=words)
    return Finding("routes", hole=False, said=f"None of {len(guarded)} routes answers without signing in.")


def _status(http: httpx.Client, method: str, path: str) -> int:
    """Ask one address, later where it says so (RFC 6585, section 4); gives its status, 0 where nothing came back."""
    for _ in range(WAITS_MAX):
        try:
            reply = http.request(method, path, headers={"accept": "application/json"})
        except httpx.HTTPError:
            return 0
        if reply.status_code != httpx.codes.TOO_MANY_REQUESTS:
            return reply.status_code
        told = reply.headers.get("retry-after", "")
        time.sleep(min(float(told), WAIT_SECONDS_MAX) if told.isdecimal() else 1.0)
    return httpx.codes.TOO_MANY_REQUESTS


def _got(http: httpx.Client, paths: Iterable[str]) -> list[str]:
    """Give the addresses behind which something lies."""
    wanted = list(paths)
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return [
            path for path, there in zip(wanted, pool.map(lambda one: _lies(http, one), wanted), strict=True) if there
        ]


def _lies(http: httpx.Client, path: str) -> bool:
    """Whether something lies behind an address."""
    with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
        reply = http.get(path)
        return reply.is_success and bool(reply.content or _LISTING.search(reply.content))
    return False


def _guesses(http: httpx.Client) -> Finding:
    found = _got(http, GUESSES)
    if found:
        return Finding("files", hole=True, said=f"Files or folders lie open: {', '.join(found)}.")
    return Finding("files", hole=False, said=f"None of {len(GUESSES)} guessed files and folders is there.")


def _media(http: httpx.Client) -> Finding:
    found = _got(http, MEDIA)
    if found:
        return Finding("media", hole=True, said=f"Pictures are given without a signature: {', '.join(found)}.")
    return Finding("media", hole=False, said="No picture is given without a signature.")


def _names(http: httpx.Client) -> Finding:
    """Ask under a name that is not its own (DNS rebinding)."""
    taken = False
    with contextlib.suppress(httpx.HTTPError):
        taken = http.get("/", headers={"host": "evil.example"}).is_success
    said = "It answers under foreign names." if taken else "It answers under no foreign name."
    return Finding("names", taken, said)


def _security_txt(http: httpx.Client) -> Finding:
    """Look whether strangers are told where to report a hole."""
    text = ""
    with contextlib.suppress(httpx.HTTPError):
        reply = http.get("/.well-known/security.txt")
        text = reply.text if reply.is_success else ""
    expires = re.search(r"^Expires: (\S+)$", text, re.MULTILINE)
    fresh = False
    if expires and "Contact: " in text:
        with contextlib.suppress(ValueError):
            fresh = datetime.fromisoformat(expires[1]) > datetime.now(UTC)
    said = "security.txt tells where to report a hole." if fresh else "security.txt is missing, empty or too old."
    return Finding("security.txt", not fresh, said)
