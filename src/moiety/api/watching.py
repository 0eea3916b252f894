"""What the gate counts of its own requests and hears of the other parts, as Prometheus reads it.

Every label comes from a closed set: methods, templates of routes, statuses, parts, kinds of messages, slugs, levels of
the log. What another part tells is read as numbers under our own words; nothing else of it is shown.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from moiety.incidents.room import FIGURES
from moiety.storage.guard_records import AlertKind
from moiety.watch import lines
from moiety.watch.closed import known
from moiety.watch.counts import heard, number
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from moiety.api.parts import Parts

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
# A page, a question to the vaults, a large picture, a question that streams.
SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS: Final = {
    "galleries": "Galleries that a vault holds.",
    "rows": "Rows in a vault's memory.",
    "excluded": "Rows that are in no search because a half of theirs was damaged or altered.",
}

Told = dict[str, Any]


class Watching:
    """The figures of one gate."""

    def __init__(
        self,
        parts: Parts[Told | None],
        background: Mapping[str, Callable[[], bool]],
        alerts: Callable[[], Mapping[tuple[str, bool], int]] = dict,
        own: Callable[[], Told] = dict,
    ) -> None:
        """Ask the other parts through `parts`; `background` says of the gate's own lasting work whether it goes on.

        `alerts` counts the notices for another unit, by kind and whether somebody has seen them; `own` is what the
        gate says of itself.
        """
        self._count_alerts = alerts
        self._alerts: Mapping[tuple[str, bool], int] = {}
        self.parts = parts
        self._own = own
        self._background = dict(background)
        self._began = time.monotonic()
        self._others: dict[str, Told | None] = {}
        self._incidents: dict[str, float] = {}
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "moiety_http_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "moiety_http_request_seconds",
            "Time to the end of an answer.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        ProcessCollector(namespace="moiety_gate", registry=self._registry)
        self._registry.register(self)

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; what is not of the closed sets is not."""
        if known("method", method) and known("route", route):
            self._requests.labels(method, route, str(int(status))).inc()
            self._seconds.labels(route).observe(seconds)

    def ended(self) -> list[str]:
        """Name the lasting work of the gate that goes on no more."""
        return [name for name, goes_on in self._background.items() if not goes_on()]

    def uptime(self) -> float:
        """Count the seconds since the gate was put together."""
        return time.monotonic() - self._began

    async def everybody(self) -> dict[str, Told | None]:
        """Give what every part says of itself, the gate first; None for one that does not answer."""
        return {Role.GATE: {**self._own(), "uptime_s": self.uptime()}, **await self.parts.state()}

    async def together(self) -> bool | None:
        """Say whether both vaults run on one machine; None where one of them does not say."""
        return on_one_machine(await self.parts.state())

    async def text(self, incidents: dict[str, float]) -> bytes:
        """Ask the parts, and write everything in Prometheus's text format; `incidents` is what that room tells."""
        self._incidents = incidents
        self._others = await self.parts.state()
        self._alerts = await asyncio.to_thread(self._count_alerts)
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Give what is not counted here (the registry calls this)."""
        up = GaugeMetricFamily("moiety_part_up", "Whether a part answers.", labels=["part"])
        uptime = GaugeMetricFamily("moiety_part_uptime_seconds", "Since a part started.", labels=["part"])
        own: Told = {"uptime_s": self.uptime(), "lines": lines.written()}
        everybody: dict[str, Told | None] = {Role.GATE: own, **self._others}
        for part, told in everybody.items():
            up.add_metric([part], float(told is not None))
            uptime.add_metric([part], number((told or {}).get("uptime_s")))
        going = GaugeMetricFamily("moiety_gate_work_up", "Whether lasting work of the gate goes on.", labels=["work"])
        for name, goes_on in self._background.items():
            going.add_metric([name], float(goes_on()))
        known_of = {part: told for part, told in everybody.items() if told is not None}
        for name, figure in self._incidents.items():
            yield GaugeMetricFamily(name, FIGURES[name], value=figure)
        yield from (
            up,
            uptime,
            going,
            *_notices(self._alerts),
            *_answers(known_of),
            *_log_lines(known_of),
            *_rows(known_of),
        )


def on_one_machine(everybody: Mapping[str, Told | None]) -> bool | None:
    """Say whether both vaults run on one machine, by what the parts say of themselves; None where one does not say."""
    first, second = (number((everybody.get(role) or {}).get("machine")) for role in (Role.VAULT_A, Role.VAULT_B))
    return first == second if first and second else None


def _notices(of: Mapping[tuple[str, bool], int]) -> Iterator[Metric]:
    """Count alerts, and those that nobody has looked into."""
    count = CounterMetricFamily("moiety_alerts", "Alerts that were written for another unit.", labels=["kind"])
    unseen = GaugeMetricFamily("moiety_alerts_unseen", "Alerts that nobody has looked into.", labels=["kind"])
    for kind in AlertKind:
        new, old = of.get((kind.value, False), 0), of.get((kind.value, True), 0)
        count.add_metric([kind.value], new + old)
        unseen.add_metric([kind.value], new)
    yield from (count, unseen)


def _answers(of: Mapping[str, Told]) -> Iterator[Metric]:
    """Count what parts answered each other, and how long that took."""
    labels = ["part", "kind", "outcome"]
    count = CounterMetricFamily("moiety_part_answers", "Messages that a part answered.", labels=labels)
    seconds = CounterMetricFamily("moiety_part_answer_seconds", "Time that took, to a tenth.", labels=labels)
    for part, told in of.items():
        for kind, outcome, times, took in heard(told.get("answered")):
            count.add_metric([part, kind, outcome], times)
            seconds.add_metric([part, kind, outcome], took)
    yield from (count, seconds)


def _log_lines(of: Mapping[str, Told]) -> Iterator[Metric]:
    """Count the lines of the logs, and what was withheld from them."""
    written = CounterMetricFamily("moiety_log_lines", "Lines of a part's log.", labels=["part", "level"])
    withheld = CounterMetricFamily(
        "moiety_log_withheld",
        "Values and texts that a log did not take, for they were of no known shape.",
        labels=["part"],
    )
    for part, told in of.items():
        levels = told.get("lines")
        if not isinstance(levels, dict):
            continue
        for level in lines.LEVELS:
            written.add_metric([part, level], number(levels.get(level)))
        withheld.add_metric([part], number(levels.get("withheld")))
    yield from (written, withheld)


def _rows(of: Mapping[str, Told]) -> Iterator[Metric]:
    """Count what the vaults hold."""
    for name, about in ROWS.items():
        family = GaugeMetricFamily(f"moiety_vault_{name}", about, labels=["part"])
        for part in (Role.VAULT_A, Role.VAULT_B):
            if name in of.get(part, {}):
                family.add_metric([part], number(of[part][name]))
        yield family
