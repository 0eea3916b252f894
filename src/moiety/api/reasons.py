"""Reasons in the ledger, opened one by one for an auditor; opening one is written down too."""

import asyncio
from typing import Annotated

from fastapi import Path

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.api.staff_schemas import ReasonSeen
from moiety.api.visits import TheCaller, TheHouse
from moiety.ledger import Kind as Record

routes = Routes("ledger")

SEQ_MAX = 2**53


@routes.add("GET", "/v1/ledger/{seq}/reason", permission=Permission.LEDGER_REASON, summary="Open a reason")
async def open_reason(seq: Annotated[int, Path(ge=1, le=SEQ_MAX)], house: TheHouse, caller: TheCaller) -> ReasonSeen:
    """Open the reason of one entry. It is a person's words, so the consultation stands in the ledger first."""
    desk = house.desk

    def opened() -> str | None:
        with desk.store.begin() as tx:
            desk.ledger.append(
                tx, Record.CONSULTATION, "reason", actor=caller.key_id, purpose="audit of the ledger", entry=seq
            )
        return desk.ledger.reasons(seq)

    return ReasonSeen(seq=seq, reason=await asyncio.to_thread(opened))
