"""Reports of drills: signed by the gate, in the ledger, and overdue when there was none for too long."""

import asyncio

from moiety.access import Permission
from moiety.api.incident_schemas import DrillsBody, DrillsLine, DrillsList, SignedDrillsSeen
from moiety.api.routes import Routes
from moiety.api.schemas import moment
from moiety.api.visits import Here, TheCaller
from moiety.incidents.drills import Ran

routes = Routes("drills")


@routes.add(
    "POST", "/v1/drills", permission=Permission.DRILL_KEEP, body=DrillsBody, status_code=201, summary="Keep a report"
)
async def keep_drills(body: DrillsBody, visit: Here, caller: TheCaller) -> SignedDrillsSeen:
    """Sign what drills found, keep it, and write it into the ledger."""
    ran = [Ran(one.name, one.obtained, one.control_obtained, one.seconds) for one in body.drills]
    made = await asyncio.to_thread(visit.gate.incidents.drills.keep, ran, body.version, caller)
    return SignedDrillsSeen(**made.as_json())


@routes.add("GET", "/v1/drills", permission=Permission.INCIDENT_READ, summary="Reports of drills")
async def list_drills(visit: Here) -> DrillsList:
    """List the reports of drills, newest first."""
    drills = visit.gate.incidents.drills
    found, last = await asyncio.to_thread(drills.list), await asyncio.to_thread(drills.last)
    return DrillsList(
        overdue=last.overdue,
        days=last.days,
        reports=[
            DrillsLine(
                id=one.id,
                at=moment(one.at),
                drills=one.drills,
                failed=one.failed,
                report=SignedDrillsSeen(**drills.handed_out(one).as_json()),
            )
            for one in found
        ],
    )
