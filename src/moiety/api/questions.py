"""Questions that wait for signatures: who may see them, what is signed, and the answer when it is there."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.responses import JSONResponse

from moiety.access import Caller, Permission
from moiety.api.problems import of_refusal, of_status
from moiety.api.routes import Routes, Visit
from moiety.api.schemas import moment
from moiety.api.visits import Here, TheCaller, asker_of
from moiety.api.waiting import BySigner, Material, PaperSeen, QuestionList, QuestionSeen, SignatureGiven
from moiety.foundation.errors import BadInput, Forbidden, NotFound, Refusal
from moiety.foundation.ids import GalleryId
from moiety.matching.desk import Asker
from moiety.matching.parked import GONE, Owner, Question, State, Waiting
from moiety.matching.signing import ByDevice
from moiety.storage.noted import kept, noting
from moiety.warrants.warrant import Signature

routes = Routes("questions that wait")
ONE = "/v1/questions/{question}"


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer, with the status and the form in which the direct route gives it, and the ledger's entries of it."""

    body: BaseModel
    status: int
    set_only: bool
    entries: list[int]


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What a route says of an act: under which permission it is done, and what came with it."""

    permission: Permission
    reason: str
    case: str = ""
    form: BySigner | None = None
    image: bytes = b""
    two: bool = False
    status: int = 200
    set_only: bool = False


async def answered(
    visit: Visit, caller: Caller, of: Request, act: Callable[[Asker], Awaitable[BaseModel]]
) -> BaseModel | JSONResponse:
    """Carry out an act: give its answer, or where people must sign first, 202 with the question that it became."""
    gallery = visit.gallery
    if gallery is None:
        raise NotFound
    slip = of.form.slip(hashlib.sha256(of.image).digest(), of.case) if of.form else None
    face = of.form.face if of.form else 0
    if slip:
        return await act(asker_of(caller, of.reason, slip.slip.door, ByDevice(slip, face)))

    async def whole(waiting: Waiting) -> Reply:
        with noting() as entries:
            body = await act(asker_of(caller, of.reason, of.case, waiting))
        return Reply(body, of.status, of.set_only, entries)

    owner = Owner(caller.key_id, of.permission.value, gallery.id)
    made = await visit.gate.house.parked.run(whole, owner, Waiting(face, two=of.two), gallery.name)
    if isinstance(made, Reply):
        kept(made.entries)
        return made.body
    told = _seen(visit, made).model_dump(mode="json", exclude_none=True)
    return JSONResponse(told, 202, {"Location": f"/v1/questions/{made.id}"})


def _seen(visit: Visit, question: Question) -> QuestionSeen:
    """Show how far a question is."""
    return QuestionSeen(
        id=question.id,
        state=question.state.value,
        act=question.act.value,
        gallery_id=question.owner.gallery,
        gallery=question.about,
        needs=question.needs.value,
        signed=question.waiting.signed,
        wanted=question.waiting.wanted,
        expires_at=moment(question.ends_at),
        sign_at=visit.gate.sign_at,
    )


def _the(visit: Visit) -> Question:
    """Give the question that the guard found."""
    if visit.question is None:
        raise NotFound(GONE)
    return visit.question


@routes.add("GET", "/v1/questions", of_question=True, summary="List", response_model_exclude_none=True)
async def list_questions(visit: Here, caller: TheCaller) -> QuestionList:
    """List the questions that wait in galleries where the caller could have asked them."""
    found = []
    for question in visit.gate.house.parked.list():
        try:
            caller.require(Permission(question.owner.permission), GalleryId(question.owner.gallery))
        except Forbidden:
            continue
        found.append(_seen(visit, question))
    return QuestionList(questions=found)


@routes.add("GET", ONE, of_question=True, summary="Show, or fetch the answer", response_model_exclude_none=True)
async def show_question(visit: Here, caller: TheCaller) -> QuestionSeen:
    """Show how far a question is. Its answer is given once, to whoever asked, and then forgotten."""
    question = _the(visit)
    seen = _seen(visit, question)
    if question.state is State.WAITING or caller.key_id != question.owner.actor:
        return seen
    visit.gate.house.parked.take(question)
    if question.state is State.EXPIRED:
        return seen
    error = question.task.exception()
    if error is not None:
        problem = of_refusal(error) if isinstance(error, Refusal) else of_status(500)
        return seen.model_copy(update={"status": problem.status, "problem": problem.as_dict()})
    reply = question.task.result()
    body = reply.body.model_dump(mode="json", exclude_unset=reply.set_only)
    return seen.model_copy(update={"status": reply.status, "answer": body, "entries": reply.entries})


@routes.add("GET", ONE + "/material", of_question=True, summary="What is signed")
async def question_material(visit: Here) -> Material:
    """Give the warrant, the eye's statement and the picture for the page on which people sign."""
    question = _the(visit)
    papers, waiting = question.papers, question.waiting
    return Material(
        id=question.id,
        gallery_name=question.about,
        needs=question.needs.value,
        signed=waiting.signed,
        wanted=waiting.wanted,
        nonce=papers.nonce.hex(),
        papers=[
            PaperSeen(warrant=_text(one.warrant.encode()), statement=_text(one.statement), about=dict(one.about))
            for one in papers.papers
        ],
        picture=_text(papers.picture) if papers.picture else None,
    )


@routes.add(
    "POST",
    ONE + "/signatures",
    of_question=True,
    body=SignatureGiven,
    summary="Sign",
    response_model_exclude_none=True,
)
async def sign_question(visit: Here, given: SignatureGiven) -> QuestionSeen:
    """Take a signature that the vaults would take; with the last one that is needed the question goes on its way.

    A wrong one is refused, and the question goes on waiting for the right one.
    """
    question = _the(visit)
    if given.question not in {None, question.id}:
        raise BadInput("This signature is for another question.")
    signature = Signature(given.scheme, _raw(given.signer), _raw(given.value))
    await question.waiting.add(signature, given.paper, visit.gate.house.desk.must_take)
    return _seen(visit, question)


def _text(raw: bytes) -> str:
    """Write bytes in base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    """Read what `_text` wrote.

    Raises:
        BadInput: it is not base64url.

    """
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadInput("A signature is not base64url.") from None
