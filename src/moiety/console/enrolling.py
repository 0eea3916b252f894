"""The pages on which people come in: who it is and why first, then the release, then the photo."""

from typing import Final

from starlette.responses import HTMLResponse, RedirectResponse, Response

from moiety.access import Permission
from moiety.api.guidance import HINTS
from moiety.api.routes import Routes
from moiety.api.visits import TheGallery, TheHouse
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.console.people import ONE, TheSubject, open_galleries
from moiety.foundation.ids import SubjectId
from moiety.people.rules import BASES, CEILING_DAYS, DAY_SECONDS, POLICE, SOURCES, day_of

routes = Routes("enrolment")

# What somebody before the camera should do; the keys are those of `api/guidance.py`.
GUIDE: Final = {
    "closer": N_("Come closer."),
    "still": N_("Hold still; the picture is blurred."),
    "light": N_("More light on the face, please."),
    "shade": N_("Less light: the face is too bright."),
    "straight": N_("Look straight into the camera."),
    "lower": N_("Lower the chin a little."),
    "higher": N_("Raise the chin a little."),
    "upright": N_("Hold the head upright."),
    "middle": N_("Move into the middle: the face is cut off."),
    "uncovered": N_("Take off glasses, mask or hat, and come closer."),
    "alone": N_("One face only: others must step aside."),
    "nobody": N_("No face is seen. Look into the camera."),
}
WORDS_OF_BASES: Final = {
    "consent": N_("consent"),
    "contract": N_("contract"),
    "legal-obligation": N_("legal obligation"),
    "vital-interest": N_("vital interest"),
    "public-task": N_("public task"),
    "legitimate-interest": N_("legitimate interest"),
}
WORDS_OF_SOURCES: Final = {
    "person": N_("the person"),
    "guardian": N_("a guardian"),
    "relative": N_("a relative"),
    "employer": N_("the employer"),
    "authority": N_("an authority"),
    "import": N_("an import"),
}
WORDS_OF_POLICE: Final = {
    "suspect": N_("suspect"),
    "convicted": N_("convicted"),
    "victim": N_("victim"),
    "witness": N_("witness of a crime"),
    "missing": N_("missing person"),
}


@routes.add(
    "GET",
    "/enrol",
    permission=Permission.SUBJECT_ENROL,
    listing=True,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def begin(frame: Framed) -> Response:
    """Show into which galleries the reader may enter people; where it is one, go there."""
    galleries = await open_galleries(frame, Permission.SUBJECT_ENROL)
    if len(galleries) == 1:
        return RedirectResponse(f"/enrol/{galleries[0].id}", 303)
    return frame.page("enrol-galleries.html", here="enrol", galleries=galleries)


@routes.add(
    "GET",
    "/enrol/{gallery}",
    permission=Permission.SUBJECT_ENROL,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def enter(frame: Framed, house: TheHouse, gallery: TheGallery) -> HTMLResponse:
    """Ask who comes in and why: purpose, basis, controller, source and end, before any picture."""
    rule = await house.registry.rules.get(gallery)
    under = await house.registry.deploying.get(gallery)
    days = rule.keep_days if rule else gallery.retention_days or CEILING_DAYS
    now = house.desk.clock.now()
    ends = now + min(days, CEILING_DAYS) * DAY_SECONDS
    return frame.page(
        "enrol.html",
        here="enrol",
        gallery=gallery,
        rule=rule,
        ends=ends,
        first_day=day_of(now + DAY_SECONDS),
        # A day that begins before the gallery ends the record.
        last_end=day_of(ends) if days > 1 else "",
        bases=_said(frame, WORDS_OF_BASES, BASES),
        sources=_said(frame, WORDS_OF_SOURCES, SOURCES),
        police=_said(frame, WORDS_OF_POLICE, POLICE) if under and under.police else [],
    )


def _said(frame: Frame, words: dict[str, str], codes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Give codes with their words in the reader's language."""
    return [(code, frame.say(words[code])) for code in codes]


@routes.add(
    "GET",
    "/enrol/{gallery}/many",
    permission=Permission.SUBJECT_ENROL,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def many(frame: Framed, house: TheHouse, gallery: TheGallery) -> HTMLResponse:
    """Take many photos of many people; the files' names are the references."""
    rule = await house.registry.rules.get(gallery)
    alone = await _alone(house, gallery)
    return frame.page("enrol-many.html", here="enrol", gallery=gallery, rule=rule, person=None, alone=alone)


async def _alone(house: TheHouse, gallery: TheGallery) -> bool:
    """Whether photos that were sent stand alone: those of the police, of people who cannot come."""
    under = await house.registry.deploying.get(gallery)
    return under is not None and under.police


@routes.add(
    "GET",
    ONE + "/photos",
    permission=Permission.SUBJECT_ENROL,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def photos(frame: Framed, house: TheHouse, gallery: TheGallery, subject: TheSubject) -> HTMLResponse:
    """Take photos of one person: with the camera, which is guided, or from files."""
    person = await house.registry.listing.one(gallery, SubjectId(subject))
    guide = {name: frame.say(GUIDE[name]) for name in HINTS}
    alone = await _alone(house, gallery)
    return frame.page("enrol-photos.html", here="people", gallery=gallery, person=person, guide=guide, alone=alone)
