"""What the repositories hand out: frozen records, cut loose from the database.

Sealed bytes and hashes are kept out of `repr`, so that a record in a log line shows ids and states only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, KeyId, PhotoId, RowId, SubjectId


class GalleryState(StrEnum):
    """`pending` until both vaults know the gallery; a `closed` one answers nothing."""

    PENDING = "pending"
    OPEN = "open"
    CLOSED = "closed"


class SubjectState(StrEnum):
    """`pending` until the first enrolment is committed; `erasing` until the vaults have forgotten."""

    PENDING = "pending"
    ACTIVE = "active"
    ERASING = "erasing"


class TemplateState(StrEnum):
    """As a subject's state; only `active` templates are found by a search."""

    PENDING = "pending"
    ACTIVE = "active"
    ERASING = "erasing"


class FieldClass(StrEnum):
    """Whose budget a reveal spends: masked labels of lists, or whole fields."""

    LABEL = "label"
    FIELD = "field"


class IntentKind(StrEnum):
    """What a journal line has begun."""

    ENROL = "enrol"
    ERASE = "erase"
    GALLERY = "gallery"


class IntentState(StrEnum):
    """How far it has come: `preparing` is undone after a crash, the two others are finished."""

    PREPARING = "preparing"
    COMMITTING = "committing"
    ERASING = "erasing"


@dataclass(frozen=True, slots=True)
class Gallery:
    """One purpose, one model, one rotation; `thresholds` rise and each has its name in `bands`."""

    id: GalleryId
    name: str
    purpose: str
    model_name: str
    model_sha256: str
    dim: int
    rotation_id: str
    fmr_target: float
    thresholds: tuple[int, ...]
    bands: tuple[str, ...]
    retention_days: int | None
    policy_version: int
    state: GalleryState
    created_at: float


@dataclass(frozen=True, slots=True)
class Subject:
    """One person in one gallery; times in seconds since 1970 UTC."""

    id: SubjectId
    gallery_id: GalleryId
    state: SubjectState
    created_at: float
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class SubjectField:
    """One sealed value about a person: its key wrapped by the subject's key at vault B, and its blind index if any."""

    subject_id: SubjectId
    name: str
    klass: FieldClass
    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    blind: bytes | None = field(repr=False)
    created_at: float


@dataclass(frozen=True, slots=True)
class Template:
    """Which row at the vaults belongs to which photo of which subject; `seq` is set when it becomes active.

    `capture`: how the photo was taken, as `people/capture.py` says.
    """

    photo_id: PhotoId
    gallery_id: GalleryId
    subject_id: SubjectId
    row_id: RowId
    binding: bytes = field(repr=False)
    photo_mark: bytes = field(repr=False)
    state: TemplateState
    seq: int | None
    created_at: float
    capture: str


@dataclass(frozen=True, slots=True)
class Canary:
    """One made-up face that a search finds."""

    number: int
    subject_id: SubjectId
    row_id: RowId


@dataclass(frozen=True, slots=True)
class ActiveRow:
    """One searchable row of a gallery, in the order of commitment."""

    seq: int
    row_id: RowId


@dataclass(frozen=True, slots=True)
class StateCounts:
    """How many there are in each state."""

    pending: int
    active: int
    erasing: int


@dataclass(frozen=True, slots=True)
class Intent:
    """One line of the two-phase journal: ids and states, nothing else."""

    id: int
    kind: IntentKind
    gallery_id: GalleryId
    subject_id: SubjectId | None
    row_ids: tuple[RowId, ...]
    state: IntentState
    created_at: float


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of an API key; `secret_hash` is argon2id text, `last_used_at` is rounded down to the hour.

    `made_by` is the id of the key or operator that made it, or `owner`; None where that was never written down.
    """

    id: KeyId
    name: str
    secret_hash: str = field(repr=False)
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    revoked_at: float | None
    last_used_at: float | None
    made_by: str | None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry of the ledger; `detail` is the canonical JSON text that the leaf commits to."""

    seq: int
    at_us: int
    kind: str
    act: str
    actor: str
    purpose: str
    gallery_id: GalleryId | None
    subject_id: SubjectId | None
    reason_sealed: bytes | None = field(repr=False)
    detail: str
    prev_hash: bytes = field(repr=False)
    hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint of the ledger with the witness's signature, as a signed note; `at` in seconds since 1970 UTC."""

    size: int
    note: bytes
    at: int
