"""What goes in and comes out where photos are enrolled, or looked at for it."""

from typing import Annotated, Literal

from pydantic import Field, Json, StringConstraints

from moiety.api.guidance import HINTS
from moiety.api.schemas import Case, End, Face, Given, Picture, Reason, Reference, Taken
from moiety.api.waiting import BySigner
from moiety.people.capture import HOW


class PhotoForm(BySigner):
    """A photo of one person: how it was taken, and for one that was sent a picture of the person, taken here and now.

    The picture is compared with the photo and forgotten: a photo that may be a morph of two people is refused.
    """

    image: Picture
    capture: Annotated[
        Literal[HOW] | None,  # type: ignore[valid-type]  # a tuple of the code is the list
        Field(description="Taken here with the person, or sent; it must be said once somebody works here."),
    ] = None
    live: Picture = b""
    reason: Reason
    case: Case = ""


class EnrolForm(PhotoForm):
    """A photo of somebody new. A `reference` that the gallery knows adds it to that subject."""

    reference: Reference | None = None
    fields: Annotated[
        Json[dict[str, str]],
        Field(default_factory=dict, description="A JSON object of names and values, kept sealed."),
    ]
    police_status: Annotated[
        str | None,
        StringConstraints(pattern=r"^[a-z]{1,20}$"),
        Field(description="What a new person is to the police; said in galleries of the police, and in no other."),
    ] = None
    ends_at: End | None = None


class LookForm(Taken):
    """A picture that might become an enrolment photo."""

    image: Picture


class LookSeen(Given):
    """Whether a picture would do, and if not why; `hints` say in short words what to change."""

    enrollable: bool
    why: str
    hints: list[Literal[HINTS]]  # type: ignore[valid-type]  # a tuple of the code is the list
    faces: int
    face: Face | None


class EnrolledInfo(Given):
    """What was enrolled."""

    subject_id: str
    photo_id: str
    new_subject: bool
    face: Face
