"""Breaches: the clock of 72 hours, who is affected, drafts of the notices, evidence, the end."""

import asyncio
from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import PlainTextResponse, Response

from moiety.access import Permission
from moiety.api.incident_schemas import (
    ActsSeen,
    AffectedSeen,
    EvidenceSeen,
    HitSeen,
    IncidentBody,
    IncidentList,
    IncidentNew,
    IncidentSeen,
    NoteBody,
    StepSeen,
)
from moiety.api.routes import Routes
from moiety.api.schemas import moment, moment_or_none
from moiety.api.visits import Here, TheCaller
from moiety.incidents import evidence
from moiety.incidents.affected import Affected, affected
from moiety.incidents.breaches import PURPOSE, STEPS, Facts, Opened, Story
from moiety.incidents.notices import TITLES, draft
from moiety.ledger import Kind as Record

routes = Routes("incidents")
ALL = "/v1/incidents"
ONE = ALL + "/{incident}"


def incident_seen(visit: Here, one: Opened) -> IncidentSeen:
    """Show an incident with its clock."""
    incident, story = one.incident, one.story
    return IncidentSeen(
        id=incident.id,
        opened_by=incident.opened_by,
        opened_at=moment(incident.opened_at),
        aware_at=moment(incident.aware_at),
        due_at=moment(one.due_at),
        seconds_left=int(visit.gate.incidents.breaches.seconds_left(incident)),
        closed_at=moment_or_none(incident.closed_at),
        began_at=moment(incident.began_at),
        ended_at=moment(incident.ended_at),
        lost=list(incident.lost),
        galleries=list(incident.galleries),
        happened=story.happened,
        controller=story.controller,
        contact=story.contact,
        consequences=story.consequences,
        measures=story.measures,
        closing=story.closing,
        steps=[StepSeen(step=step, says=says, done=step in incident.done) for step, says in STEPS.items()],
    )


def _told(body: IncidentBody, aware_at: float = 0.0) -> tuple[Facts, Story]:
    """Take a body apart."""
    facts = Facts(
        aware_at=aware_at,
        began_at=body.began_at.timestamp(),
        ended_at=body.ended_at.timestamp(),
        lost=tuple(body.lost),
        galleries=tuple(body.galleries),
    )
    return facts, Story(body.happened, body.controller, body.contact, body.consequences, body.measures)


@routes.add("GET", ALL, permission=Permission.INCIDENT_READ, summary="List")
async def list_incidents(visit: Here) -> IncidentList:
    """List all incidents, open ones first."""
    found = await asyncio.to_thread(visit.gate.incidents.breaches.list)
    return IncidentList(incidents=[incident_seen(visit, one) for one in found])


@routes.add("POST", ALL, permission=Permission.INCIDENT_MANAGE, body=IncidentNew, status_code=201, summary="Open")
async def open_incident(body: IncidentNew, visit: Here, caller: TheCaller) -> IncidentSeen:
    """Open an incident; its 72 hours run from when somebody became aware of it."""
    facts, story = _told(body, body.aware_at.timestamp())
    return incident_seen(visit, await asyncio.to_thread(visit.gate.incidents.breaches.open, facts, story, caller))


@routes.add("GET", ONE, permission=Permission.INCIDENT_READ, summary="Show")
async def show_incident(incident: str, visit: Here) -> IncidentSeen:
    """Show one."""
    return incident_seen(visit, await asyncio.to_thread(visit.gate.incidents.breaches.get, incident))


@routes.add("PUT", ONE, permission=Permission.INCIDENT_MANAGE, body=IncidentBody, summary="Change")
async def change_incident(incident: str, body: IncidentBody, visit: Here, caller: TheCaller) -> IncidentSeen:
    """Write down what is known by now; when somebody became aware of it stays."""
    breaches = visit.gate.incidents.breaches
    return incident_seen(visit, await asyncio.to_thread(breaches.change, incident, *_told(body), caller))


