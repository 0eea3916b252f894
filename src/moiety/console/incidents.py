"""Pages for when something goes wrong: stop and kill, breaches with their clocks, reports from outside, drills."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.console.proofs import Proof, proof
from moiety.incidents.affected import Affected, affected
from moiety.incidents.breaches import STEPS, WORDS_CHARS_MAX, Opened
from moiety.incidents.losses import Lost
from moiety.incidents.notices import TITLES
from moiety.storage import Pressed, Switch

routes = Routes("console")

HOUR_S: Final = 3600
# What stands in documents and commands in English, marked here for the pages' other languages.
STEP_WORDS: Final = {
    "contain": N_("Contain it: stop matching or revoke access, change keys, refresh the galleries."),
    "assess": N_("Look at who is affected and what a thief can do."),
    "evidence": N_("Export the evidence from the ledger, and keep a copy outside."),
    "authority": N_("Tell the authority within 72 hours, or write down why no risk to people is likely."),
    "subjects": N_("Tell the people concerned where the risk for them is high, or write down why it is not."),
    "learn": N_("Write down what is changed so that it does not happen again."),
}
LOST_WORDS: Final = {
    Lost.GATE: N_("the gate's disk or database, without its keys"),
    Lost.GATE_KEYS: N_("the gate's keys"),
    Lost.VAULT_A: N_("vault A's disk with its keys (half A)"),
    Lost.VAULT_B: N_("vault B's disk with its keys (half B and the personal keys)"),
    Lost.EYE_KEYS: N_("the eye's keys (the galleries' rotations)"),
    Lost.BACKUP: N_("a sealed backup, without its key"),
    Lost.SESSION: N_("an operator's device with an open session, or a passkey"),
    Lost.API_KEY: N_("a program's API key"),
    Lost.DEVICE: N_("a camera's or kiosk's key"),
    Lost.RUNNING_MACHINE: N_("a running machine on which all parts run"),
}
NOTICE_WORDS: Final = {
    "authority": N_("To the supervisory authority (GDPR, article 33)"),
    "subjects": N_("To the people concerned (GDPR, article 34)"),
    "india-board": N_("To the Data Protection Board of India"),
    "india-principals": N_("To Data Principals in India"),
}


@dataclass(frozen=True, slots=True)
class Moved:
    """The last pressing of a switch, and where the ledger tells of it, or of its end."""

    last: Pressed
    proof: Proof | None


def _moved(frame: Frame) -> dict[str, Moved]:
    """Say how each switch came to be as it is."""
    made = {}
    with frame.visit.gate.house.desk.store.read() as tx:
        for switch in Switch:
            here = [one for one in tx.emergencies.list() if one.kind == switch]
            if not here:
                continue
            last = tx.emergencies.on(switch) or here[0]
            about, act = (last.id, "press") if last.lifted_by is None else (last.lifted_by, "lift")
            entries = tx.ledger.decided([about], [f"{switch}-{act}"])
            made[switch.value] = Moved(last, proof(frame, *entries.get(about, ())))
    return made


@routes.add("GET", "/emergency", permission=Permission.STOP_PRESS, response_class=HTMLResponse, include_in_schema=False)
async def emergency_page(frame: Framed) -> HTMLResponse:
    """Show both switches, at the gate and at each vault."""
    gate = frame.visit.gate
    found = await gate.incidents.emergencies.carry()
    moved = await asyncio.to_thread(_moved, frame)
    alone = not gate.staff.operators.anybody
    return frame.page("emergency.html", here="emergency", found=found, moved=moved, alone=alone)


@routes.add(
    "GET", "/incidents", permission=Permission.INCIDENT_READ, response_class=HTMLResponse, include_in_schema=False
)
async def incidents_page(frame: Framed) -> HTMLResponse:
    """Show the breaches with their clocks, whether reports wait, and when drills were last on record."""
    room = frame.visit.gate.incidents
    found = await asyncio.to_thread(room.breaches.list)
    clock, last = await asyncio.to_thread(room.reports.clock), await asyncio.to_thread(room.drills.last)
    galleries = await frame.visit.gate.house.galleries.list()
    return frame.page(
        "incidents.html",
        here="incidents",
        incidents=[(one, left(frame, one)) for one in found],
        clock=clock,
        last=last,
        drills=await asyncio.to_thread(room.drills.list),
        lost=LOST_WORDS,
        galleries=galleries,
        words_max=WORDS_CHARS_MAX,
    )


def left(frame: Frame, one: Opened) -> tuple[str, str]:
    """Say how long an incident's clock runs: the kind of its state, and the words."""
    if one.incident.closed_at is not None:
        return "calm", frame.say(N_("closed"))
    hours = int(frame.visit.gate.incidents.breaches.seconds_left(one.incident) // HOUR_S)
    if hours < 0:
        return "bad", frame.say_many("%(num)s hour over the 72", "%(num)s hours over the 72", -hours)
    return "warn", frame.say_many("%(num)s hour left of 72", "%(num)s hours left of 72", hours)


@routes.add(
    "GET",
    "/incidents/{incident}",
    permission=Permission.INCIDENT_READ,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def incident_page(incident: str, frame: Framed) -> HTMLResponse:
    """Show one breach: clock, steps, who is affected, drafts, evidence, the end."""
    gate = frame.visit.gate

    def look() -> tuple[Opened, Affected]:
        one = gate.incidents.breaches.get(incident)
        return one, affected(gate.house.desk, one.incident)

    one, found = await asyncio.to_thread(look)
    return frame.page(
        "incident.html",
        here="incidents",
        one=one,
        found=found,
        left=left(frame, one),
        steps=[(step, STEP_WORDS[step], step in one.incident.done) for step in STEPS],
        lost=LOST_WORDS,
        notices={kind: NOTICE_WORDS[kind] for kind in TITLES},
        galleries=await gate.house.galleries.list(),
        words_max=WORDS_CHARS_MAX,
    )
