"""The ledger, read page by page."""

import asyncio
import json
from typing import Annotated

from fastapi import Query

from moiety.access import Permission
from moiety.api.ledger_shapes import CheckpointSeen, EntryPage, EntrySeen, HeadSeen
from moiety.api.routes import Routes
from moiety.api.schemas import PAGE_MAX, moment
from moiety.api.visits import TheHouse
from moiety.ledger.checkpointing import Standing
from moiety.storage import LedgerEntry

routes = Routes("ledger")

MICROSECONDS = 1_000_000
SEQ_MAX = 2**53


def standing_seen(stands: Standing) -> CheckpointSeen:
    """Say how the ledger stands with the witness."""
    at = None if stands.cosigned_at is None else moment(stands.cosigned_at)
    return CheckpointSeen(state=stands.state.value, size=stands.size, cosigned_at=at)


def entry_seen(entry: LedgerEntry, cosigned: int) -> EntrySeen:
    """Show an entry; the witness has signed those up to number `cosigned`."""
    return EntrySeen(
        seq=entry.seq,
        at=moment(entry.at_us / MICROSECONDS),
        kind=entry.kind,
        act=entry.act,
        actor=entry.actor,
        purpose=entry.purpose,
        gallery_id=entry.gallery_id,
        subject_id=entry.subject_id,
        has_reason=entry.reason_sealed is not None,
        detail=json.loads(entry.detail),
        hash=entry.hash.hex(),
        cosigned=entry.seq <= cosigned,
    )


@routes.add("GET", "/v1/ledger", permission=Permission.LEDGER_READ, summary="Read")
async def read_ledger(
    house: TheHouse,
    after: Annotated[int, Query(ge=0, le=SEQ_MAX, description="Begin behind this number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
) -> EntryPage:
    """Read entries, oldest first, and how far the ledger goes. Reasons stay sealed."""
    ledger = house.desk.ledger
    head = await asyncio.to_thread(ledger.head)
    entries = await asyncio.to_thread(lambda: ledger.entries(after=after, limit=limit))
    stands = await asyncio.to_thread(house.checkpointing.standing)
    return EntryPage(
        entries=[entry_seen(entry, stands.size) for entry in entries],
        head=HeadSeen(size=head.size, hash=head.hash.hex()),
        checkpoint=standing_seen(stands),
    )
