"""What of stop, incidents, reports from outside and drills needs the reader now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.access import Permission
from moiety.console.marking import N_
from moiety.console.needing import Need

if TYPE_CHECKING:
    from moiety.console.frame import Frame

HOUR_S = 3600


async def pressed(frame: Frame) -> list[Need]:
    """Say that stop or kill is pressed, to whoever may press or reads of incidents."""
    if not frame.may(Permission.STOP_PRESS) and not frame.may(Permission.INCIDENT_READ):
        return []
    place = "/emergency" if frame.may(Permission.STOP_PRESS) else "/incidents"
    stop, kill = await asyncio.to_thread(frame.visit.gate.incidents.emergencies.pressed)
    look = frame.say(N_("See who and since when"))
    found = []
    if kill is not None:
        found.append(
            Need(frame.say(N_("The kill switch is pressed: sessions and keys are revoked")), place, look, "bad")
        )
    if stop is not None:
        found.append(Need(frame.say(N_("Matching is stopped")), place, look, "bad"))
    return found


async def incidents(frame: Frame) -> list[Need]:
    """Say of each open incident how long its clock runs."""
    if not frame.may(Permission.INCIDENT_READ):
        return []
    breaches = frame.visit.gate.incidents.breaches
    found = []
    for one in await asyncio.to_thread(breaches.open_ones):
        hours = int(breaches.seconds_left(one) // HOUR_S)
        words = (
            frame.say_many(
                "An incident is open: %(num)s hour left of 72", "An incident is open: %(num)s hours left of 72", hours
            )
            if hours >= 0
            else frame.say_many(
                "An incident is open, %(num)s hour over its 72",
                "An incident is open, %(num)s hours over its 72",
                -hours,
            )
        )
        found.append(Need(words, f"/incidents/{one.id}", frame.say(N_("Go on with it")), "bad"))
    return found


async def reports(frame: Frame) -> list[Need]:
    """Say how many reports from outside wait, and whether that is public already."""
    if not frame.may(Permission.REPORT_READ):
        return []
    clock = await asyncio.to_thread(frame.visit.gate.incidents.reports.clock)
    if not clock.waiting:
        return []
    words = frame.say_many(
        "%(num)s report from outside waits for an answer",
        "%(num)s reports from outside wait for an answer",
        clock.waiting,
    )
    hint = frame.say(N_("The public page says how many have waited for too long.")) if clock.overdue else ""
    return [Need(words, "/reports", frame.say(N_("Read and answer")), "bad" if clock.overdue else "warn", hint)]


async def drills(frame: Frame) -> list[Need]:
    """Say that drills are overdue, or that one did not hold."""
    if not frame.may(Permission.INCIDENT_READ):
        return []
    last = await asyncio.to_thread(frame.visit.gate.incidents.drills.last)
    look = frame.say(N_("See the reports"))
    if last.failed:
        words = frame.say_many(
            "%(num)s drill did not hold when they were last run",
            "%(num)s drills did not hold when they were last run",
            last.failed,
        )
        return [Need(words, "/incidents", look, "bad")]
    if last.overdue:
        return [Need(frame.say(N_("Drills are overdue")), "/incidents", look, "warn", "moiety drill --report")]
    return []
