"""People's records: rules, entering without a photo, masked lists, cards and PINs, consents."""

from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Query
from pydantic import AwareDatetime, BaseModel
from starlette.responses import Response

from moiety.access import Permission, kinds
from moiety.access.spending import by_two, by_two_if_shown
from moiety.api.deployments import approval_of
from moiety.api.person_schemas import (
    ConsentNew,
    ConsentSeen,
    EndBody,
    EndSeen,
    Notice,
    PeopleFind,
    PersonMade,
    PersonNew,
    PersonPage,
    PersonSeen,
    PresentBody,
    PresentedInfo,
    RecordFound,
    RecordSeen,
    RecordsFound,
    RuleNew,
    RuleSeen,
    WaitList,
    WaitSeen,
    Why,
    WithdrawBody,
    WithdrawnInfo,
    WordingSeen,
    raw,
)
from moiety.api.questions import Request, answered
from moiety.api.routes import Routes
from moiety.api.schemas import PAGE_MAX, Reason, moment, moment_or_none, seconds_of
from moiety.api.visits import Here, TheCaller, TheGallery, TheHouse, asker_of
from moiety.foundation.errors import BadInput, NotFound
from moiety.foundation.ids import SubjectId
from moiety.matching.desk import Asker
from moiety.people.consents import Given, Release
from moiety.people.listing import Listed
from moiety.people.registrar import Guardian, Newcomer
from moiety.people.releases import ByPasskey, Drawn
from moiety.people.rules import Stated
from moiety.storage.person_records import Consent, Rule
from moiety.warrants.proofs import Assertion

routes = Routes("people")

GALLERY = "/v1/galleries/{gallery}"
ONE = GALLERY + "/subjects/{subject}"
After = Annotated[str | None, Query(pattern=r"^sub_[a-z2-7]{16}$", description="Begin behind this subject.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
WaitLimit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="At most so many.")]
Approval = Annotated[str | None, Query(pattern=r"^apr_[a-z2-7]{16}$", description="The approval of this export.")]
Reasoned = Annotated[Reason, Query()]


class Sheet(Response):
    """A table for a spreadsheet."""

    media_type = "text/csv"


def _rule(rule: Rule) -> RuleSeen:
    return RuleSeen.model_validate(rule, from_attributes=True)


def _person(one: Listed) -> PersonSeen:
    return PersonSeen(
        subject_id=one.subject,
        reference=one.reference,
        fields=list(one.fields),
        photos=one.photos,
        basis=one.basis,
        controller=one.controller,
        source=one.source,
        under_eighteen=one.minor,
        matching_stopped=one.stopped,
        on_hold=one.on_hold,
        awaits_release=one.awaits_release,
        created_at=moment(one.created_at),
        expires_at=moment_or_none(one.expires_at),
    )


def _consent(one: Consent) -> ConsentSeen:
    return ConsentSeen(
        id=one.id,
        notice=one.notice,
        purpose=one.purpose,
        kind=one.kind,
        by_guardian=one.by_guardian,
        given_at=moment(one.given_at),
        ends_at=moment(one.ends_at),
        withdrawn_at=moment_or_none(one.withdrawn_at),
    )


@routes.add("PUT", GALLERY + "/rules", permission=Permission.RULES_SET, body=RuleNew, summary="Set what is asked")
async def set_rules(new: RuleNew, visit: Here, caller: TheCaller, gallery: TheGallery) -> RuleSeen:
    """Say what the gallery asks before it keeps anybody; a looser rule with an approval (`rules`) of exactly it."""
    rule = Rule(gallery_id=gallery.id, **new.model_dump(exclude={"reason", "approval"}))
    spend = by_two_if_shown(visit.gate.staff, caller, kinds.RULES, approval_of(new.approval), gallery.id)
    return _rule(await visit.gate.house.registry.rules.put(gallery, rule, asker_of(caller, new.reason), spend))


@routes.add("GET", GALLERY + "/rules", permission=Permission.GALLERY_LIST, summary="Show what is asked")
async def show_rules(house: TheHouse, gallery: TheGallery) -> RuleSeen:
    """Show what the gallery asks."""
    rule = await house.registry.rules.get(gallery)
    if rule is None:
        raise NotFound("This gallery has no rule yet.")
    return _rule(rule)