def _look(visit: Here, incident: str) -> tuple[Opened, Affected]:
    one = visit.gate.incidents.breaches.get(incident)
    return one, affected(visit.gate.house.desk, one.incident)


@routes.add("GET", ONE + "/affected", permission=Permission.INCIDENT_READ, summary="Who is affected")
async def show_affected(incident: str, visit: Here) -> AffectedSeen:
    """Say who is affected, from the stores and the ledger, in counts, and in plain words what a thief can do."""
    _, found = await asyncio.to_thread(_look, visit, incident)
    return AffectedSeen(
        people=found.people,
        photos=found.photos,
        faces_lost=found.faces,
        fields_lost=found.fields,
        disclosed=found.disclosed,
        high_risk=found.high_risk,
        words=list(found.words),
        galleries=[
            HitSeen(
                id=one.gallery.id,
                name=one.gallery.name,
                purpose=one.gallery.purpose,
                people=one.held.people,
                photos=one.held.photos,
                fields=one.held.fields,
            )
            for one in found.galleries
        ],
        acts=[
            ActsSeen(
                gallery=one.gallery_id, kind=one.kind, act=one.act, actor=one.actor, times=one.times, people=one.people
            )
            for one in found.acts
        ],
    )


@routes.add(
    "GET",
    ONE + "/notices/{notice}",
    permission=Permission.INCIDENT_READ,
    summary="Draft of a notice",
    response_class=PlainTextResponse,
)
async def draft_notice(
    incident: str, notice: str, visit: Here, form: Annotated[Literal["text", "pdf"], Query()] = "text"
) -> Response:
    """Draft a notice, as text or PDF: `authority`, `subjects`, `india-board` or `india-principals`."""
    one, found = await asyncio.to_thread(_look, visit, incident)
    text = draft(notice, one, found)
    if form == "text":
        return PlainTextResponse(text)
    from moiety.people.readable import text_as_pdf  # noqa: PLC0415 - few ask, and a gate would start a second later

    pdf = await asyncio.to_thread(text_as_pdf, TITLES[notice], text)
    name = f'attachment; filename="{one.incident.id}-{notice}.pdf"'
    return Response(pdf, media_type="application/pdf", headers={"content-disposition": name})


@routes.add("GET", ONE + "/evidence", permission=Permission.INCIDENT_MANAGE, summary="Evidence")
async def export_evidence(incident: str, visit: Here, caller: TheCaller) -> EvidenceSeen:
    """Export what the ledger saw between the incident's times, each entry with its proof; that is an entry too."""
    one = await asyncio.to_thread(visit.gate.incidents.breaches.get, incident)
    desk = visit.gate.house.desk

    def collected() -> EvidenceSeen:
        with desk.store.begin() as tx:
            # A crash after the commit leaves an entry of evidence that nobody was given.
            desk.ledger.append(
                tx,
                Record.DISCLOSURE,
                "incident-evidence",
                actor=caller.key_id,
                purpose=PURPOSE,
                incident=one.incident.id,
            )
        return EvidenceSeen.model_validate(evidence.collect(visit.gate.house, one.incident))

    return await asyncio.to_thread(collected)


@routes.add("POST", ONE + "/steps/{step}", permission=Permission.INCIDENT_MANAGE, summary="A step is done")
async def do_step(incident: str, step: str, visit: Here, caller: TheCaller) -> IncidentSeen:
    """Write down that a step of the wizard is done."""
    breaches = visit.gate.incidents.breaches
    return incident_seen(visit, await asyncio.to_thread(breaches.step, incident, step, caller))


@routes.add("POST", ONE + "/close", permission=Permission.INCIDENT_MANAGE, body=NoteBody, summary="Close")
async def close_incident(incident: str, body: NoteBody, visit: Here, caller: TheCaller) -> IncidentSeen:
    """Close an incident of which all steps are done, with a note on what was found and decided."""
    breaches = visit.gate.incidents.breaches
    return incident_seen(visit, await asyncio.to_thread(breaches.close, incident, body.note, caller))
