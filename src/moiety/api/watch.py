"""Watching the installation: figures for Prometheus, every part in plain words, and whether the gate itself lives."""

import asyncio

from starlette.responses import Response

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.api.schemas import Given, Health
from moiety.api.visits import Here
from moiety.api.watching import MEDIA_TYPE, Told
from moiety.foundation.errors import Unavailable
from moiety.watch.counts import heard, number
from moiety.wire.kinds import Role

routes = Routes("watch")

NAMES = {
    Role.GATE: "The gate",
    Role.EYE: "The eye",
    Role.VAULT_A: "Vault A",
    Role.VAULT_B: "Vault B",
    Role.MINT: "The mint",
    Role.WITNESS: "The witness",
}
WITHOUT = {
    Role.EYE: "No picture can be looked at until it does.",
    Role.VAULT_A: "No question can be answered and nobody enrolled until it does.",
    Role.VAULT_B: "No question can be answered and nobody enrolled or shown until it does.",
    Role.MINT: "No question can be answered until it does.",
    Role.WITNESS: "People cannot sign until it does; all else goes on.",
}
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class Figures(Response):
    """Prometheus's text."""

    media_type = MEDIA_TYPE


class PartSeen(Given):
    """One part: whether it answers, for how long it has run, and `said`, all of it in plain words."""

    part: str
    answers: bool
    runs_for_s: int | None
    said: str


class PartsSeen(Given):
    """All parts of the installation."""

    parts: list[PartSeen]


@routes.add(
    "GET",
    "/v1/live",
    public="tells whether the gate's own work goes on, for whoever restarts it",
    also=frozenset({503}),
    summary="Live",
)
async def live(visit: Here) -> Health:
    """Say whether the gate's own lasting work goes on; where it does not, only a restart helps."""
    if visit.gate.watching.ended():
        raise Unavailable("Work that the gate must never end has ended; restart the gate and see its log.")
    return Health(status="live")


@routes.add(
    "GET",
    "/metrics",
    permission=Permission.METRICS_READ,
    response_class=Figures,
    summary="Metrics",
)
async def metrics(visit: Here) -> Figures:
    """Give the figures of all parts in Prometheus's text format."""
    incidents = await asyncio.to_thread(visit.gate.incidents.figures)
    return Figures(await visit.gate.watching.text(incidents))


@routes.add("GET", "/v1/parts", permission=Permission.METRICS_READ, summary="Parts")
async def parts(visit: Here) -> PartsSeen:
    """Say how each part is, in plain words."""
    everybody = await visit.gate.watching.everybody()
    return PartsSeen(parts=[part_seen(Role(part), told) for part, told in everybody.items()])


def part_seen(part: Role, told: Told | None) -> PartSeen:
    """Say how one part is."""
    if told is None:
        said = f"{NAMES[part]} does not answer. {WITHOUT[part]}"
        return PartSeen(part=part, answers=False, runs_for_s=None, said=said)
    runs = int(number(told.get("uptime_s")))
    said = f"{NAMES[part]} answers and has run for {_long(runs)}."
    refused = sum(count for _, outcome, count, _ in heard(told.get("answered")) if outcome == "warrant-refused")
    if refused:
        said += f" It refused {_many(refused, 'warrant')}; its own log says why."
    excluded = int(number(told.get("excluded")))
    if excluded:
        said += f" Rows in no search: {excluded}; a half of each was damaged or altered."
    return PartSeen(part=part, answers=True, runs_for_s=runs, said=said)


def _long(seconds: int) -> str:
    """Say how long in the largest unit that fits."""
    size, unit = next((one for one in UNITS if seconds >= one[0]), UNITS[-1])
    return _many(seconds // size, unit)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
