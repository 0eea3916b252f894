"""What goes in and comes out about people's records, consents and rights."""

import base64
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from moiety.api.schemas import Case, End, Given, Reason, Reference, Taken
from moiety.foundation.errors import BadInput
from moiety.people.rules import CEILING_DAYS, CONTROLLER_CHARS_MAX

STROKES_MAX: Final = 200
POINTS_MAX: Final = 3000

Basis = Literal["consent", "contract", "legal-obligation", "vital-interest", "public-task", "legitimate-interest"]
Police = Annotated[
    Literal["suspect", "convicted", "victim", "witness", "missing"],
    Field(description="What the person is to the police; said in galleries of the police, and in no other."),
]
Source = Literal["person", "guardian", "relative", "employer", "authority", "import"]
Notice = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"),
    Field(description="The version of the notice that people are shown.", examples=["2026-11"]),
]
Controller = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=CONTROLLER_CHARS_MAX, pattern=r"^[^\x00-\x1f]*$"),
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Encoded = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60000}$"), Field(description="base64url, unpadded.")
]
SubjectName = Annotated[str, StringConstraints(pattern=r"^sub_[a-z2-7]{16}$")]
ApprovalName = Annotated[
    str,
    StringConstraints(pattern=r"^apr_[a-z2-7]{16}$"),
    Field(description="The approval of exactly this, which another person has signed."),
]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
FieldValue = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Fields = Annotated[dict[FieldName, FieldValue], Field(max_length=40, description="Names and values, kept sealed.")]
Pin = Annotated[str, StringConstraints(min_length=4, max_length=32)]
Point = Annotated[tuple[int, int], Field(description="x and y, whole numbers from 0 to 4000.")]


def raw(text: str) -> bytes:
    """Read base64url without padding.

    Raises:
        BadInput: its length is that of none.

    """
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadInput("This is not base64url.") from None


class Why(Taken):
    """A reason, and a case or a door."""

    reason: Reason
    case: Case = ""


# ---- rules ----


class RuleNew(Taken):
    """What a gallery asks before it keeps anybody, and what each record says unless it says otherwise."""

    consent: bool
    notice: Notice
    basis: Basis
    controller: Controller
    source: Source = "person"
    keep_days: Annotated[int, Field(ge=1, le=CEILING_DAYS, description="Days from the last contact.")]
    keep_photos: bool = False
    approval: ApprovalName | None = None
    reason: Reason


class RuleSeen(Given):
    """A gallery's rule."""

    consent: bool
    notice: str
    basis: str
    controller: str
    source: str
    keep_days: int
    keep_photos: bool


# ---- records ----


class GuardianNew(Taken):
    """Who answers for a person under eighteen, and the authorised reason for keeping them."""

    name: Name
    relation: Name
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class PersonNew(Why):
    """A person without a photo: a card's or PIN's reference, fields, and why they are kept."""

    reference: Reference
    fields: Fields = Field(default_factory=dict)
    basis: Basis | None = None
    source: Source | None = None
    minor: Annotated[bool, Field(description="Under eighteen; then a guardian is named.")] = False
    guardian: GuardianNew | None = None
    pin: Pin | None = None
    police_status: Police | None = None
    ends_at: End | None = None


class PersonMade(Given):
    """Who was entered."""

    subject_id: str


class PersonSeen(Given):
    """A person of a list: the reference masked, of all other fields only the names."""

    subject_id: str
    reference: str
    fields: list[str]
    photos: int
    basis: str
    controller: str
    source: str
    under_eighteen: bool
    matching_stopped: bool
    on_hold: bool
    awaits_release: bool
    created_at: datetime
    expires_at: datetime | None


class PersonPage(Given):
    """People in the order of their (random) ids; `next` is the `after` of the next page, or null."""

    people: list[PersonSeen]
    next: str | None


class ConsentSeen(Given):
    """A consent; the release itself is sealed."""

    id: str
    notice: str
    purpose: str
    kind: str
    by_guardian: bool
    given_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None


class RecordSeen(PersonSeen):
    """Why one person is kept, and their consents."""

    own_end: datetime | None = Field(description="An end that was set for this person, earlier than the gallery's.")
    consents: list[ConsentSeen]


class WaitSeen(Given):
    """Somebody of whom the written release is asked, and since when."""

    subject_id: str
    asked_at: datetime


class WaitList(Given):
    """Who waits, the longest first."""

    waits: list[WaitSeen]


class PasskeyRelease(Taken):
    """What a browser gave for the wording's digest: the new passkey's registration, and its assertion."""

    registration: Encoded
    client_data: Encoded
    authenticator_data: Encoded
    signature: Encoded


class ConsentNew(Why):
    """A consent with its written release: drawn lines, a picture of them, or a passkey's assertion."""

    notice: Notice
    ends_at: AwareDatetime
    signed_by: Name
    strokes: (
        Annotated[
            list[Annotated[list[Point], Field(min_length=1, max_length=POINTS_MAX)]],
            Field(min_length=1, max_length=STROKES_MAX),
        ]
        | None
    ) = None
    png: Encoded | None = None
    passkey: PasskeyRelease | None = None
    by_guardian: bool = False

    @model_validator(mode="after")
    def _one_release(self) -> Self:
        if [self.strokes, self.png, self.passkey].count(None) != 2:  # noqa: PLR2004 - one of three
            raise ValueError
        if any(not 0 <= at <= 4000 for stroke in self.strokes or () for point in stroke for at in point):  # noqa: PLR2004 - as the field says
            raise ValueError
        return self


class WordingSeen(Given):
    """What somebody who releases by a passkey signs: the SHA-256 of the packed parts is the challenge."""

    tenant: str
    gallery: str
    subject: str
    notice: str
    purpose: str
    ends: int


class WithdrawBody(Why):
    """A withdrawal; with `keep_card` the person goes on by card or PIN, and only the face is erased."""

    keep_card: bool = False
    two: bool = False


class WithdrawnInfo(Given):
    """What was erased: `face`, `person`, or nothing yet, where a legal hold keeps it (`waits-for-hold`)."""

    erased: str


class EndBody(Why):
    """When one person's record ends, no later than the gallery ends it; null takes that back."""

    ends_at: AwareDatetime | None = None


class EndSeen(Given):
    """When a record ends by itself."""

    expires_at: datetime


class PresentBody(Why):
    """A card's reference, and the PIN where one was set."""

    reference: Reference
    pin: Pin | None = None


class PresentedInfo(Given):
    """Whether the gallery has such a card, and the PIN fits."""

    same: bool
    subject_id: str | None


class PeopleFind(Why):
    """A reference that is looked for in all galleries that the key may read."""

    reference: Reference


class RecordFound(Given):
    """One record of a person."""

    gallery_id: str
    subject_id: str


class RecordsFound(Given):
    """The records with that reference."""

    records: list[RecordFound]


# ---- rights ----
