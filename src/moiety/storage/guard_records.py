"""Frozen records of what keeps lookers in bounds; times in seconds since 1970 UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, SubjectId


class AlertKind(StrEnum):
    """Why another unit is told: a decoy was opened, one person looked up again and again, a budget, a contest."""

    CANARY = "canary"
    REPEATED = "repeated"
    BUDGET = "budget"
    CONTESTED = "contested"


@dataclass(frozen=True, slots=True)
class Alert:
    """One notice for people of another unit than `actor`; `times` counts what happened again since it was written."""

    id: str
    kind: str
    actor: str
    gallery_id: GalleryId | None
    subject_id: SubjectId | None
    times: int
    created_at: float
    last_at: float
    seen_at: float | None = None
    seen_by: str | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """An account or key that opens nothing until two people unlock it."""

    actor: str
    alert_id: str
    since: float


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a gallery is used under: an impact assessment, the day of its review, and who must stand behind a search.

    With `police` each record says what the person is to the police.
    """

    gallery_id: GalleryId
    assessment: str
    review_at: float
    police: bool
    two_to_search: bool
