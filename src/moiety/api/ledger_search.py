"""Looking through the ledger: newest first, by kind, act, actor, person, gallery and time; and the same as a table."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import AwareDatetime, Field, StringConstraints
from starlette.responses import Response

from moiety.access import Permission
from moiety.api.journal import MICROSECONDS, SEQ_MAX, entry_seen
from moiety.api.ledger_shapes import EntriesFound
from moiety.api.persons import Sheet
from moiety.api.routes import Routes
from moiety.api.schemas import PAGE_MAX, Taken
from moiety.api.visits import TheHouse
from moiety.ledger import Kind
from moiety.people.house import House
from moiety.people.sheets import as_csv
from moiety.storage import LedgerEntry
from moiety.storage.ledger_entries import Wanted

routes = Routes("ledger")

COLUMNS: Final = ("number", "time", "kind", "act", "actor", "purpose", "gallery", "subject", "reason given", "detail")
EXPORT_MAX: Final = 10_000
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.:-]{0,47}$")]


class Search(Taken):
    """What entries are looked for; what is left out is not asked about."""

    kind: Kind | None = None
    act: Slug | None = None
    actor: Slug | None = None
    subject: Annotated[str, StringConstraints(pattern=r"^sub_[a-z2-7]{16}$")] | None = None
    gallery: Annotated[str, StringConstraints(pattern=r"^gal_[a-z2-7]{16}$")] | None = None
    since: AwareDatetime | None = None
    until: Annotated[AwareDatetime, Field(description="Entries of this moment and later are left out.")] | None = None
    before: Annotated[int, Field(ge=1, le=SEQ_MAX, description="Only entries with a lower number.")] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100

    def wanted(self) -> Wanted:
        """Give it as the ledger asks."""
        return Wanted(
            kind=self.kind.value if self.kind else None,
            act=self.act,
            actor=self.actor,
            subject_id=self.subject,
            gallery_id=self.gallery,
            since_us=_us(self.since),
            until_us=_us(self.until),
        )


Asked = Annotated[Search, Query()]


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * MICROSECONDS)


async def found(house: House, asked: Search, limit: int) -> tuple[LedgerEntry, ...]:
    """Look for entries, newest first."""
    return await asyncio.to_thread(house.desk.ledger.search, asked.wanted(), before=asked.before, limit=limit)


@routes.add("GET", "/v1/ledger/search", permission=Permission.LEDGER_READ, summary="Search")
async def search_ledger(house: TheHouse, asked: Asked) -> EntriesFound:
    """Find entries, newest first; `next` is the `before` of the next page, or null. Reasons stay sealed."""
    entries = await found(house, asked, asked.limit)
    stands = await asyncio.to_thread(house.checkpointing.standing)
    following = entries[-1].seq if len(entries) == asked.limit else None
    return EntriesFound(entries=[entry_seen(entry, stands.size) for entry in entries], next=following)


@routes.add(
    "GET",
    "/v1/ledger/search.csv",
    permission=Permission.LEDGER_READ,
    response_class=Sheet,
    summary="Search, as a table",
)
async def search_ledger_csv(house: TheHouse, asked: Asked) -> Response:
    """Give up to 10,000 entries as CSV that no spreadsheet runs; `limit` is not looked at."""
    entries = await found(house, asked, EXPORT_MAX)
    text = await asyncio.to_thread(as_csv, COLUMNS, [_row(entry) for entry in entries])
    return Sheet(text.encode(), headers={"content-disposition": 'attachment; filename="ledger.csv"'})


def _row(entry: LedgerEntry) -> tuple[str, ...]:
    at = datetime.fromtimestamp(entry.at_us / MICROSECONDS, UTC).isoformat(timespec="seconds")
    return (
        str(entry.seq),
        at,
        entry.kind,
        entry.act,
        entry.actor,
        entry.purpose,
        entry.gallery_id or "",
        entry.subject_id or "",
        "no" if entry.reason_sealed is None else "yes",
        entry.detail,
    )
