"""The retention calendar: what erases itself on which day, and which legal holds keep somebody until a review."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.console.charts import Chart, columns
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.console.proofs import Proof, proof
from moiety.foundation.clock import day_of, number_of
from moiety.foundation.errors import Forbidden
from moiety.foundation.ids import GalleryId
from moiety.storage.person_records import Hold

routes = Routes("retention")

DAYS: Final = 60
# Whoever has one of these may know how many people end on which day; of whom is asked elsewhere.
READERS: Final = (Permission.SUBJECT_READ, Permission.SUBJECT_HOLD, Permission.LEDGER_READ)
HOLD_STATES: Final = {
    "active": (N_("holds"), "good"),
}


@dataclass(frozen=True, slots=True)
class Day:
    """How many people of a gallery end on a day, and for how many of them that day was set."""

    day: date
    gallery: str
    people: int
    own: int


@dataclass(frozen=True, slots=True)
class Held:
    """A hold, the name of its gallery, whether its review is overdue, and where the ledger tells of it."""

    hold: Hold
    gallery: str
    late: bool
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The next sixty days: `late` is who should be gone already and still is there."""

    chart: Chart
    days: tuple[Day, ...]
    late: int
    holds: tuple[Held, ...]


def _readable(frame: Frame, known: list[GalleryId]) -> list[GalleryId]:
    """Give the galleries of which the reader may see the calendar.

    Raises:
        Forbidden: none.

    """
    if not any(frame.may(one) for one in READERS):
        raise Forbidden("Your roles do not allow this.")
    return [one for one in known if any(frame.may(permission, one) for permission in READERS)]


async def calendar(frame: Frame) -> Calendar:
    """Count what ends on which day."""
    desk = frame.visit.gate.house.desk
    galleries = await frame.visit.gate.house.galleries.list()
    names = {one.id: one.name for one in galleries}
    here = _readable(frame, list(names))
    held = [one for one in here if frame.may(Permission.SUBJECT_HOLD, one)]
    now = desk.clock.now()
    today = datetime.fromtimestamp(now, UTC).date()
    until = datetime.combine(today + timedelta(days=DAYS), datetime.min.time(), UTC).timestamp()

    def read() -> tuple[tuple[tuple[GalleryId, int, int], ...], dict[tuple[GalleryId, int], int], tuple[Held, ...]]:
        with desk.store.read() as tx:
            standing = tx.holds.standing(held)
            made = tx.ledger.decided([one.id for one in standing], ["hold"])
            holds = (
                Held(one, names[one.gallery_id], one.review_at <= now, proof(frame, *made.get(one.id, ())))
                for one in standing
            )
            return tx.subjects.ends_by_day(here, until), tx.ends.own_by_day(here, until), tuple(holds)

    ends, own, holds = await asyncio.to_thread(read)
    by_day: Counter[int] = Counter()
    for _, number, count in ends:
        by_day[number] += count
    first = number_of(today)
    chart = columns(frame.say(N_("People who are erased by themselves, by day")), ("",), today, DAYS, [by_day])
    days = tuple(
        Day(day_of(number), names[gallery], count, own.get((gallery, number), 0))
        for gallery, number, count in ends
        if number >= first
    )
    late = sum(count for _, number, count in ends if number < first)
    return Calendar(chart, days, late, holds)


@routes.add(
    "GET",
    "/retention",
    permission=Permission.GALLERY_LIST,
    listing=True,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def retention_page(frame: Framed) -> HTMLResponse:
    """Show the calendar."""
    found = await calendar(frame)
    return frame.page("retention.html", here="retention", calendar=found, states=HOLD_STATES, days=DAYS)
