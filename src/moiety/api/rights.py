"""Rights: access, portability, rectification, objection, receipts; legal holds; merging and splitting records."""

import asyncio
import base64

from pydantic import BaseModel
from starlette.responses import Response

from moiety.access import Permission
from moiety.access.kinds import LEGAL_HOLD
from moiety.access.spending import by_two
from moiety.api.person_schemas import Why
from moiety.api.questions import Request, answered
from moiety.api.rights_schemas import (
    AccessBody,
    AccessMade,
    ChangedInfo,
    FollowUpList,
    FollowUpSeen,
    HoldList,
    HoldNew,
    HoldRelease,
    HoldSeen,
    MatchingSeen,
    MergeBody,
    ReceiptList,
    ReceiptSeen,
    RectifyBody,
    SplitBody,
)
from moiety.api.routes import Routes
from moiety.api.schemas import moment, moment_or_none
from moiety.api.visits import Here, TheCaller, TheGallery, TheHouse, asker_of
from moiety.foundation.ids import ApprovalId, PhotoId, SubjectId
from moiety.matching.desk import Asker
from moiety.people.changing import Changed
from moiety.people.receipts import handed_out
from moiety.storage.person_records import FollowUp, Hold

routes = Routes("rights")

GALLERY = "/v1/galleries/{gallery}"
ONE = GALLERY + "/subjects/{subject}"


def _hold(one: Hold) -> HoldSeen:
    return HoldSeen(
        id=one.id,
        subject_id=one.subject_id,
        state=one.state,
        proposed_by=one.proposed_by,
        approved_by=one.approved_by,
        release_by=one.release_by,
        released_by=one.released_by,
        created_at=moment(one.created_at),
        review_at=moment(one.review_at),
    )


def _follow_up(one: FollowUp) -> FollowUpSeen:
    return FollowUpSeen(
        id=one.id,
        subject_id=one.subject_id,
        recipient=one.recipient,
        entry=one.seq,
        act=one.act,
        cause=one.cause,
        created_at=moment(one.created_at),
        done_at=moment_or_none(one.done_at),
    )


def _changed(made: Changed) -> ChangedInfo:
    follow_ups = [_follow_up(one) for one in made.follow_ups]
    return ChangedInfo(recipients=list(made.recipients), matches=made.matches, follow_ups=follow_ups)


