"""What goes in and comes out, as pydantic models. No score, no distance and no embedding has a place in any of them."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from moiety.access import Permission
from moiety.api.waiting import BySigner
from moiety.people.capture import HOW, UNSAID

REASON_CHARS_MAX: Final = 500
PAGE_MAX: Final = 1000
_SCOPE: Final = f"^({'|'.join(one for one in Permission if not one.personal)})(@gal_[a-z2-7]{{16}})?$"

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARS_MAX),
    Field(description="Why, in a person's words; it goes sealed into the ledger.", examples=["lost key at the desk"]),
]
Case = Annotated[str, StringConstraints(max_length=100), Field(description="A case or a door.", examples=["door-3"])]
Reference = Annotated[
    str,
    StringConstraints(min_length=1, max_length=4000),
    Field(description="What you call the person: a staff number or a name. Kept sealed.", examples=["staff-0042"]),
]
End = Annotated[
    AwareDatetime,
    Field(description="When a new record ends, earlier than the gallery would end it and never later."),
]
Picture = Annotated[bytes, Field(repr=False, description="One still picture: JPEG, PNG or WebP.")]
PerHour = Annotated[int, Field(ge=1, le=10_000_000)]


class Taken(BaseModel):
    """What comes in: no unknown field, no NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Given(BaseModel):
    """What goes out."""

    model_config = ConfigDict(frozen=True)


def moment(seconds: float) -> datetime:
    """Turn seconds since 1970 into UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC)


def seconds_of(at: datetime | None) -> float | None:
    """Turn a moment into seconds since 1970, or nothing."""
    return None if at is None else at.timestamp()


def moment_or_none(seconds: float | None) -> datetime | None:
    """As `moment`, or nothing."""
    return None if seconds is None else moment(seconds)


# ---- galleries ----


class GalleryNew(Taken):
    """A gallery to be opened. `table` replaces the model's own table from false-match rate to cosine."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "staff", "purpose": "Doors of the east building", "fmr": 1e-4}]}
    )

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$")]
    purpose: Annotated[str, StringConstraints(min_length=3, max_length=200)]
    fmr: Annotated[float, Field(gt=0, lt=1, description="False-match rate aimed at, for each comparison.")] = 1e-4
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    probes_per_hour: PerHour = 20_000
    templates_per_hour: PerHour = 100_000
    erasures_per_hour: PerHour = 100_000
    table: (
        Annotated[dict[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(ge=0, le=1)]], Field(max_length=32)]
        | None
    ) = None
    reason: Reason = "opens a gallery"


class GalleryInfo(Given):
    """A gallery, without its thresholds: those are in the vaults' policy."""

    id: str
    name: str
    purpose: str
    model: str
    model_sha256: str
    dim: int
    fmr: float
    bands: list[str]
    retention_days: int | None
    policy_version: int
    state: str
    created_at: datetime


class GalleryList(Given):
    """The galleries that the caller may see."""

    galleries: list[GalleryInfo]


# ---- faces ----


class Quality(Given):
    """How good a face is for recognition. `embedding_length` is a learned measure of quality; angles in degrees."""

    embedding_length: float
    sharpness: float
    brightness: float
    size_px: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    enrollable: bool
    reasons: list[str]


class Face(Given):
    """A face: box (x, y, width, height) in pixels of the upright picture; liveness 0 to 1 as advice, or null."""

    box: tuple[int, int, int, int]
    quality: Quality
    liveness: float | None


class CandidateInfo(Given):
    """A subject at or above the gallery's threshold, with the reference, or with it `masked`, if that was asked for."""

    subject_id: str
    band: str
    subject: str | None = None
    masked: str | None = None


class FaceFound(Face):
    """A face and who it may be. No candidate means none above the threshold, unless there were `too_many`."""

    too_many: bool
    candidates: list[CandidateInfo]


class Identified(Given):
    """Every face of the picture, biggest first."""

    faces: list[FaceFound]


