"""When something goes wrong: stop and kill, breaches and their clocks, reports from outside, drills on record."""

from moiety.incidents.room import Incidents

__all__ = ["Incidents"]
