"""Galleries: what each is for, what it asks before it keeps anybody, how sure its words are, who may change that."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.api.visits import TheGallery
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.console.proofs import Proof, last, proof
from moiety.people.deploying import REVIEW_DAYS_MAX
from moiety.people.rules import BASES, CEILING_DAYS, SOURCES
from moiety.storage import Gallery, GalleryState
from moiety.storage.guard_records import Deployment
from moiety.storage.person_records import Rule

routes = Routes("galleries of the console")

BASIS_WORDS: Final = {
    "consent": N_("consent"),
    "contract": N_("a contract"),
    "legal-obligation": N_("a legal obligation"),
    "vital-interest": N_("somebody's vital interest"),
    "public-task": N_("a public task"),
    "legitimate-interest": N_("a legitimate interest"),
}
SOURCE_WORDS: Final = {
    "person": N_("the person"),
    "guardian": N_("a guardian"),
    "relative": N_("a relative"),
    "employer": N_("the employer"),
    "authority": N_("an authority"),
    "import": N_("an import"),
}
STATES: Final = {
    GalleryState.PENDING: (N_("being opened"), "warn"),
    GalleryState.OPEN: (N_("open"), "good"),
    GalleryState.CLOSED: (N_("closed"), "calm"),
}


# What is decided about a gallery, as the ledger calls it.
DECIDED: Final = ("rules", "deployment", "thresholds")


@dataclass(frozen=True, slots=True)
class Room:
    """One gallery as the pages show it; `people` is None for whoever may not list them."""

    one: Gallery
    rule: Rule | None
    under: Deployment | None
    people: int | None
    words: str
    kind: str


def rates(gallery: Gallery) -> dict[str, int]:
    """Say for each band that it is set so that one in so many comparisons of two different people reaches it."""
    return {band: round(10**step / gallery.fmr_target) for step, band in enumerate(gallery.bands)}


async def _room(frame: Frame, gallery: Gallery) -> Room:
    """Read what the pages show of a gallery."""
    store = frame.visit.gate.house.desk.store

    def read() -> tuple[Rule | None, Deployment | None, int]:
        with store.read() as tx:
            active = tx.subjects.count(gallery.id).active
            return tx.rules.get(gallery.id), tx.deployments.get(gallery.id), active

    rule, under, people = await asyncio.to_thread(read)
    words, kind = STATES[gallery.state]
    counted = people if frame.may(Permission.SUBJECT_READ, gallery.id) else None
    return Room(gallery, rule, under, counted, words, kind)


def _proofs(frame: Frame, gallery: Gallery) -> dict[str, Proof | None]:
    """Find the entries of what was decided last about a gallery."""
    with frame.visit.gate.house.desk.store.read() as tx:
        return {act: proof(frame, last(tx, act, gallery.id)) for act in DECIDED}


@routes.add(
    "GET",
    "/galleries",
    permission=Permission.GALLERY_LIST,
    listing=True,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def galleries_page(frame: Framed) -> HTMLResponse:
    """Show the galleries that the reader may see, and open a new one."""
    known = await frame.visit.gate.house.galleries.list()
    here = set(frame.caller.visible(Permission.GALLERY_LIST, [one.id for one in known]))
    rooms = [await _room(frame, one) for one in known if one.id in here]
    return frame.page("galleries.html", here="galleries", rooms=rooms)


@routes.add(
    "GET",
    "/galleries/{gallery}",
    permission=Permission.GALLERY_LIST,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def gallery_page(frame: Framed, gallery: TheGallery) -> HTMLResponse:
    """Show one gallery with all that it asks."""
    today = datetime.fromtimestamp(frame.visit.gate.house.desk.clock.now(), UTC).date()
    return frame.page(
        "gallery.html",
        here="galleries",
        room=await _room(frame, gallery),
        proofs=await asyncio.to_thread(_proofs, frame, gallery),
        rates=rates(gallery),
        bases=[(one, frame.say(BASIS_WORDS[one])) for one in BASES],
        sources=[(one, frame.say(SOURCE_WORDS[one])) for one in SOURCES],
        most=CEILING_DAYS,
        may_rule=frame.may(Permission.RULES_SET, gallery.id),
        review=[today + timedelta(days=1), today + timedelta(days=REVIEW_DAYS_MAX - 1)],
    )