@routes.add(
    "POST",
    GALLERY + "/people",
    permission=Permission.SUBJECT_ENROL,
    body=PersonNew,
    status_code=201,
    summary="Enter without a photo",
)
async def enter_person(new: PersonNew, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> PersonMade:
    """Enter a person by a card's or PIN's reference; a photo may follow once there is what the gallery asks for."""
    guardian = Guardian(**new.guardian.model_dump()) if new.guardian else None
    stated = Stated(new.basis or "", new.source or "", new.minor, new.police_status or "", seconds_of(new.ends_at))
    newcomer = Newcomer(new.reference, new.fields, stated, guardian, new.pin)
    asker = asker_of(caller, new.reason, new.case)
    return PersonMade(subject_id=await house.registry.registrar.enter(gallery, newcomer, asker))


@routes.add("GET", GALLERY + "/people", permission=Permission.SUBJECT_READ, summary="List, masked")
async def list_people(
    house: TheHouse, caller: TheCaller, gallery: TheGallery, reason: Reasoned, after: After = None, limit: Limit = 50
) -> PersonPage:
    """List people with their references masked; vault B opens and meters no more than the page shows."""
    start = None if after is None else SubjectId(after)
    page = await house.registry.listing.page(gallery, start, limit, asker_of(caller, reason))
    following = page[-1].subject if len(page) == limit else None
    return PersonPage(people=[_person(one) for one in page], next=following)


@routes.add(
    "GET",
    GALLERY + "/people.csv",
    permission=Permission.SUBJECT_READ,
    response_class=Sheet,
    summary="List, masked, as a table",
)
async def list_people_csv(
    visit: Here,
    caller: TheCaller,
    gallery: TheGallery,
    reason: Reasoned,
    after: After = None,
    limit: Limit = 1000,
    approval: Approval = None,
) -> Response:
    """Give a page as CSV that no spreadsheet runs; `Moiety-Next` is the `after` of the next page.

    It is an export of more than one person: each page needs the approval (`bulk-export`) of exactly that page.
    """
    start = None if after is None else SubjectId(after)
    spend = by_two(visit.gate.staff, caller, kinds.BULK_EXPORT, approval_of(approval), gallery.id)
    listing = visit.gate.house.registry.listing
    text, following = await listing.as_csv(gallery, start, limit, asker_of(caller, reason), spend)
    headers = {"content-disposition": 'attachment; filename="people.csv"'}
    if following:
        headers["moiety-next"] = following
    return Sheet(text.encode(), headers=headers)


@routes.add("GET", ONE + "/record", permission=Permission.SUBJECT_READ, summary="Show why somebody is kept")
async def show_record(subject: str, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> RecordSeen:
    """Show purpose, basis, controller, source, end and consents of one person; nothing is opened, the look is noted."""
    registry = house.registry
    seen = _person(await registry.listing.seen(gallery, SubjectId(subject), asker_of(caller, "")))
    consents = await registry.consents.of_subject(gallery, SubjectId(subject))
    own = await registry.ends.own(gallery, SubjectId(subject))
    own_end = moment_or_none(own.ends_at if own else None)
    return RecordSeen(**seen.model_dump(), own_end=own_end, consents=[_consent(one) for one in consents])


@routes.add("POST", GALLERY + "/present", permission=Permission.PROBE_VERIFY, body=PresentBody, summary="Card or PIN")
async def present_card(asked: PresentBody, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> PresentedInfo:
    """Say whether a card, and its PIN where one is set, is somebody's of this gallery: the way in without a face."""
    asker = asker_of(caller, asked.reason, asked.case)
    made = await house.registry.presenting.present(gallery, asked.reference, asked.pin, asker)
    return PresentedInfo(same=made.same, subject_id=made.subject)


@routes.add(
    "POST",
    "/v1/people/find",
    permission=Permission.SUBJECT_READ,
    listing=True,
    body=PeopleFind,
    summary="Find in all galleries",
)
async def find_people(asked: PeopleFind, house: TheHouse, caller: TheCaller) -> RecordsFound:
    """Find the records of one person in all galleries that the key may read, for somebody who asks for their rights."""
    known = [one.id for one in await house.galleries.list()]
    mine = caller.visible(Permission.SUBJECT_READ, known)
    asker = asker_of(caller, asked.reason, asked.case)
    found = await house.registry.listing.everywhere(mine, asked.reference, asker)
    return RecordsFound(records=[RecordFound(gallery_id=one, subject_id=subject) for one, subject in found])


def _release(visit: Here, new: ConsentNew) -> Release:
    """Read the release that came."""
    if new.strokes is not None:
        return Drawn(new.signed_by, strokes=new.strokes)
    if new.png is not None:
        return Drawn(new.signed_by, png=raw(new.png))
    if new.passkey is None or not visit.gate.sign_at:
        raise BadInput("There is no page here on which a passkey could have been made.")
    page = urlsplit(visit.gate.sign_at)
    given = new.passkey
    assertion = Assertion(raw(given.authenticator_data), raw(given.client_data), raw(given.signature))
    return ByPasskey(
        new.signed_by, raw(given.registration), assertion, (page.hostname or "", f"{page.scheme}://{page.netloc}")
    )


@routes.add(
    "POST",
    ONE + "/consents",
    permission=Permission.SUBJECT_ENROL,
    body=ConsentNew,
    status_code=201,
    summary="Store a consent",
)
async def give_consent(
    visit: Here, subject: str, new: ConsentNew, caller: TheCaller, gallery: TheGallery
) -> ConsentSeen:
    """Keep a consent with its written release, before any face of this person is kept."""
    given = Given(new.notice, int(new.ends_at.timestamp()), _release(visit, new), by_guardian=new.by_guardian)
    asker = asker_of(caller, new.reason, new.case)
    return _consent(await visit.gate.house.registry.consents.give(gallery, SubjectId(subject), given, asker))


@routes.add("GET", GALLERY + "/release-waits", permission=Permission.SUBJECT_ENROL, summary="Who waits for a release")
async def list_release_waits(house: TheHouse, gallery: TheGallery, limit: WaitLimit = 50) -> WaitList:
    """List of whom the written release is asked and who has neither given nor declined it, the longest first."""
    found = await house.registry.consents.waiting(gallery, limit)
    return WaitList(waits=[WaitSeen(subject_id=subject, asked_at=moment(at)) for subject, at in found])


@routes.add("POST", ONE + "/decline", permission=Permission.SUBJECT_ENROL, body=Why, summary="Give no release")
async def decline_release(
    subject: str, asked: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery
) -> RecordSeen:
    """Note that the person gives no release: they go on by card or PIN, and nobody asks again."""
    await house.registry.consents.decline(gallery, SubjectId(subject), asker_of(caller, asked.reason, asked.case))
    return await show_record(subject, house, caller, gallery)


@routes.add("GET", ONE + "/wording", permission=Permission.SUBJECT_ENROL, summary="What a passkey signs")
async def show_wording(
    subject: str,
    house: TheHouse,
    gallery: TheGallery,
    ends_at: Annotated[AwareDatetime, Query(description="Until when the consent holds.")],
    notice: Annotated[Notice, Query()],
) -> WordingSeen:
    """Give the parts of what a person signs who releases by a passkey, for the witness's page."""
    who = SubjectId(subject)
    await house.registry.listing.one(gallery, who)
    made = house.registry.consents.wording(gallery, who, notice, int(ends_at.timestamp()))
    return WordingSeen(**asdict(made))


@routes.add(
    "POST",
    ONE + "/withdraw",
    permission=Permission.SUBJECT_ERASE,
    body=WithdrawBody,
    parks=True,
    response_model=WithdrawnInfo,
    summary="Withdraw",
)
async def withdraw(
    visit: Here, subject: str, asked: WithdrawBody, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Withdraw: nothing is matched from now on, and the face, or all of the person's record, is erased."""

    async def act(asker: Asker) -> WithdrawnInfo:
        consents = visit.gate.house.registry.consents
        done = await consents.withdraw(gallery, SubjectId(subject), asker, keep_card=asked.keep_card)
        return WithdrawnInfo(erased=done.erased)

    of = Request(Permission.SUBJECT_ERASE, asked.reason, asked.case, two=asked.two)
    return await answered(visit, caller, of, act)


@routes.add("POST", ONE + "/contact", permission=Permission.SUBJECT_ENROL, body=Why, summary="Note a contact")
async def note_contact(subject: str, asked: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> EndSeen:
    """Note that the person was heard of: the record's time runs anew, never beyond three years."""
    asker = asker_of(caller, asked.reason, asked.case)
    return EndSeen(expires_at=moment(await house.registry.registrar.contact(gallery, SubjectId(subject), asker)))


@routes.add("POST", ONE + "/over", permission=Permission.SUBJECT_ERASE, body=Why, summary="The purpose is met")
async def purpose_met(subject: str, asked: Why, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> EndSeen:
    """Say that what the person was kept for is done: the record is erased by itself, within a minute."""
    asker = asker_of(caller, asked.reason, asked.case)
    registrar = house.registry.registrar
    return EndSeen(expires_at=moment(await registrar.contact(gallery, SubjectId(subject), asker, over=True)))


@routes.add("POST", ONE + "/end", permission=Permission.SUBJECT_ERASE, body=EndBody, summary="Set when a record ends")
async def set_end(subject: str, asked: EndBody, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> EndSeen:
    """End one person's record earlier than the gallery would; without `ends_at`, let the gallery's clock end it."""
    asker = asker_of(caller, asked.reason, asked.case)
    ends = house.registry.ends
    return EndSeen(expires_at=moment(await ends.set(gallery, SubjectId(subject), seconds_of(asked.ends_at), asker)))
