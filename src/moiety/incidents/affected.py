"""Who is affected by an incident: what the galleries hold, what was lost of it, and what the ledger saw meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.incidents.losses import faces_lost, fields_lost, looked, meaning, parse

if TYPE_CHECKING:
    from moiety.matching.desk import Desk
    from moiety.storage import Gallery, Incident
    from moiety.storage.exposed import Acts, Held

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class GalleryHit:
    """One gallery and what it holds of people."""

    gallery: Gallery
    held: Held


@dataclass(frozen=True, slots=True)
class Affected:
    """Who is affected: in which galleries, by what, and what a thief can do, in plain words.

    `acts` counts what the ledger saw between the incident's times. `high_risk` says whether the people concerned have
    to be told (GDPR, article 34 (1)).
    """

    galleries: tuple[GalleryHit, ...]
    acts: tuple[Acts, ...]
    faces: bool
    fields: bool
    asked: bool
    words: tuple[str, ...]

    @property
    def people(self) -> int:
        """How many people, counted once for each gallery that holds them."""
        return sum(one.held.people for one in self.galleries)

    @property
    def photos(self) -> int:
        """How many photos' templates."""
        return sum(one.held.photos for one in self.galleries)

    @property
    def field_names(self) -> dict[str, int]:
        """Which sealed fields, and of how many people each."""
        found: dict[str, int] = {}
        for one in self.galleries:
            for name, count in one.held.fields.items():
                found[name] = found.get(name, 0) + count
        return dict(sorted(found.items()))

    @property
    def disclosed(self) -> int:
        """How often somebody was shown or told of a person meanwhile."""
        return sum(one.times for one in self.acts if one.kind == "disclosure")

    @property
    def high_risk(self) -> bool:
        """Whether faces or fields can be read, or somebody asked as one of ours and was told."""
        return self.faces or self.fields or (self.asked and self.disclosed > 0)


def affected(desk: Desk, incident: Incident) -> Affected:
    """Look at the stores and the ledger; an incident that names no gallery concerns all."""
    lost = parse(incident.lost)
    with desk.store.read() as tx:
        there = [one for one in tx.galleries.list() if not incident.galleries or one.id in incident.galleries]
        hits = tuple(GalleryHit(one, tx.exposed.held(one.id)) for one in there)
        times = round(incident.began_at * MICROSECONDS), round(incident.ended_at * MICROSECONDS)
        acts = tx.exposed.acts(*times, incident.galleries)
    return Affected(hits, acts, faces_lost(lost), fields_lost(lost), looked(lost), meaning(lost))
