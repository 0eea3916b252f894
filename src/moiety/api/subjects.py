"""Subjects: enrol, list, find, reveal, erase."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from starlette.responses import Response

from moiety.access import Caller, Permission
from moiety.api import faces
from moiety.api.enrol_schemas import EnrolForm, EnrolledInfo, LookForm, LookSeen, PhotoForm
from moiety.api.guidance import hints
from moiety.api.questions import Request, answered
from moiety.api.routes import Routes, Visit
from moiety.api.schemas import (
    PAGE_MAX,
    Case,
    Erased,
    FindBody,
    Found,
    PhotoList,
    PhotoSeen,
    Reason,
    RevealBody,
    Revealed,
    SubjectPage,
    SubjectSeen,
    moment,
    moment_or_none,
    seconds_of,
)
from moiety.api.visits import Here, TheCaller, TheGallery, TheHouse, asker_of, form_of
from moiety.foundation.ids import PhotoId, SubjectId
from moiety.matching.desk import Asker
from moiety.people.capture import UNSAID, Capture
from moiety.people.directory import SubjectInfo
from moiety.people.enrol import Enrolled, Who
from moiety.people.rules import Stated
from moiety.storage import Gallery

routes = Routes("subjects")

Why = Annotated[Reason, Query()]
After = Annotated[str | None, Query(pattern=r"^sub_[a-z2-7]{16}$", description="Begin behind this subject.")]
ForCase = Annotated[Case, Query()]
Two = Annotated[bool, Query(description="Have two people sign, as vaults want above so many erasures a day.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]

BASE = "/v1/galleries/{gallery}/subjects"
ONE = BASE + "/{subject}"


def _enrolled(made: Enrolled) -> EnrolledInfo:
    return EnrolledInfo(
        subject_id=made.subject, photo_id=made.photo, new_subject=made.new_subject, face=faces.told(made.face)
    )


def _seen(subject: SubjectInfo) -> SubjectSeen:
    return SubjectSeen(
        id=subject.id,
        created_at=moment(subject.created_at),
        expires_at=moment_or_none(subject.expires_at),
        photos=subject.photos,
    )


async def _enrol(visit: Visit, caller: Caller, gallery: Gallery, form: PhotoForm, who: Who) -> BaseModel | Response:
    """Enrol a photo, at once or when it is signed."""
    who = replace(who, capture=Capture(form.capture or UNSAID, form.live))

    async def act(asker: Asker) -> EnrolledInfo:
        return _enrolled(await visit.gate.house.enroller.enrol(gallery, form.image, who, asker))

    of = Request(Permission.SUBJECT_ENROL, form.reason, form.case, form, form.image, status=201)
    return await answered(visit, caller, of, act)


@routes.add(
    "POST",
    BASE,
    permission=Permission.SUBJECT_ENROL,
    form=EnrolForm,
    parks=True,
    response_model=EnrolledInfo,
    status_code=201,
    summary="Enrol a photo",
)
async def enrol(visit: Here, caller: TheCaller, gallery: TheGallery) -> BaseModel | Response:
    """Enrol the one person that the photo shows: a new subject, or the one that has this reference already.

    Whoever has a face here gets another by `gallery:subject:amend` alone.
    """
    form = form_of(visit, EnrolForm)
    stated = Stated(police=form.police_status or "", ends_at=seconds_of(form.ends_at))
    amends = caller.may(Permission.SUBJECT_AMEND, gallery.id)
    return await _enrol(visit, caller, gallery, form, Who(None, form.reference, form.fields, stated, amends=amends))


@routes.add("GET", BASE, permission=Permission.SUBJECT_READ, summary="List")
async def list_subjects(house: TheHouse, gallery: TheGallery, after: After = None, limit: Limit = 100) -> SubjectPage:
    """List subjects in the order of their (random) ids."""
    start = None if after is None else SubjectId(after)
    page = await house.directory.page(gallery, start, limit)
    following = page[-1].id if len(page) == limit else None
    return SubjectPage(subjects=[_seen(one) for one in page], next=following)


@routes.add("GET", ONE, permission=Permission.SUBJECT_READ, summary="Show")
async def show_subject(subject: str, house: TheHouse, gallery: TheGallery) -> SubjectSeen:
    """Show one subject."""
    return _seen(await house.directory.subject(gallery, SubjectId(subject)))


@routes.add("DELETE", ONE, permission=Permission.SUBJECT_ERASE, parks=True, response_model=Erased, summary="Erase")
async def erase_subject(
    visit: Here,
    subject: str,
    reason: Why,
    caller: TheCaller,
    gallery: TheGallery,
    *,
    case: ForCase = "",
    two: Two = False,
) -> BaseModel | Response:
    """Erase a person: out of every search at once, then gone from both vaults and the gate."""

    async def act(asker: Asker) -> Erased:
        await visit.gate.house.eraser.subject(gallery, SubjectId(subject), asker)
        return Erased(erased=subject)

    return await answered(visit, caller, Request(Permission.SUBJECT_ERASE, reason, case, two=two), act)


@routes.add(
    "POST",
    ONE + "/photos",
    permission=Permission.SUBJECT_ENROL,
    form=PhotoForm,
    parks=True,
    response_model=EnrolledInfo,
    status_code=201,
    summary="Enrol a further photo",
)
async def add_photo(visit: Here, subject: str, caller: TheCaller, gallery: TheGallery) -> BaseModel | Response:
    """Enrol a photo of a subject who is here; whoever has a face here gets another by `gallery:subject:amend` alone."""
    who = Who(SubjectId(subject), amends=caller.may(Permission.SUBJECT_AMEND, gallery.id))
    return await _enrol(visit, caller, gallery, form_of(visit, PhotoForm), who)


@routes.add("GET", ONE + "/photos", permission=Permission.SUBJECT_READ, summary="List photos")
async def list_photos(subject: str, house: TheHouse, gallery: TheGallery) -> PhotoList:
    """List a subject's photos: ids and dates."""
    photos = await house.directory.photos(gallery, SubjectId(subject))
    return PhotoList(
        photos=[
            PhotoSeen(
                id=one.id,
                created_at=moment(one.created_at),
                capture=one.capture,
                excluded=one.excluded,
                added=one.added,
            )
            for one in photos
        ]
    )


