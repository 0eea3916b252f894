"""Every page, over HTTP, against a running installation with many subjects, on both databases.

The routes are those of the API's own description and of the console, so a new one is timed without a word here; one
that turns pages is timed at its first page, in the middle and at its end. A list that shows masked names has each of
them opened at vault B: those on the timed pages are entered as any other, by the API.
"""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI
from starlette.responses import HTMLResponse

from moiety.api.routes import GuardedRoute
from moiety.cli import installation, places
from moiety.cli.bench.many_subjects import fill
from moiety.cli.bench.scratch_postgres import scratch_server
from moiety.cli.database import open_store
from moiety.cli.gateway import running
from moiety.cli.output import progress, say
from moiety.cli.supervisor import Supervisor
from moiety.console import attach
from moiety.drill.ground import environment
from moiety.foundation.errors import NotFound, PartDown
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from moiety.cli.gateway import Gate
    from moiety.cli.installation import Installation

LIMIT_P95_MS = 150
WARM = 3
GALLERY = "bench"
LARGEST = 1000
# People on a page that shows names, and so few requests at least where vault B's budget of the hour ends them.
SHOWN = 50
REQUESTS_MIN = 20
WHY = {"reason": "benchmark"}
RULE = {"consent": False, "notice": "1", "basis": "contract", "controller": "nobody", "keep_days": 365} | WHY
# The description itself, and the word that a part lives, list nothing; evidence is a file of up to 2,000 proofs.
_NO_PAGES = {"/v1/health", "/v1/openapi.json", "/v1/incidents/{incident}/evidence"}
# What stands in paths of single things that the benchmark makes none of: each is read by its key.
_SINGLE = {"question", "approval", "where", "notice"}
_NAMED = re.compile(r"\{(\w+)[^}]*\}")
REPORT = {"text": "A page answers me without a key.", "contact": "finder@example.org"}


@dataclass(frozen=True, slots=True)
class Page:
    """One request to time; `at` says which page of the list it is."""

    route: str
    path: str
    at: str = ""
    params: tuple[tuple[str, str | int], ...] = ()


def run(subjects: int, requests: int) -> Iterator[dict[str, Any]]:
    """Fill and time on SQLite, then on a PostgreSQL server of the benchmark's own; the last line sums up.

    Raises:
        NotFound: PostgreSQL is not installed.

    """
    lines = []
    for line in _timed_on("sqlite", "", subjects, requests):
        lines.append(line)
        yield line
    with scratch_server() as server:
        for line in _timed_on("postgresql", server.create("moiety"), subjects, requests):
            lines.append(line)
            yield line
    worst = max(lines, key=lambda line: float(line["p95_ms"]))
    yield {
        "measure": "pages",
        "subjects": subjects,
        "pages": len(lines),
        "cores": os.cpu_count(),
        "worst_p95_ms": worst["p95_ms"],
        "worst": f"{worst['route']} {worst['at']}".strip(),
        "worst_on": worst["database"],
        "limit_p95_ms": LIMIT_P95_MS,
        "within": worst["p95_ms"] <= LIMIT_P95_MS,
    }


def _timed_on(database: str, url: str, subjects: int, requests: int) -> Iterator[dict[str, Any]]:
    """Time all pages on one database, in a scratch installation."""
    told = {"MOIETY_DATABASE": url, "MOIETY_CANARIES": "0", "MOIETY_DECOYS": "0"}
    with tempfile.TemporaryDirectory(prefix="moiety-bench-") as scratch, environment(told):
        made = installation.create(Path(scratch) / "installation")
        with _line(made) as line:
            line.ask("POST", "galleries", json={"name": GALLERY, "purpose": "benchmark"})
            line.ask("PUT", f"galleries/{GALLERY}/rules", json=RULE)
        with open_store(places.place(made, Role.GATE, {})) as store, store.read() as tx:
            gallery = tx.galleries.by_name(GALLERY)
        with (
            open_store(places.place(made, Role.GATE, {})) as store,
            progress(f"filling {database}", subjects) as advance,
        ):
            fill(store, gallery, subjects, advance)
        with _line(made) as line:
            line.http.get(line.ask("POST", "tickets")["path"])
            pages = [one for one in find_pages(line, _people(line)) if _may(line, one)]
            with progress(f"timing {database}", len(pages)) as advance:
                for page in pages:
                    yield _line_of(page, database, subjects, _times(line, page, requests))
                    advance(1)


@contextmanager
def _line(made: Installation) -> Iterator[Gate]:
    """Run the installation for a while."""
    with Supervisor(made, "127.0.0.1", 0, say):
        line = running(made.data)
        if line is None:
            raise PartDown("The gate does not answer.")
        with line:
            yield line


def _people(line: Gate) -> list[str]:
    """Read the ids of all people, and give those on the pages that show names a name that opens."""
    people: list[str] = []
    while True:
        params = {"limit": LARGEST} | ({"after": people[-1]} if people else {})
        answer = line.ask("GET", f"galleries/{GALLERY}/subjects", params=params)
        people += [one["id"] for one in answer["subjects"]]
        if answer["next"] is None:
            break
    for number in sorted({at for start in _starts(len(people)) for at in range(start, start + SHOWN)}):
        if number < len(people):
            path = f"galleries/{GALLERY}/subjects/{people[number]}/rectify"
            line.ask("POST", path, json=WHY | {"fields": {"reference": f"Person {number}"}})
    return people


def _starts(people: int) -> tuple[int, int, int]:
    """Say where the first, the middle and the last page of names begin."""
    return 0, people // 2, max(0, people - SHOWN)


