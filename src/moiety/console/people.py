"""The pages about people: lists by id and masks, one person's record, what is owed to them, and what is left."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from fastapi import Path
from starlette.responses import HTMLResponse, RedirectResponse, Response

from moiety.access import Permission
from moiety.api.persons import After
from moiety.api.routes import Routes
from moiety.api.schemas import PAGE_MAX
from moiety.api.visits import TheGallery, TheHouse, asker_of
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.foundation.ids import SubjectId
from moiety.people.capture import ATTENDED, SENT
from moiety.people.fields import RESERVED
from moiety.people.holds import REVIEW_DAYS_MAX
from moiety.people.house import House
from moiety.people.listing import export_lines
from moiety.people.receipts import handed_out
from moiety.people.rules import CEILING_DAYS, DAY_SECONDS, POLICE_STATUS
from moiety.storage import Gallery, GalleryState
from moiety.storage.person_records import HoldState

routes = Routes("people")

PAGE: Final = 25
GALLERY: Final = "/people/{gallery}"
ONE: Final = GALLERY + "/{subject}"
WORDS_OF_CAPTURE: Final = {
    ATTENDED: N_("taken here"),
    SENT: N_("sent to us"),
}
TheSubject = Annotated[str, Path(pattern=r"^sub_[a-z2-7]{16}$")]


@dataclass(frozen=True, slots=True)
class Can:
    """What the reader may do in one gallery; pages offer nothing else."""

    read: bool
    enrol: bool
    reveal: bool
    erase: bool
    rights: bool
    hold: bool
    verify: bool

    @classmethod
    def of(cls, frame: Frame, gallery: Gallery) -> Self:
        """Ask for all of it."""
        return cls(
            read=frame.may(Permission.SUBJECT_READ, gallery.id),
            enrol=frame.may(Permission.SUBJECT_ENROL, gallery.id),
            reveal=frame.may(Permission.SUBJECT_REVEAL, gallery.id),
            erase=frame.may(Permission.SUBJECT_ERASE, gallery.id),
            rights=frame.may(Permission.SUBJECT_RIGHTS, gallery.id),
            hold=frame.may(Permission.SUBJECT_HOLD, gallery.id),
            verify=frame.may(Permission.PROBE_VERIFY, gallery.id),
        )


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


async def open_galleries(frame: Frame, permission: Permission) -> list[Gallery]:
    """List the open galleries in which the reader has a permission."""
    found = await frame.visit.gate.house.galleries.list()
    here = frame.caller.visible(permission, [one.id for one in found])
    return [one for one in found if one.state is GalleryState.OPEN and one.id in here]


@routes.add(
    "GET",
    "/people",
    permission=Permission.SUBJECT_READ,
    listing=True,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def galleries_of_people(frame: Framed) -> Response:
    """Show in which galleries the reader may see people; where it is one, go there."""
    galleries = await open_galleries(frame, Permission.SUBJECT_READ)
    if len(galleries) == 1:
        return RedirectResponse(f"/people/{galleries[0].id}", 303)
    return frame.page("people-galleries.html", here="people", galleries=galleries)


@routes.add("GET", GALLERY, permission=Permission.SUBJECT_READ, response_class=HTMLResponse, include_in_schema=False)
async def list_of_people(frame: Framed, house: TheHouse, gallery: TheGallery, after: After = None) -> HTMLResponse:
    """List people by ids, dates and counts; nothing is opened before somebody says why."""
    start = None if after is None else SubjectId(after)
    people = await house.directory.page(gallery, start, PAGE)
    older = f"/people/{gallery.id}?after={people[-1].id}" if len(people) == PAGE else ""
    newer = f"/people/{gallery.id}" if after else ""
    return frame.page(
        "people.html",
        here="people",
        gallery=gallery,
        can=Can.of(frame, gallery),
        people=people,
        after=after or "",
        page=PAGE,
        export=export_lines(None, PAGE_MAX),
        newer=newer,
        older=older,
    )


@routes.add(
    "GET",
    GALLERY + "/owed",
    permission=Permission.SUBJECT_READ,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def owed(frame: Framed, house: TheHouse, gallery: TheGallery) -> HTMLResponse:
    """Show which earlier answers somebody has to look at again, and the gallery's legal holds."""
    follow_ups = await house.registry.follow_ups.open(gallery)
    holds = await _holds(frame, house, gallery)
    return frame.page(
        "people-owed.html",
        here="people",
        gallery=gallery,
        can=Can.of(frame, gallery),
        follow_ups=follow_ups,
        holds=holds,
    )


@routes.add("GET", "/told", permission=Permission.SELF, response_class=HTMLResponse, include_in_schema=False)
async def told(frame: Framed, house: TheHouse) -> HTMLResponse:
    """Show which answers the reader was given and has to look at again, whatever else they may read."""
    return frame.page("told.html", here="told", follow_ups=await house.registry.follow_ups.mine(frame.caller.key_id))


