"""Questions that wait for people's signatures: in memory alone, bounded in number and bytes, gone after ten minutes.

An act stays one coroutine: where it needs signatures it waits in `Waiting.sign`, and whoever asked gets a `Question`
instead of the answer. A restart of the gate loses all of them; no vault has heard of one before it is signed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from moiety.foundation.errors import (
    AlreadyThere,
    BadInput,
    Fault,
    NotFound,
    Refusal,
    SignatureNeeded,
    TooMany,
    Unverified,
)
from moiety.matching.signing import NONCE_BYTES, PATIENT_SECONDS, SIGNERS, needed
from moiety.vault.policy import Needs
from moiety.warrants.proofs import Assertion, DeviceProof, SessionProof
from moiety.warrants.warrant import Act, Scheme, signed_with
from moiety.watch import kind_of, place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from moiety.foundation.clock import Clock
    from moiety.matching.signing import Paper, Papers
    from moiety.warrants.warrant import Signature, SignedWarrant

_log = logging.getLogger(__name__)
T = TypeVar("T")

QUESTIONS_MAX = 64
QUESTIONS_EACH_MAX = 16
BYTES_MAX = 256 << 20
ID_BYTES = 10
LATE = "Nobody signed in time; ask again."
GONE = "This question is not here: it was answered and fetched, it is over, or the gate was restarted since."
_PEOPLE = (Needs.OPERATOR, Needs.TWO_PERSON)


class State(StrEnum):
    """How far a question is."""

    WAITING = "waiting"
    ANSWERED = "answered"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who asked, and under which permission in which gallery; whoever has that permission there may see and sign."""

    actor: str
    permission: str
    gallery: str


class Waiting:
    """The signatures of one request, which come while it waits; `two` has two people sign where one would do."""

    def __init__(self, face: int = 0, *, two: bool = False) -> None:
        """Ask about the face with this number."""
        self.face = face
        self._two = two
        self.nonce = os.urandom(NONCE_BYTES)
        self.papers: Papers | None = None
        self.wanted = 0
        self.given: list[list[Signature]] = []
        self.began = asyncio.Event()
        self._enough = asyncio.Event()
        # Signatures are checked one after the other: each beside those that were taken before it.
        self._turn = asyncio.Lock()

    async def sign(self, papers: Papers) -> Sequence[Sequence[Signature]]:
        """Lay the papers out, and wait until they are signed.

        Raises:
            SignatureNeeded: a device signs pictures, and at once; or nobody has signed in time.

        """
        if papers.terms.needs is Needs.DEVICE and papers.picture:
            raise needed(papers.terms.needs)
        self.wanted = 2 if self._two else SIGNERS[papers.terms.needs]
        self.given = [[] for _ in papers.papers]
        self.papers = papers
        self.began.set()
        try:
            async with asyncio.timeout(PATIENT_SECONDS):
                await self._enough.wait()
        except TimeoutError:
            raise SignatureNeeded(LATE) from None
        finally:
            # The picture is needed no more; the answer does not hold it.
            self.papers = None
        return self.given

    @property
    def signed(self) -> int:
        """How many have signed every paper."""
        return min((len(one) for one in self.given), default=0)

    async def add(self, signature: Signature, number: int, check: Callable[[SignedWarrant], Awaitable[None]]) -> None:
        """Put a signature under a paper if `check` takes it beside those that are there; else the question waits on.

        Raises:
            BadInput: it is not of the kind that is needed, or not for this paper.
            AlreadyThere: the same passkey or session has signed it.
            Refusal: what `check` raises.

        """
        async with self._turn:
            papers = self._papers()
            if number >= len(papers.papers):
                raise BadInput("There is no such paper in this question.")
            paper, given = papers.papers[number], self.given[number]
            _must_fit(signature, paper, papers.terms.needs)
            if any(one.signer == signature.signer for one in given):
                raise AlreadyThere("This passkey has signed it already; another person must sign.")
            if len(given) < self.wanted:
                await check(signed_with(paper.warrant, *given, signature))
                self._papers()
                given.append(signature)
            if self.signed >= self.wanted:
                self._enough.set()

    def _papers(self) -> Papers:
        """Give the papers.

        Raises:
            NotFound: nobody waits for signatures any more.

        """
        if self.papers is None:
            raise NotFound(GONE)
        return self.papers


def _must_fit(signature: Signature, paper: Paper, needs: Needs) -> None:
    """Check that a signature is of the kind that a policy wants, and of this warrant.

    Raises:
        BadInput: it is not.

    """
    kinds = {Scheme.PASSKEY} if needs in _PEOPLE else {Scheme.DEVICE}
    if paper.warrant.act is Act.REVEAL and needs in _PEOPLE:
        kinds.add(Scheme.SESSION)
    if signature.scheme not in kinds:
        raise BadInput(f"This question is signed by: {', '.join(sorted(kinds))}.")
    try:
        if signature.scheme is Scheme.PASSKEY:
            _must_be_over(Assertion.decode(signature.value), paper)
        elif signature.scheme is Scheme.SESSION:
            SessionProof.decode(signature.value)
        else:
            DeviceProof.decode(signature.value)
    except (Unverified, ValueError, TypeError, KeyError):
        raise BadInput("This is no signature of that kind for this question.") from None