def find_pages(line: Gate, people: list[str]) -> list[Page]:
    """Ask the gate which routes there are, and put names into their paths."""
    described: dict[str, Any] = line.ask("GET", "openapi.json")["paths"]
    known = {"gallery": GALLERY, "subject": people[0] if people else "", "seq": str(max(1, len(people)))}
    known |= troubles(line.ask)
    found = [Page(f"GET {route}", filled(route, known)) for route in console_pages()]
    for route, methods in described.items():
        if route in _NO_PAGES or _SINGLE & set(_NAMED.findall(route)):
            continue
        if _is_page(methods.get("get", {})):
            path = filled(route, known)
            names = {one["name"] for one in methods["get"].get("parameters", ()) if one["in"] == "query"}
            found += _of_route(line, route, path, names, people)
    return found


def console_pages() -> list[str]:
    """Name the console's pages by its own routes."""
    app = FastAPI()
    app.state.gate = None
    attach(app)
    routes = [one for one in app.routes if isinstance(one, GuardedRoute) and one.response_class is HTMLResponse]
    return [one.path for one in routes if "GET" in (one.methods or ())]


def _is_page(described: dict[str, Any]) -> bool:
    """Whether a route is read as a page, and wants nothing but a reason; tables for spreadsheets are exports."""
    required = {one["name"] for one in described.get("parameters", ()) if one["in"] == "query" and one.get("required")}
    answers = described.get("responses", {}).get("200", {}).get("content", {})
    return required <= WHY.keys() and "application/json" in answers


def filled(route: str, known: Mapping[str, str]) -> str:
    """Put names into a path; a page that has none to show is an error, so that none is left out unseen.

    Raises:
        NotFound: a name is not known.

    """
    missing = set(_NAMED.findall(route)) - known.keys()
    if missing:
        raise NotFound(f"Nothing is there to show at {route}: no {', '.join(sorted(missing))}.")
    return _NAMED.sub(lambda found: known[found[1]], route)


def troubles(ask: Callable[..., dict[str, Any]]) -> dict[str, str]:
    """Note a breach and a report from outside by `ask(method, path, json=…)`; gives what names their pages."""
    # From before the first subject was entered till now: whom it concerned is counted from the whole ledger.
    now, before = (datetime.now(UTC) - timedelta(days=days) for days in (0, 1))
    breach = {"happened": "A disk of vault A is missing.", "lost": ["vault-a"], "controller": "A school"}
    breach |= dict.fromkeys(("aware_at", "ended_at"), now.isoformat()) | {"began_at": before.isoformat()}
    breach |= {"contact": "dpo@example.org"}
    incident, report = ask("POST", "incidents", json=breach), ask("POST", "reports", json=REPORT)
    return {"incident": incident["id"], "number": report["number"]}


def _of_route(line: Gate, route: str, path: str, names: set[str], people: list[str]) -> list[Page]:
    """Give the pages of one route: one, or the first, middle and last, with the largest number where no name shows."""
    why = tuple(WHY.items()) if "reason" in names else ()
    if not {"after", "limit"} <= names:
        return [Page(f"GET {route}", path, "", why)]
    if why:
        afters: list[Any] = [None if start == 0 else people[start - 1] for start in _starts(len(people))]
    else:
        turned = _turned(line, path)
        afters = [turned[0], turned[len(turned) // 2], turned[-1]]
    size = SHOWN if why else LARGEST
    return [
        Page(f"GET {route}", path, at, (*why, ("limit", size), *((("after", after),) if after is not None else ())))
        for at, after in zip(("first", "middle", "last"), afters, strict=True)
    ]


def _turned(line: Gate, path: str) -> list[Any]:
    """Turn all pages of a list; gives behind what each begins."""
    afters: list[Any] = [None]
    while True:
        params = {"limit": LARGEST} | ({} if afters[-1] is None else {"after": afters[-1]})
        answer = line.ask("GET", path.removeprefix("/v1/"), params=params)
        after = answer.get("next", _last_number(answer))
        if after is None or after == afters[-1]:
            return afters
        afters.append(after)


def _last_number(answer: dict[str, Any]) -> Any:
    """Find the number of a page's last entry, where a page does not say what follows."""
    listed = next((value for value in answer.values() if isinstance(value, list)), [])
    return listed[-1].get("seq") if len(listed) == LARGEST else None


def _may(line: Gate, page: Page) -> bool:
    """Whether the owner sees a page: some are for people with passkeys alone, and some show what is not there."""
    status = line.http.get(page.path, params=dict(page.params)).status_code
    return status not in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}


def _times(line: Gate, page: Page, requests: int) -> list[float]:
    """Ask again and again; the first answers warm the caches. Where a budget of the hour ends, so does the asking."""
    times = []
    for _ in range(WARM + requests):
        begun = time.perf_counter()
        reply = line.http.get(page.path, params=dict(page.params))
        times.append(time.perf_counter() - begun)
        if reply.is_error and len(times) >= WARM + REQUESTS_MIN:
            return times[WARM:-1]
        if reply.is_error:
            raise PartDown(f"The gate answered {reply.status_code} to {page.route}.")
    return times[WARM:]


def _line_of(page: Page, database: str, subjects: int, times: list[float]) -> dict[str, Any]:
    """Say what was measured."""
    ranked = sorted(times)
    return {
        "measure": "page",
        "database": database,
        "route": page.route,
        "at": page.at,
        "subjects": subjects,
        "requests": len(times),
        "p50_ms": round(statistics.median(ranked) * 1e3, 1),
        "p95_ms": round(ranked[int(0.95 * len(ranked))] * 1e3, 1),
        "limit_p95_ms": LIMIT_P95_MS,
    }
