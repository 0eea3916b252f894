"""Frozen records of what is owed to a person; times in seconds since 1970 UTC."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, SubjectId

_R = TypeVar("_R")


class HoldState(StrEnum):
    """Two people make a hold `active`, and two let it go: `released`."""

    ACTIVE = "active"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a gallery asks: consent or not, and what each record says unless it says otherwise."""

    gallery_id: GalleryId
    consent: bool
    notice: str
    basis: str
    controller: str
    source: str
    keep_days: int
    keep_photos: bool


@dataclass(frozen=True, slots=True)
class SubjectRecord:
    """Why a subject is kept; `stopped_at` is when matching stopped for them."""

    subject_id: SubjectId
    gallery_id: GalleryId
    purpose: str
    basis: str
    controller: str
    source: str
    minor: bool
    last_contact_at: float
    stopped_at: float | None = None
    stopped_for: str | None = None


@dataclass(frozen=True, slots=True)
class OwnEnd:
    """An end that was set for one person; `clock_at` is when the gallery's clock would end the record."""

    subject_id: SubjectId
    gallery_id: GalleryId
    ends_at: float
    clock_at: float


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent; `release_sha256` commits to the release, which is a sealed field."""

    id: str
    subject_id: SubjectId
    notice: str
    purpose: str
    kind: str
    by_guardian: bool
    given_at: float
    ends_at: float
    withdrawn_at: float | None
    release_sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: two actors put it there, two let it go."""

    id: str
    gallery_id: GalleryId
    subject_id: SubjectId
    state: str
    proposed_by: str
    approved_by: str | None
    release_by: str | None
    released_by: str | None
    created_at: float
    review_at: float


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A signed document of ids and counts."""

    id: str
    subject_id: SubjectId
    gallery_id: GalleryId
    document: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One earlier answer to one recipient that is to be looked at again."""

    id: str
    gallery_id: GalleryId
    subject_id: SubjectId
    recipient: str
    seq: int
    act: str
    cause: str
    created_at: float
    done_at: float | None = None
    done_by: str | None = None


def of_row(kind: type[_R], row: Any) -> _R:
    """Copy a row into its record; what is yes or no comes as 0 or 1 from the table."""
    values = {one.name: getattr(row, one.name) for one in fields(kind)}  # type: ignore[arg-type]  # every kind is a dataclass
    flags = {one.name for one in fields(kind) if one.type == "bool"}  # type: ignore[arg-type]  # every kind is a dataclass
    return kind(**{name: bool(value) if name in flags else value for name, value in values.items()})


def as_columns(record: Any) -> dict[str, Any]:
    """Give a record's values for its row."""
    values = {one.name: getattr(record, one.name) for one in fields(record)}
    return {name: int(value) if isinstance(value, bool) else value for name, value in values.items()}
