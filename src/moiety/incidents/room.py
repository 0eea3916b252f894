"""All of the room, in one place for the API, the console and the commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from moiety.incidents.breaches import Breaches
from moiety.incidents.drills import Drills
from moiety.incidents.emergencies import Emergencies
from moiety.incidents.reports import Reports
from moiety.incidents.sealed import Words

if TYPE_CHECKING:
    from moiety.access import Staff
    from moiety.people.house import House

# What the gate's metrics tell of this room, and in which words.
FIGURES: Final = {
    "moiety_emergency_pressed": "Switches for emergencies that are pressed.",
    "moiety_incidents_open": "Breaches that nobody has closed.",
    "moiety_incident_seconds_left": "Until the first open breach's 72 hours end; negative when they have.",
    "moiety_reports_waiting": "Reports from outside without an answer.",
    "moiety_reports_overdue": "Reports from outside that have waited for longer than the setting allows.",
    "moiety_report_oldest_seconds": "How long the oldest report from outside has waited.",
    "moiety_drill_age_seconds": "Since the last report of drills.",
    "moiety_drill_overdue": "Whether a report of drills is overdue.",
}


@dataclass(frozen=True, slots=True)
class Incidents:
    """What the gate does when something goes wrong."""

    emergencies: Emergencies
    breaches: Breaches
    reports: Reports
    drills: Drills
    house: House

    @classmethod
    def over(cls, house: House, staff: Staff) -> Self:
        """Build it over the gate's services."""
        words = Words(house.desk)
        return cls(
            emergencies=Emergencies(house, staff),
            breaches=Breaches(house.desk, words),
            reports=Reports(house.desk, words),
            drills=Drills(house.desk),
            house=house,
        )

    def figures(self) -> dict[str, float]:
        """Give those of `FIGURES` that there are."""
        now = self.house.desk.clock.now()
        open_ones, clock, last = self.breaches.open_ones(), self.reports.clock(), self.drills.last()
        told = {
            "moiety_emergency_pressed": float(sum(one is not None for one in self.emergencies.pressed())),
            "moiety_incidents_open": float(len(open_ones)),
            "moiety_reports_waiting": float(clock.waiting),
            "moiety_reports_overdue": float(clock.overdue),
            "moiety_drill_overdue": float(last.overdue),
        }
        if open_ones:
            told["moiety_incident_seconds_left"] = self.breaches.seconds_left(open_ones[0])
        if clock.oldest_at is not None:
            told["moiety_report_oldest_seconds"] = now - clock.oldest_at
        if last.at is not None:
            told["moiety_drill_age_seconds"] = now - last.at
        return told
