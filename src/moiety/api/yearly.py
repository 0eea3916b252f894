"""The annual report: counted from the ledger each time that somebody asks."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.api.schemas import Given
from moiety.api.visits import TheHouse
from moiety.people.house import House
from moiety.people.yearly import YEAR_FIRST, YEAR_LAST, Year, year_of

routes = Routes("ledger")

Asked = Annotated[int | None, Query(ge=YEAR_FIRST, le=YEAR_LAST, description="By default the year that it is (UTC).")]
Counts = dict[str, int]


class PurposeSeen(Given):
    """What was done for one purpose."""

    purpose: str
    questions: Annotated[Counts, Field(description="Searches (`identify`), 1:1, comparisons, cards shown.")]
    hits: Annotated[Counts, Field(description="Candidates that were shown, by band.")]
    outcomes: Annotated[
        dict[str, Counts],
        Field(description="By question, how often it came out as which band; `none` is nobody, `many` too many."),
    ]
    kinds: Counts
    acts: Counts


class YearSeen(Given):
    """The report of a year; `first` and `last` are numbers of the ledger's entries, by which anybody can recount it."""

    year: int
    entries: int
    first: int
    last: int
    purposes: list[PurposeSeen]


async def counted(house: House, year: int | None) -> Year:
    """Count a year, by default the one that it is."""
    now = datetime.fromtimestamp(house.desk.clock.now(), UTC).year
    return await asyncio.to_thread(year_of, house.desk, year or now)


@routes.add("GET", "/v1/ledger/report", permission=Permission.LEDGER_READ, summary="Annual report")
async def report_year(house: TheHouse, year: Asked = None) -> YearSeen:
    """Count by purpose what was done in a year: questions, hits, outcomes. It holds no name and no id."""
    found = await counted(house, year)
    purposes = [PurposeSeen.model_validate(one, from_attributes=True) for one in found.purposes]
    return YearSeen(year=found.year, entries=found.entries, first=found.first, last=found.last, purposes=purposes)
