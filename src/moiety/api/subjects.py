"""Subjects: enrol, list, find, reveal, erase."""

from typing import Annotated

from fastapi import Query

from moiety.access import Permission
from moiety.api import faces
from moiety.api.routes import Routes
from moiety.api.schemas import (
    PAGE_MAX,
    EnrolForm,
    EnrolledInfo,
    Erased,
    FindBody,
    Found,
    PhotoForm,
    PhotoList,
    PhotoSeen,
    Reason,
    RevealBody,
    Revealed,
    SubjectPage,
    SubjectSeen,
    moment,
    moment_or_none,
)
from moiety.api.visits import Here, TheCaller, TheGallery, TheHouse, asker_of, form_of
from moiety.foundation.ids import PhotoId, SubjectId
from moiety.people.directory import SubjectInfo
from moiety.people.enrol import Enrolled, Who

routes = Routes("subjects")

Why = Annotated[Reason, Query()]
After = Annotated[str | None, Query(pattern=r"^sub_[a-z2-7]{16}$", description="Begin behind this subject.")]
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


@routes.add("POST", BASE, permission=Permission.SUBJECT_ENROL, form=EnrolForm, status_code=201, summary="Enrol a photo")
async def enrol(visit: Here, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> EnrolledInfo:
    """Enrol the one person that the photo shows: a new subject, or the one that has this reference already."""
    form = form_of(visit, EnrolForm)
    who = Who(reference=form.reference, fields=form.fields)
    return _enrolled(await house.enroller.enrol(gallery, form.image, who, asker_of(caller, form.reason)))


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


@routes.add("DELETE", ONE, permission=Permission.SUBJECT_ERASE, summary="Erase")
async def erase_subject(subject: str, reason: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> Erased:
    """Erase a person: out of every search at once, then gone from both vaults and the gate."""
    await house.eraser.subject(gallery, SubjectId(subject), asker_of(caller, reason))
    return Erased(erased=subject)


@routes.add(
    "POST",
    ONE + "/photos",
    permission=Permission.SUBJECT_ENROL,
    form=PhotoForm,
    status_code=201,
    summary="Enrol a further photo",
)
async def add_photo(visit: Here, subject: str, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> EnrolledInfo:
    """Enrol a further photo of a subject."""
    form = form_of(visit, PhotoForm)
    who = Who(subject=SubjectId(subject))
    return _enrolled(await house.enroller.enrol(gallery, form.image, who, asker_of(caller, form.reason)))


@routes.add("GET", ONE + "/photos", permission=Permission.SUBJECT_READ, summary="List photos")
async def list_photos(subject: str, house: TheHouse, gallery: TheGallery) -> PhotoList:
    """List a subject's photos: ids and dates."""
    photos = await house.directory.photos(gallery, SubjectId(subject))
    return PhotoList(photos=[PhotoSeen(id=one.id, created_at=moment(one.created_at)) for one in photos])


@routes.add("DELETE", ONE + "/photos/{photo}", permission=Permission.SUBJECT_ERASE, summary="Erase a photo")
async def erase_photo(
    subject: str, photo: str, reason: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery
) -> Erased:
    """Erase one photo's template."""
    await house.eraser.photo(gallery, SubjectId(subject), PhotoId(photo), asker_of(caller, reason))
    return Erased(erased=photo)


@routes.add("POST", "/v1/galleries/{gallery}/find", permission=Permission.SUBJECT_READ, body=FindBody, summary="Find")
async def find_subject(asked: FindBody, house: TheHouse, gallery: TheGallery) -> Found:
    """Look a reference up by its blind index."""
    return Found(subject_id=await house.fields.find(gallery, asked.reference))


@routes.add("POST", ONE + "/reveal", permission=Permission.SUBJECT_REVEAL, body=RevealBody, summary="Reveal fields")
async def reveal_fields(
    subject: str, asked: RevealBody, house: TheHouse, caller: TheCaller, gallery: TheGallery
) -> Revealed:
    """Open sealed fields: one signed warrant each, metered at vault B, written into the ledger."""
    who = SubjectId(subject)
    pairs = [(who, name) for name in dict.fromkeys(asked.fields)]
    values = await house.fields.reveal(gallery, pairs, asker_of(caller, asked.reason))
    return Revealed(fields={name: value for (_, name), value in values.items()})
