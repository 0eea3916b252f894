"""What goes in and comes out about holds, corrections and what people may ask for about themselves."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, StringConstraints

from moiety.api.person_schemas import ApprovalName, Fields, SubjectName, Why
from moiety.api.schemas import Given


class HoldNew(Why):
    """A legal hold that another has approved, with the day on which it is reviewed."""

    review_at: AwareDatetime
    approval: ApprovalName


class HoldRelease(Why):
    """The approval of letting a hold go."""

    approval: ApprovalName


class HoldSeen(Given):
    """A legal hold."""

    id: str
    subject_id: str
    state: str = Field(description="active or released.")
    proposed_by: str
    approved_by: str | None
    release_by: str | None
    released_by: str | None
    created_at: datetime
    review_at: datetime


class HoldList(Given):
    """A gallery's holds, by the day of review."""

    holds: list[HoldSeen]


class RectifyBody(Why):
    """Fields as they should be."""

    fields: Fields


class FollowUpSeen(Given):
    """An earlier answer to a recipient that is to be looked at again, and why."""

    id: str
    subject_id: str
    recipient: str
    entry: int
    act: str
    cause: str = Field(description="rectified, erased, objected or moved.")
    created_at: datetime
    done_at: datetime | None


class FollowUpList(Given):
    """What nobody has done, oldest first."""

    follow_ups: list[FollowUpSeen]


class ChangedInfo(Given):
    """Who has to be told, and how many earlier matches are to be asked again."""

    recipients: list[str]
    matches: int
    follow_ups: list[FollowUpSeen]


class MatchingSeen(Given):
    """Whether a person is matched."""

    matching: bool


class MergeBody(Why):
    """Another record of the same person, which stays."""

    into: SubjectName


class SplitBody(Why):
    """Photos that show another person, who has a record."""

    into: SubjectName
    photos: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^pho_[a-z2-7]{16}$")]], Field(min_length=1, max_length=100)
    ]


class AccessBody(Why):
    """An access export; with `pdf` also as a document for reading."""

    pdf: bool = False


class AccessMade(Given):
    """All that is kept about a person; `pdf` in base64."""

    document: dict[str, Any]
    pdf: str | None = None


class ReceiptSeen(Given):
    """A receipt: `moiety receipt verify` checks it without this installation."""

    document: str
    signature: str
    key: str


class ReceiptList(Given):
    """The receipts for one subject."""

    receipts: list[ReceiptSeen]