@routes.add(
    "GET",
    GALLERY + "/releases",
    permission=Permission.SUBJECT_ENROL,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def releases(frame: Framed, house: TheHouse, gallery: TheGallery) -> HTMLResponse:
    """Show who waits for the written release, the longest first; each release is taken on a page of its own."""
    found = await house.registry.consents.waiting(gallery, PAGE + 1)
    return frame.page("releases.html", here="people", gallery=gallery, waits=found[:PAGE], more=len(found) > PAGE)


async def _holds(frame: Frame, house: House, gallery: Gallery, subject: str = "") -> list[Any]:
    """Give the holds that are not over, of one person or of all, to whoever may see them."""
    if not frame.may(Permission.SUBJECT_HOLD, gallery.id):
        return []
    found = await house.registry.holds.list(gallery)
    return [one for one in found if one.state != HoldState.RELEASED and subject in {"", one.subject_id}]


@dataclass(frozen=True, slots=True)
class Named:
    """The sealed fields of one person by what they are, each by its name alone."""

    plain: list[str]
    guardian: list[str]
    images: list[str]

    @classmethod
    def of(cls, names: list[str]) -> Self:
        """Sort names; a PIN's mark and a release stand for themselves and are not among them."""
        return cls(
            [name for name in names if name == POLICE_STATUS or not name.startswith(RESERVED)],
            [name for name in names if name.startswith("guardian_")],
            [name for name in names if name.startswith("image_")],
        )


@routes.add("GET", ONE, permission=Permission.SUBJECT_READ, response_class=HTMLResponse, include_in_schema=False)
async def one_person(frame: Framed, house: TheHouse, gallery: TheGallery, subject: TheSubject) -> HTMLResponse:
    """Show why one person is kept, and what may be done; each sealed field is a name until it is revealed."""
    who = SubjectId(subject)
    registry = house.registry
    person, now = await registry.listing.seen(gallery, who, asker_of(frame.caller, "")), house.desk.clock.now()
    own_end = await registry.ends.own(gallery, who)
    last_end = own_end.clock_at if own_end else person.expires_at
    return frame.page(
        "person.html",
        here="people",
        gallery=gallery,
        person=person,
        named=Named.of(await house.fields.names(gallery, who)),
        photos=await house.directory.photos(gallery, who),
        taken={how: frame.say(words) for how, words in WORDS_OF_CAPTURE.items()},
        consents=await registry.consents.of_subject(gallery, who),
        holds=await _holds(frame, house, gallery, subject),
        own_since=await house.own.since(gallery, who),
        can=Can.of(frame, gallery),
        purposes=await _purposes(frame, gallery),
        own_end=own_end,
        # A day that begins before the gallery ends the record.
        last_end=_day(last_end) if last_end and last_end > now + DAY_SECONDS else "",
        now=now,
        first_day=_day(now + DAY_SECONDS),
        last_day=_day(now + (REVIEW_DAYS_MAX - 1) * DAY_SECONDS),
    )


async def _purposes(frame: Frame, gallery: Gallery) -> list[tuple[str, str]]:
    """Give the other galleries in which the reader may enrol, with their words."""
    if not frame.may(Permission.SUBJECT_ENROL):
        return []
    found = await open_galleries(frame, Permission.SUBJECT_ENROL)
    return [(one.id, f"{one.name}: {one.purpose}") for one in found if one.id != gallery.id]


def release_at(sign_at: str) -> str:
    """Give the page of the witness on which a person releases by a passkey of their own; empty where there is none."""
    return sign_at.removesuffix("/sign") + "/release" if sign_at else ""


@routes.add(
    "GET",
    ONE + "/consent",
    permission=Permission.SUBJECT_ENROL,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def consent(frame: Framed, house: TheHouse, gallery: TheGallery, subject: TheSubject) -> HTMLResponse:
    """Show what is consented to, and take the written release."""
    person = await house.registry.listing.one(gallery, SubjectId(subject))
    rule = await house.registry.rules.get(gallery)
    now = house.desk.clock.now()
    days = min(rule.keep_days if rule else CEILING_DAYS, CEILING_DAYS)
    return frame.page(
        "consent.html",
        here="people",
        gallery=gallery,
        person=person,
        rule=rule,
        ends_day=_day(now + (days - 1) * DAY_SECONDS),
        first_day=_day(now + DAY_SECONDS),
        last_day=_day(now + (CEILING_DAYS - 1) * DAY_SECONDS),
        release_at=release_at(frame.visit.gate.sign_at),
    )


@routes.add(
    "GET",
    GALLERY + "/receipts/{subject}",
    permission=Permission.SUBJECT_READ,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def receipts(frame: Framed, house: TheHouse, gallery: TheGallery, subject: TheSubject) -> HTMLResponse:
    """Show the signed receipts for somebody of whom nothing else may be left."""

    def read() -> list[dict[str, Any]]:
        with house.desk.store.read() as tx:
            kept = tx.receipts.of_subject(gallery.id, SubjectId(subject))
        given = [handed_out(house.desk, one) for one in kept]
        documents = [(one, json.loads(one.document)) for one in given]
        return [
            {"told": told, "at": datetime.fromisoformat(told["at"]), "file": one.as_json()} for one, told in documents
        ]

    found = await asyncio.to_thread(read)
    return frame.page("receipts.html", here="people", gallery=gallery, subject=subject, receipts=found)