class Verified(Given):
    """Whether it is the claimed subject; `band` is null below the threshold."""

    same: bool
    band: str | None
    face: Face


class Compared(Given):
    """Whether two pictures show the same person; the biggest face of each."""

    same: bool
    band: str | None
    faces: list[Face]


class IdentifyForm(BySigner):
    """A picture to be searched for in a gallery; `reveal` or `masked` ask for the references of the candidates too."""

    image: Picture
    reason: Reason
    case: Case = ""
    reveal: bool = False
    masked: bool = False
    approval: Annotated[
        str | None,
        StringConstraints(pattern=r"^apr_[a-z2-7]{16}$"),
        Field(description="Of this very search, where the gallery wants two people behind each."),
    ] = None


class VerifyForm(BySigner):
    """A picture to be held against one subject."""

    image: Picture
    reason: Reason
    case: Case = ""


class CompareForm(Taken):
    """Two pictures to be held against each other."""

    first: Picture
    second: Picture
    reason: Reason
    case: Case = ""


# ---- subjects ----


class SubjectSeen(Given):
    """A subject: ids, dates and counts; nothing personal."""

    id: str
    created_at: datetime
    expires_at: datetime | None
    photos: int


class SubjectPage(Given):
    """Subjects in the order of their (random) ids; `next` is the `after` of the next page, or null."""

    subjects: list[SubjectSeen]
    next: str | None


class PhotoSeen(Given):
    """An enrolled photo, of which only the halves of a template are kept; an excluded one is in no search."""

    id: str
    created_at: datetime
    capture: Literal[UNSAID, *HOW] = Field(description="How it was taken, as far as it was said.")  # type: ignore[valid-type]  # the code's own words
    excluded: bool = Field(description="A half of it was damaged at a vault; erase it and enrol the photo again.")
    added: bool = Field(description="It was added to somebody who had a face here; the ledger says by whom.")


class PhotoList(Given):
    """The photos of a subject."""

    photos: list[PhotoSeen]


class Erased(Given):
    """What is gone."""

    erased: str


class FindBody(Taken):
    """A reference to look up."""

    reference: Reference
    reason: Reason


class Found(Given):
    """The subject with that reference, or null."""

    subject_id: str | None


class RevealBody(Taken):
    """The one field to be shown: fields are opened one by one."""

    fields: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]],
        Field(min_length=1, max_length=1, examples=[["reference"]]),
    ]
    reason: Reason
    case: Case = ""


class Revealed(Given):
    """The field's value."""

    fields: dict[str, str]


# ---- keys, state ----


class KeyNew(Taken):
    """An API key to be made; say either `days` or `expires_at`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "front-door", "scopes": ["gallery:probe:identify"], "days": 90}]}
    )

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    scopes: Annotated[list[Annotated[str, StringConstraints(pattern=_SCOPE)]], Field(min_length=1, max_length=64)]
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    expires_at: AwareDatetime | None = None


class KeySeen(Given):
    """What may be shown of a key."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    made_by: Annotated[str | None, Field(description="The key or operator that made it, or `owner`.")]


class KeyMade(KeySeen):
    """A new key with its token, which is shown this once."""

    token: Annotated[str, Field(repr=False)]


class KeyRevoked(KeySeen):
    """A key that was revoked, and the ids of those that ended with it: what it made, what those made, and so on."""

    also_revoked: list[str]


class KeyList(Given):
    """All keys, oldest first."""

    keys: list[KeySeen]


class Health(Given):
    """The gate lives."""

    status: str


class Ready(Given):
    """The parts that are needed answer; `sign_at` is the page of the witness on which people sign.

    `ledger` says how the ledger stands with the witness, `cosigned_at` when the witness last signed it.
    """

    status: str
    parts: dict[str, bool]
    sign_at: str
    ledger: str
    cosigned_at: datetime | None


class Ticket(Given):
    """A way into the console: open `path` in a browser within `seconds`; it works once."""

    ticket: Annotated[str, Field(repr=False)]
    path: str
    seconds: int
