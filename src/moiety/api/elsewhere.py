"""One person's enrolments for other purposes, and one more of them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, StringConstraints
from starlette.responses import Response

from moiety.access import Permission
from moiety.api.person_schemas import Basis, Source, Why
from moiety.api.questions import Request, answered
from moiety.api.routes import Routes
from moiety.api.schemas import Given, moment, moment_or_none
from moiety.api.visits import Here, TheCaller, TheGallery
from moiety.foundation.ids import SubjectId
from moiety.matching.desk import Asker
from moiety.people.elsewhere import Other
from moiety.people.rules import Stated

routes = Routes("people")

ELSEWHERE = "/v1/galleries/{gallery}/subjects/{subject}/elsewhere"


class OtherSeen(Given):
    """A record of the same person for another purpose; nothing of it is opened."""

    gallery_id: str
    gallery: str
    purpose: str
    subject_id: str
    photos: int
    created_at: datetime
    expires_at: datetime | None


class OthersSeen(Given):
    """For what else a person is enrolled."""

    records: list[OtherSeen]


class CarryBody(Why):
    """Another gallery, by name or id, and what the record there says where it is not what its rule says."""

    into: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    basis: Basis | None = None
    source: Source | None = None


class PersonCarried(Given):
    """Who was entered, and where."""

    gallery_id: str
    subject_id: str


def _other(one: Other) -> OtherSeen:
    return OtherSeen(
        gallery_id=one.gallery.id,
        gallery=one.gallery.name,
        purpose=one.gallery.purpose,
        subject_id=one.subject,
        photos=one.photos,
        created_at=moment(one.created_at),
        expires_at=moment_or_none(one.expires_at),
    )


@routes.add(
    "POST",
    ELSEWHERE,
    permission=Permission.SUBJECT_REVEAL,
    body=Why,
    parks=True,
    response_model=OthersSeen,
    summary="Also enrolled for",
)
async def show_elsewhere(
    visit: Here, subject: str, asked: Why, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Show for what else a person is enrolled, in galleries of the same controller that the caller may read."""
    house = visit.gate.house
    known = [one.id for one in await house.galleries.list()]
    mine = caller.visible(Permission.SUBJECT_READ, known)

    async def act(asker: Asker) -> OthersSeen:
        found = await house.registry.elsewhere.records(gallery, SubjectId(subject), mine, asker)
        return OthersSeen(records=[_other(one) for one in found])

    return await answered(visit, caller, Request(Permission.SUBJECT_REVEAL, asked.reason, asked.case), act)


@routes.add(
    "POST",
    ELSEWHERE + "/enter",
    permission=Permission.SUBJECT_REVEAL,
    body=CarryBody,
    parks=True,
    response_model=PersonCarried,
    summary="Enrol for another purpose",
)
async def enter_elsewhere(
    visit: Here, subject: str, asked: CarryBody, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Enter a person in another gallery by the same reference; the release for that purpose is asked for there."""
    house = visit.gate.house
    there = await house.galleries.get(asked.into)
    caller.require(Permission.SUBJECT_ENROL, there.id)
    stated = Stated(asked.basis or "", asked.source or "")

    async def act(asker: Asker) -> PersonCarried:
        made = await house.registry.elsewhere.enter(gallery, SubjectId(subject), there, stated, asker)
        return PersonCarried(gallery_id=there.id, subject_id=made)

    return await answered(visit, caller, Request(Permission.SUBJECT_REVEAL, asked.reason, asked.case), act)