def _must_be_over(assertion: Assertion, paper: Paper) -> None:
    """Check that a passkey was asked to sign this warrant.

    Raises:
        ValueError, TypeError, KeyError: it was asked something else.

    """
    asked = base64.urlsafe_b64encode(paper.warrant.digest()).rstrip(b"=").decode()
    if json.loads(assertion.client_data)["challenge"] != asked:
        raise ValueError


@dataclass(slots=True, repr=False)
class Question:
    """A request that waits, and later its answer; `ends_at` in seconds since 1970."""

    id: str
    owner: Owner
    act: Act
    needs: Needs
    waiting: Waiting
    task: asyncio.Task[Any]
    ends_at: float
    about: str = ""
    forget_at: float = field(default=float("inf"))

    @property
    def papers(self) -> Papers:
        """What is to be signed.

        Raises:
            NotFound: it is signed, or over.

        """
        if self.waiting.papers is None:
            raise NotFound("There is nothing to sign any more.")
        return self.waiting.papers

    @property
    def state(self) -> State:
        """How far it is."""
        if not self.task.done():
            return State.WAITING
        error = None if self.task.cancelled() else self.task.exception()
        if self.task.cancelled() or (isinstance(error, SignatureNeeded) and str(error) == LATE):
            return State.EXPIRED
        return State.ANSWERED if error is None else State.REFUSED


class Parked:
    """All questions that wait, and answers that nobody has fetched yet. Used by the event loop's thread alone."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._questions: dict[str, Question] = {}
        self.on_fault: Callable[[Fault], None] | None = None

    async def run(
        self, work: Callable[[Waiting], Coroutine[Any, Any, T]], owner: Owner, waiting: Waiting, about: str = ""
    ) -> T | Question:
        """Run an act; give its answer, or the question that it became because people must sign first.

        Raises:
            Refusal: what the act was refused with before it waited.
            TooMany: too many questions wait already.

        """
        task = asyncio.create_task(work(waiting))
        began = asyncio.create_task(waiting.began.wait())
        try:
            await asyncio.wait({task, began}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        finally:
            began.cancel()
        if task.done() or waiting.papers is None:
            return await task
        try:
            return self._park(task, owner, waiting, waiting.papers, about)
        except TooMany:
            task.cancel()
            raise

    def _park(self, task: asyncio.Task[Any], owner: Owner, waiting: Waiting, papers: Papers, about: str) -> Question:
        """Keep a question, if there is room."""
        self._tidy()
        held = sum(len(one.waiting.papers.picture) for one in self._questions.values() if one.waiting.papers)
        each = Counter(one.owner.actor for one in self._questions.values())
        full = len(self._questions) >= QUESTIONS_MAX or held + len(papers.picture) > BYTES_MAX
        if full or each[owner.actor] >= QUESTIONS_EACH_MAX:
            raise TooMany("Too many questions wait for signatures; sign some, or let them expire.")
        question = Question(
            id=f"que_{base64.b32encode(os.urandom(ID_BYTES)).decode().lower()}",
            owner=owner,
            act=papers.terms.act,
            needs=papers.terms.needs,
            waiting=waiting,
            task=task,
            ends_at=min(paper.warrant.expires for paper in papers.papers),
            about=about,
        )
        self._questions[question.id] = question
        task.add_done_callback(lambda done: self._ended(question, done))
        asyncio.get_running_loop().call_later(2 * PATIENT_SECONDS, self._questions.pop, question.id, None)
        return question

    def _ended(self, question: Question, task: asyncio.Task[Any]) -> None:
        """Note when an answer is to be forgotten; say what nobody could foresee."""
        question.forget_at = self._clock.now() + PATIENT_SECONDS
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Fault) and self.on_fault:
            self.on_fault(error)
        elif error is not None and not isinstance(error, Refusal):
            # The text of an error could hold content; its kind does not.
            about = {"error": kind_of(error), "at": place(error)}
            _log.error("gate: a question that waited failed: %(error)s at %(at)s", about)

    def _tidy(self) -> None:
        """End what is over, and forget what nobody fetches."""
        now = self._clock.now()
        for question in list(self._questions.values()):
            if question.state is State.WAITING and question.ends_at <= now and question.waiting.papers:
                question.task.cancel()
            if question.forget_at <= now:
                del self._questions[question.id]

    def list(self) -> list[Question]:
        """Give all of them, oldest first."""
        self._tidy()
        return list(self._questions.values())

    def get(self, name: str) -> Question:
        """Find one by its id.

        Raises:
            NotFound: it is not here, or not any more.

        """
        self._tidy()
        if name not in self._questions:
            raise NotFound(GONE)
        return self._questions[name]

    def take(self, question: Question) -> None:
        """Forget an answer that was fetched."""
        self._questions.pop(question.id, None)

    async def close(self) -> None:
        """End all that wait."""
        waiting = [question.task for question in self._questions.values()]
        self._questions.clear()
        for task in waiting:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waiting, return_exceptions=True)