@routes.add(
    "POST",
    ONE + "/access",
    permission=Permission.SUBJECT_RIGHTS,
    body=AccessBody,
    parks=True,
    response_model=AccessMade,
    summary="Access",
)
async def access_export(
    visit: Here, subject: str, asked: AccessBody, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Give a person all that is kept about them, for machines and, with `pdf`, for reading; others are left out."""

    async def act(asker: Asker) -> AccessMade:
        together = await visit.gate.watching.together()
        exports = visit.gate.house.registry.access
        found = await exports.whole(gallery, SubjectId(subject), asker, one_machine=together)
        from moiety.people.readable import as_pdf  # noqa: PLC0415 - few ask, and a gate would start a second later

        pdf = await asyncio.to_thread(as_pdf, found) if asked.pdf else None
        return AccessMade(document=found, pdf=None if pdf is None else base64.b64encode(pdf).decode())

    return await answered(visit, caller, Request(Permission.SUBJECT_RIGHTS, asked.reason, asked.case), act)


@routes.add(
    "POST",
    ONE + "/portable",
    permission=Permission.SUBJECT_RIGHTS,
    body=Why,
    parks=True,
    response_model=AccessMade,
    summary="Portability",
)
async def portable_export(
    visit: Here, subject: str, asked: Why, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Give what the person provided, to take along."""

    async def act(asker: Asker) -> AccessMade:
        return AccessMade(document=await visit.gate.house.registry.access.portable(gallery, SubjectId(subject), asker))

    return await answered(visit, caller, Request(Permission.SUBJECT_RIGHTS, asked.reason, asked.case), act)


@routes.add("POST", ONE + "/rectify", permission=Permission.SUBJECT_RIGHTS, body=RectifyBody, summary="Rectify")
async def rectify(
    subject: str, asked: RectifyBody, house: TheHouse, caller: TheCaller, gallery: TheGallery
) -> ChangedInfo:
    """Put fields right: earlier matches are marked to be asked again, and whoever was told has to be told."""
    asker = asker_of(caller, asked.reason, asked.case)
    return _changed(await house.registry.changing.rectify(gallery, SubjectId(subject), asked.fields, asker))


@routes.add("POST", ONE + "/object", permission=Permission.SUBJECT_RIGHTS, body=Why, summary="Object")
async def object_to_matching(
    subject: str, asked: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery
) -> ChangedInfo:
    """Take an objection: nothing is matched against this person until it is decided."""
    asker = asker_of(caller, asked.reason, asked.case)
    return _changed(await house.registry.changing.object(gallery, SubjectId(subject), asker))


@routes.add(
    "POST",
    ONE + "/overrule",
    permission=Permission.SUBJECT_RIGHTS,
    body=Why,
    summary="Overrule an objection",
)
async def overrule(subject: str, asked: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> MatchingSeen:
    """Decide against an objection, with the reason on record."""
    asker = asker_of(caller, asked.reason, asked.case)
    await house.registry.changing.overrule(gallery, SubjectId(subject), asker)
    return MatchingSeen(matching=True)


@routes.add(
    "POST",
    ONE + "/merge",
    permission=Permission.SUBJECT_RIGHTS,
    body=MergeBody,
    parks=True,
    response_model=ChangedInfo,
    summary="Merge",
)
async def merge(
    visit: Here, subject: str, asked: MergeBody, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Give this record's photos, and the fields that the other lacks, to another record of the same person."""

    async def act(asker: Asker) -> ChangedInfo:
        moving = visit.gate.house.registry.moving
        return _changed(await moving.merge(gallery, SubjectId(subject), SubjectId(asked.into), asker))

    return await answered(visit, caller, Request(Permission.SUBJECT_RIGHTS, asked.reason, asked.case), act)


@routes.add("POST", ONE + "/split", permission=Permission.SUBJECT_RIGHTS, body=SplitBody, summary="Split")
async def split(subject: str, asked: SplitBody, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> ChangedInfo:
    """Give photos that show another person to that person's record."""
    asker = asker_of(caller, asked.reason, asked.case)
    photos = [PhotoId(photo) for photo in asked.photos]
    moving = house.registry.moving
    return _changed(await moving.split(gallery, SubjectId(subject), photos, SubjectId(asked.into), asker))


@routes.add("GET", GALLERY + "/receipts/{subject}", permission=Permission.SUBJECT_READ, summary="Receipts of erasures")
async def show_receipts(subject: str, house: TheHouse, gallery: TheGallery) -> ReceiptList:
    """Give the receipts for a subject of whom nothing else may be left."""

    def read() -> list[ReceiptSeen]:
        with house.desk.store.read() as tx:
            kept = tx.receipts.of_subject(gallery.id, SubjectId(subject))
        return [ReceiptSeen(**handed_out(house.desk, one).as_json()) for one in kept]

    return ReceiptList(receipts=await asyncio.to_thread(read))


@routes.add("GET", GALLERY + "/follow-ups", permission=Permission.SUBJECT_READ, summary="Who is to be told")
async def list_follow_ups(house: TheHouse, gallery: TheGallery) -> FollowUpList:
    """List earlier answers that recipients have to look at again, oldest first."""
    return FollowUpList(follow_ups=[_follow_up(one) for one in await house.registry.follow_ups.open(gallery)])


@routes.add(
    "POST", GALLERY + "/follow-ups/{follow_up}/done", permission=Permission.SUBJECT_READ, body=Why, summary="Told"
)
async def follow_up_done(
    follow_up: str, asked: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery
) -> FollowUpSeen:
    """Say that the recipient has read it, and has run the match again where it was one."""
    asker = asker_of(caller, asked.reason, asked.case)
    return _follow_up(await house.registry.follow_ups.done(gallery, follow_up, asker))


@routes.add("GET", "/v1/follow-ups", of_question=True, summary="What you were told that has changed since")
async def list_my_follow_ups(house: TheHouse, caller: TheCaller) -> FollowUpList:
    """List the answers that the caller was given and has to look at again, in all galleries, oldest first."""
    return FollowUpList(follow_ups=[_follow_up(one) for one in await house.registry.follow_ups.mine(caller.key_id)])


@routes.add("POST", "/v1/follow-ups/{follow_up}/done", of_question=True, body=Why, summary="Read")
async def my_follow_up_done(follow_up: str, asked: Why, house: TheHouse, caller: TheCaller) -> FollowUpSeen:
    """Say that the caller has read it, and has run the match again where it was one."""
    asker = asker_of(caller, asked.reason, asked.case)
    return _follow_up(await house.registry.follow_ups.mine_done(follow_up, asker))


@routes.add(
    "POST",
    ONE + "/holds",
    permission=Permission.SUBJECT_HOLD,
    body=HoldNew,
    status_code=201,
    summary="Begin a legal hold",
)
async def begin_hold(visit: Here, subject: str, asked: HoldNew, caller: TheCaller, gallery: TheGallery) -> HoldSeen:
    """Keep a record from erasure, with the approval (`legal-hold`) of exactly that."""
    asker = asker_of(caller, asked.reason, asked.case)
    spend = by_two(visit.gate.staff, caller, LEGAL_HOLD, ApprovalId(asked.approval), gallery.id, always=True)
    holds, review_at = visit.gate.house.registry.holds, asked.review_at.timestamp()
    return _hold(await holds.begin(gallery, SubjectId(subject), review_at, asker, spend))


@routes.add("GET", GALLERY + "/holds", permission=Permission.SUBJECT_HOLD, summary="List legal holds")
async def list_holds(house: TheHouse, gallery: TheGallery) -> HoldList:
    """List the gallery's legal holds by the day of their review."""
    return HoldList(holds=[_hold(one) for one in await house.registry.holds.list(gallery)])


@routes.add(
    "POST",
    GALLERY + "/holds/{hold}/release",
    permission=Permission.SUBJECT_HOLD,
    body=HoldRelease,
    summary="Release a hold",
)
async def release_hold(visit: Here, hold: str, asked: HoldRelease, caller: TheCaller, gallery: TheGallery) -> HoldSeen:
    """Let a hold go, with the approval (`legal-hold`) of exactly that."""
    asker = asker_of(caller, asked.reason, asked.case)
    spend = by_two(visit.gate.staff, caller, LEGAL_HOLD, ApprovalId(asked.approval), gallery.id, always=True)
    return _hold(await visit.gate.house.registry.holds.release(gallery, hold, asker, spend))
