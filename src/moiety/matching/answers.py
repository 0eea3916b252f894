"""What a question is answered with: faces, candidates, bands. No score exists here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moiety.foundation.ids import SubjectId
    from moiety.warrants.records import Box


@dataclass(frozen=True, slots=True)
class Candidate:
    """One subject above the threshold, with the highest band that one of the photos reached."""

    subject: SubjectId
    band: str


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face in a picture: box in pixels of the upright picture, quality in numbers and words, liveness as advice."""

    box: Box
    quality: dict[str, Any]
    liveness: float | None


@dataclass(frozen=True, slots=True)
class FaceAnswer:
    """What was found for one face; no candidate means none above the threshold, unless there were too many."""

    face: SeenFace
    candidates: tuple[Candidate, ...] = field(default=())
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is the same person at the gallery's target, and the band; None is below `possible`."""

    same: bool
    band: str | None
    faces: tuple[SeenFace, ...]