@routes.add(
    "DELETE",
    ONE + "/photos/{photo}",
    permission=Permission.SUBJECT_ERASE,
    parks=True,
    response_model=Erased,
    summary="Erase a photo",
)
async def erase_photo(
    visit: Here,
    subject: str,
    photo: str,
    reason: Why,
    caller: TheCaller,
    gallery: TheGallery,
    *,
    case: ForCase = "",
    two: Two = False,
) -> BaseModel | Response:
    """Erase one photo's template."""

    async def act(asker: Asker) -> Erased:
        await visit.gate.house.eraser.photo(gallery, SubjectId(subject), PhotoId(photo), asker)
        return Erased(erased=photo)

    return await answered(visit, caller, Request(Permission.SUBJECT_ERASE, reason, case, two=two), act)


@routes.add(
    "POST",
    "/v1/galleries/{gallery}/look",
    permission=Permission.SUBJECT_ENROL,
    form=LookForm,
    summary="Look at a picture's quality",
)
async def look_at(visit: Here, house: TheHouse, gallery: TheGallery) -> LookSeen:
    """Say whether a picture would do for enrolment, for guidance at a camera: nobody is looked for, nothing is kept."""
    del gallery
    seen = await house.looking.look(form_of(visit, LookForm).image)
    face = None if seen.face is None else faces.told(seen.face)
    said = hints(seen.wrong, face.quality.reasons if face else [])
    return LookSeen(enrollable=not seen.wrong, why=seen.why, hints=said, faces=seen.count, face=face)


@routes.add("POST", "/v1/galleries/{gallery}/find", permission=Permission.SUBJECT_READ, body=FindBody, summary="Find")
async def find_subject(asked: FindBody, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> Found:
    """Look a reference up by its blind index."""
    asker = asker_of(caller, asked.reason)
    return Found(subject_id=await house.fields.looked_up(gallery, asked.reference, asker))


@routes.add(
    "POST",
    ONE + "/reveal",
    permission=Permission.SUBJECT_REVEAL,
    body=RevealBody,
    parks=True,
    response_model=Revealed,
    summary="Reveal a field",
)
async def reveal_fields(
    visit: Here, subject: str, asked: RevealBody, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Open one sealed field: a signed warrant, metered here and at vault B, written into the ledger."""
    pairs = [(SubjectId(subject), name) for name in asked.fields]

    async def act(asker: Asker) -> Revealed:
        values = await visit.gate.house.fields.reveal(gallery, pairs, asker)
        return Revealed(fields={name: value for (_, name), value in values.items()})

    return await answered(visit, caller, Request(Permission.SUBJECT_REVEAL, asked.reason, asked.case), act)
