"""The questions: who is this, is it really them, and do two pictures show the same person."""

import hashlib
from collections.abc import Callable

from pydantic import BaseModel
from starlette.responses import Response

from moiety.access import Caller, Permission
from moiety.access.kinds import CASE_SEARCH
from moiety.access.spending import by_two
from moiety.api import faces
from moiety.api.deployments import approval_of
from moiety.api.questions import Request, answered
from moiety.api.routes import Routes
from moiety.api.schemas import (
    CandidateInfo,
    Compared,
    CompareForm,
    FaceFound,
    Identified,
    IdentifyForm,
    Verified,
    VerifyForm,
)
from moiety.api.visits import Here, TheCaller, TheGallery, TheHouse, asker_of, form_of
from moiety.foundation.errors import BadInput
from moiety.foundation.ids import SubjectId
from moiety.matching.answers import Candidate, FaceAnswer
from moiety.matching.desk import Asker
from moiety.matching.vigil import is_person
from moiety.people.house import House
from moiety.people.masks import DOTS, masked
from moiety.storage import Gallery, Transaction

routes = Routes("questions")


@routes.add(
    "POST",
    "/v1/galleries/{gallery}/identify",
    permission=Permission.PROBE_IDENTIFY,
    form=IdentifyForm,
    parks=True,
    response_model=Identified,
    response_model_exclude_unset=True,
    summary="Identify (1:N)",
)
async def identify(visit: Here, house: TheHouse, caller: TheCaller, gallery: TheGallery) -> BaseModel | Response:
    """Say who of the gallery is in the picture. With `reveal` a key also needs `gallery:subject:reveal`.

    People who work here open names one by one: for them `reveal` is refused. With `masked` each candidate has the
    reference masked, as lists show it, for who has `gallery:subject:read`. Where others than the gate sign, one face is
    asked about: the biggest, or `face`. References are then left out where the policy wants more than the gate's key
    for a reveal.
    """
    form = form_of(visit, IdentifyForm)
    if form.reveal:
        if is_person(caller.key_id):
            # As many names as there are candidates, for one reason: a reveal shows one.
            raise BadInput("People see references masked here; open the one that you need, with its reason.")
        caller.require(Permission.SUBJECT_REVEAL, gallery.id)
    if form.masked:
        caller.require(Permission.SUBJECT_READ, gallery.id)

    spend = await _spend(visit, caller, gallery, form)

    async def act(asker: Asker) -> Identified:
        answers = await house.identifier.identify(gallery, form.image, asker, spend)
        named = form.reveal or form.masked
        labels = await _labels(house, gallery, answers, caller, form) if named else {}
        return Identified(faces=[_found(answer, labels, form) for answer in answers])

    of = Request(Permission.PROBE_IDENTIFY, form.reason, form.case, form, form.image, set_only=True)
    return await answered(visit, caller, of, act)


async def _spend(
    visit: Here, caller: Caller, gallery: Gallery, form: IdentifyForm
) -> Callable[[Transaction], None] | None:
    """Give what a search of two people uses up; None where the gallery does not want that."""
    under = await visit.gate.house.registry.deploying.get(gallery)
    if under is None or not under.two_to_search:
        return None
    spend = by_two(visit.gate.staff, caller, CASE_SEARCH, approval_of(form.approval), gallery.id)
    lines = {"case": form.case, "picture": hashlib.sha256(form.image).hexdigest()}

    def use_up(tx: Transaction) -> None:
        spend(tx, lines)

    return use_up


async def _labels(
    house: House, gallery: Gallery, answers: list[FaceAnswer], caller: Caller, form: IdentifyForm
) -> dict[SubjectId, str]:
    """Have the references of all candidates revealed."""
    subjects = sorted({candidate.subject for answer in answers for candidate in answer.candidates})
    if not subjects:
        return {}
    asker = asker_of(caller, form.reason, form.case)
    return await house.fields.labels(gallery, subjects, asker, bare=form.reveal)


def _candidate(one: Candidate, labels: dict[SubjectId, str], form: IdentifyForm) -> CandidateInfo:
    """Show one candidate; the reference is left out where it was not asked for."""
    label = labels.get(one.subject)
    shown: dict[str, str | None] = {"subject": label} if form.reveal else {}
    if form.masked:
        shown["masked"] = masked(label) if label is not None else DOTS
    return CandidateInfo(subject_id=one.subject, band=one.band, **shown)


def _found(answer: FaceAnswer, labels: dict[SubjectId, str], form: IdentifyForm) -> FaceFound:
    """Show one face and its candidates."""
    candidates = [_candidate(one, labels, form) for one in answer.candidates]
    face = faces.told(answer.face)
    return FaceFound(
        box=face.box,
        quality=face.quality,
        liveness=face.liveness,
        too_many=answer.too_many,
        candidates=candidates,
    )


@routes.add(
    "POST",
    "/v1/galleries/{gallery}/subjects/{subject}/verify",
    permission=Permission.PROBE_VERIFY,
    form=VerifyForm,
    parks=True,
    response_model=Verified,
    summary="Verify (1:1)",
)
async def verify(
    visit: Here, subject: str, house: TheHouse, caller: TheCaller, gallery: TheGallery
) -> BaseModel | Response:
    """Say whether the biggest face of the picture, or the face that is named, is this subject."""
    form = form_of(visit, VerifyForm)

    async def act(asker: Asker) -> Verified:
        verdict = await house.verifier.verify(gallery, SubjectId(subject), form.image, asker)
        return Verified(same=verdict.same, band=verdict.band, face=faces.told(verdict.faces[0]))

    of = Request(Permission.PROBE_VERIFY, form.reason, form.case, form, form.image)
    return await answered(visit, caller, of, act)


@routes.add("POST", "/v1/compare", permission=Permission.PAIR_COMPARE, form=CompareForm, summary="Compare two pictures")
async def compare(visit: Here, house: TheHouse, caller: TheCaller) -> Compared:
    """Say whether the biggest faces of two pictures are of the same person; nothing of them is kept."""
    form = form_of(visit, CompareForm)
    verdict = await house.verifier.compare(form.first, form.second, asker_of(caller, form.reason, form.case))
    return Compared(same=verdict.same, band=verdict.band, faces=[faces.told(face) for face in verdict.faces])
