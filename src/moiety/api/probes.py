"""The questions: who is this, is it really them, and do two pictures show the same person."""

from pydantic import BaseModel
from starlette.responses import Response

from moiety.access import Caller, Permission
from moiety.api import faces
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
from moiety.foundation.ids import SubjectId
from moiety.matching.answers import FaceAnswer
from moiety.matching.desk import Asker
from moiety.people.house import House
from moiety.storage import Gallery

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
    """Say who of the gallery is in the picture. With `reveal` the key also needs `gallery:subject:reveal`.

    Where others than the gate sign, one face is asked about: the biggest, or `face`. References are then left out
    where the policy wants more than the gate's key for a reveal.
    """
    form = form_of(visit, IdentifyForm)
    if form.reveal:
        caller.require(Permission.SUBJECT_REVEAL, gallery.id)

    async def act(asker: Asker) -> Identified:
        answers = await house.identifier.identify(gallery, form.image, asker)
        labels = await _labels(house, gallery, answers, caller, form) if form.reveal else None
        return Identified(faces=[_found(answer, labels) for answer in answers])

    of = Request(Permission.PROBE_IDENTIFY, form.reason, form.case, form, form.image, set_only=True)
    return await answered(visit, caller, of, act)


async def _labels(
    house: House, gallery: Gallery, answers: list[FaceAnswer], caller: Caller, form: IdentifyForm
) -> dict[SubjectId, str]:
    """Have the references of all candidates revealed."""
    subjects = sorted({candidate.subject for answer in answers for candidate in answer.candidates})
    if not subjects:
        return {}
    return await house.fields.labels(gallery, subjects, asker_of(caller, form.reason, form.case))


def _found(answer: FaceAnswer, labels: dict[SubjectId, str] | None) -> FaceFound:
    """Show one face and its candidates; the reference is left out where its reveal was not asked for."""
    candidates = [
        CandidateInfo(subject_id=one.subject, band=one.band)
        if labels is None
        else CandidateInfo(subject_id=one.subject, band=one.band, subject=labels.get(one.subject))
        for one in answer.candidates
    ]
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
