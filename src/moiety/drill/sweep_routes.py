"""Strangers at every HTTP route: without a key, with wrong ones, under another name, from another page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import httpx

from moiety.drill.drill import Drill, Obtained, Tally
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moiety.cli.gateway import Gate
    from moiety.drill.ground import Ground

METHODS = frozenset({"get", "post", "put", "patch", "delete"})
# What is open by design, with the reason in the route table; anything else must ask who is there.
OPEN = frozenset(
    {
        ("GET", "/v1/health"),
        ("GET", "/v1/live"),
        ("GET", "/v1/ready"),
        ("GET", "/v1/openapi.json"),
        ("GET", "/.well-known/security.txt"),
        ("GET", "/v1/reports/clock"),
        ("POST", "/v1/reports"),
        ("POST", "/v1/reports/answer"),
    }
)
FILLED = re.compile(r"\{[a-z_]+\}")
WRONG: tuple[dict[str, str], ...] = (
    {},
    {"authorization": "Bearer run_" + "A" * 43},
    {"authorization": "Bearer moi_key_aaaaaaaaaaaaaaaa_" + "A" * 43},
    {"authorization": "Basic b3duZXI6"},
    {"x-api-key": "run_"},
    {"cookie": "moiety_0=AAAA"},
)
# What the description of the API leaves out.
BESIDE = (("DELETE", "/v1/session"), ("GET", "/enter?ticket=AAAA"))
# Where other products keep pictures; ours keeps none, and tells nobody without a key whether it does.
PICTURES = ("/media/1.jpg", "/v1/media/pho_x", "/v1/photos/pho_x", "/v1/galleries/any/subjects/sub_x/photos/pho_x")
OTHER_NAMES = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80")
# What a page of somebody else's makes a browser send, which has the owner's session.
FOREIGN: tuple[dict[str, str], ...] = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "https://evil.example", "x-moiety": "1"},
    {"sec-fetch-site": "cross-site", "x-moiety": "1"},
    {"sec-fetch-site": "same-site", "x-moiety": "1"},
    {},
)
WITNESS_PAGES = ("/", "/sign", "/register")
WITNESS_SECRETS = (
    "/tombstones",
    "/tombstones.sqlite",
    "/static/../service.py",
    "/static/%2e%2e/service.py",
    "/static/..%2f..%2fvault",
    "/v1/ledger",
    "/peers.json",
)


class Routes(Drill):
    """Every route of the gate, from its own description, and the witness's pages."""

    name = "sweep-routes"
    tried = (
        "called every HTTP route of the gate without a key, with wrong keys, cookies and tokens, under other hosts' "
        "names, and with the owner's session from another page; asked for pictures, and the witness for more than pages"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:route_left_open"}

    def attack(self, ground: Ground) -> Obtained:
        """Count the calls that were let in."""
        tally = Tally()
        with ground.owner() as line, httpx.Client(base_url=ground.url, trust_env=False) as anyone:
            self._strangers(tally, anyone)
            foreign = _from_other_pages(ground, line)
            tally.add(foreign, f"{foreign} of {len(FOREIGN)} calls with the owner's session from another page")
        with httpx.Client(base_url=f"http://127.0.0.1:{ground.parts.page_port}", trust_env=False) as anyone:
            got = _witness(anyone)
            tally.add(got, f"{got} answers of the witness beside its pages")
        return tally.obtained()

    @staticmethod
    def _strangers(tally: Tally, anyone: httpx.Client) -> None:
        """Call everything without a right key."""
        inside = [*(one for one in _routes(anyone) if one not in OPEN), *BESIDE]
        let_in = [path for method, path in inside for headers in WRONG if _let_in(anyone, method, path, headers)]
        tally.add(len(let_in), f"let in {len(let_in)} of {len(inside) * len(WRONG)} calls of {len(inside)} routes")
        named = [{"host": host} for host in OTHER_NAMES]
        foreign = sum(_let_in(anyone, "GET", path, name) for path in ("/", "/v1/health") for name in named)
        tally.add(foreign, f"{foreign} answers under another host's name")
        pictures = sum(_let_in(anyone, "GET", path, {}) for path in PICTURES)
        tally.add(pictures, f"{pictures} pictures without a key")


def _routes(anyone: httpx.Client) -> list[tuple[str, str]]:
    """Read the route table.

    Raises:
        Fault: it cannot be, so that nothing would be swept.

    """
    paths = anyone.get("/v1/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods if method in METHODS]
    if len(found) < len(OPEN) + 1:
        raise Fault("The gate describes no routes to be swept.")
    return found


def _let_in(anyone: httpx.Client, method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether a call came past the door: anything but a refusal for want of credentials, name or address."""
    reply = anyone.request(method, FILLED.sub("any", path), headers=dict(headers))
    return reply.status_code not in {401, 403, 404, 405, 421, 429}


def _from_other_pages(ground: Ground, line: Gate) -> int:
    """Sign in as the owner in a browser, and count what another page may change there.

    Raises:
        Fault: not even the console's own page may, so that the sweep would prove nothing.

    """
    with httpx.Client(base_url=ground.url, trust_env=False) as browser:
        browser.get("/enter", params={"ticket": line.ask("POST", "tickets")["ticket"]})

        def accepted(headers: Mapping[str, str]) -> bool:
            made = {"name": ground.name("foreign"), "purpose": "made from another page"}
            return browser.post("/v1/galleries", json=made, headers=dict(headers)).is_success

        if not accepted({"origin": ground.url, "sec-fetch-site": "same-origin", "x-moiety": "1"}):
            raise Fault("The console's own page cannot change anything; the sweep would prove nothing.")
        return sum(map(accepted, FOREIGN))


def _witness(anyone: httpx.Client) -> int:
    """Count what the witness says beside its pages, what it lets change, and pages that others may frame."""

    def status(method: str, paths: Iterable[str]) -> list[int]:
        return [anyone.request(method, path).status_code for path in paths]

    shown = sum(code != httpx.codes.NOT_FOUND for code in status("GET", WITNESS_SECRETS))
    changed = sum(
        code != httpx.codes.METHOD_NOT_ALLOWED
        for method in ("POST", "PUT", "DELETE")
        for code in status(method, WITNESS_PAGES)
    )
    replies = [anyone.get(path) for path in WITNESS_PAGES]
    if not all(reply.is_success for reply in replies):
        raise Fault("The witness shows no page; the sweep would prove nothing.")
    framed = sum(int(reply.headers.get("x-frame-options") != "DENY") for reply in replies)
    return shown + changed + framed
