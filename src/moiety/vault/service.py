"""A vault as a process part: frames in, answers out. The same for both halves but for what each alone may do."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from moiety.foundation.envelopes import unseal_from
from moiety.foundation.errors import BadInput, ExchangeAborted, Halted, OtherEpoch, Unverified
from moiety.vault.dropping import Dropping
from moiety.vault.guard import DAY_HOURS, Charge, refusals_alike
from moiety.vault.policies import BookWords, press
from moiety.vault.policy import GalleryPolicy, Needs
from moiety.vault.questions import Asked, SealedFace
from moiety.vault.turns import Changes, Turns
from moiety.warrants import targets
from moiety.warrants.batch import BATCH_MAX
from moiety.warrants.statement import Made, Statement
from moiety.warrants.warrant import Act, SignedWarrant
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import numpy as np
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from numpy.typing import NDArray

    from moiety.vault.cabinet import Cabinet
    from moiety.vault.guard import Guard
    from moiety.vault.halves import HalfRow, Halves
    from moiety.vault.policies import Policies
    from moiety.vault.questions import Question, Questions
    from moiety.wire.frames import Frame

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

ASKED_SECONDS = 30.0
GALLERIES_PER_HOUR = 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """What either half ('a' or 'b') is made of."""

    half: str
    cabinet: Cabinet
    halves: Halves
    guard: Guard
    policies: Policies
    questions: Questions
    sealing: X25519PrivateKey
    turns: Turns = field(default_factory=Turns)
    changes: Changes = field(default_factory=Changes)


class Vault(ABC):
    """Both halves' handlers."""

    def __init__(self, parts: Parts) -> None:
        """Put the parts together."""
        self._half = parts.half
        self._cabinet = parts.cabinet
        self._halves = parts.halves
        self._guard = parts.guard
        self._policies = parts.policies
        self._questions = parts.questions
        self._sealing = parts.sealing
        self._turns = parts.turns
        self._changes = parts.changes
        self._asked: dict[str, Asked] = {}

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map each kind of frame to what answers it."""
        return {
            Kind.POLICY_SET: self._alike(self._policy_set),
            Kind.POLICY_DROP: self._policy_drop,
            Kind.PREPARE: self._alike(self._prepare),
            Kind.COMMIT: self._commit,
            Kind.ABORT: self._abort,
            Kind.ERASE: self._alike(self._erase),
            Kind.ROWS: self._rows,
            Kind.STATE: self._state,
            Kind.LEFT: self._left,
            Kind.EMERGENCY: self._emergency,
            Kind.SIGNATURE: self._alike(self._signature),
            Kind.SEARCH: self._alike(self._search),
            Kind.BANDS: self._alike(self._bands),
        }

    def words(self) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """Map each word that commands on this machine may ask to what answers it."""
        dropping = Dropping(f"vault-{self._half}", self._cabinet, self._held_back, self._erase_person)
        return BookWords(self._half, self._policies, self._alone).words() | {"drop": dropping.drop}

    def _alike(self, handler: Callable[[Frame], Awaitable[Answer]]) -> Callable[[Frame], Awaitable[Answer]]:
        """Let what a handler refuses look the same, whatever the reason."""
        return refusals_alike(self._half, handler)

    async def _change(
        self, gallery: str, work: Callable[[], Result], *, held_back: bool, searched: bool = True
    ) -> Result:
        """Run `work` in a thread while nobody else changes the gallery; `searched`: nor searches it.

        With `held_back` it waits for a refresh to end. A link that breaks meanwhile ends the waiting, not the work, and
        lets nobody in before the work is done: what the gate asks next, over a new link, comes after it.

        Raises:
            Busy: the refresh takes longer than the change waits for it.

        """

        async def run() -> Result:
            async with self._changes.one(gallery, held_back=held_back):
                if not searched:
                    return await asyncio.to_thread(work)
                async with self._turns.alone(gallery):
                    return await asyncio.to_thread(work)

        task = asyncio.create_task(run())
        task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def _alone(self, gallery: str, work: Callable[..., Result], *given: Any) -> Result:
        """Change what is searched."""
        return await self._change(gallery, partial(work, *given), held_back=False)

    async def _held_back(self, gallery: str, work: Callable[..., Result], *given: Any) -> Result:
        """Change what is searched, and what a refresh cannot have changed meanwhile."""
        return await self._change(gallery, partial(work, *given), held_back=True)

    # ---- policies ----

    async def _policy_set(self, frame: Frame) -> Answer:
        """Open a gallery by a policy warrant, if the standing policy lets the gate's own key do so."""
        signed, policy = (
            SignedWarrant.decode(bytes(frame.buffers[0])),
            GalleryPolicy.decode(bytes(frame.buffers[1])),
        )
        policy.check()
        signers = self._guard.signers([signed], Act.POLICY, policy)
        if signed.warrant.target != targets.of_policy(policy.encode()):
            raise Unverified("The warrant is for another policy.")
        self._guard.spend([signed.warrant], signers, Charge("policies", 1, GALLERIES_PER_HOUR))
        if not await self._alone(policy.gallery, self._policies.open, policy):
            return Answer({"waits": True})
        return Answer({"waits": False, "epoch": self._cabinet.epoch(policy.gallery)})

    async def _policy_drop(self, frame: Frame) -> Answer:
        """Undo a gallery that the gate opened and that has no row."""
        gallery = str(frame.meta["gallery"])
        await self._held_back(gallery, self._policies.drop, gallery)
        return Answer({})

    # ---- rows come and go ----

    async def _prepare(self, frame: Frame) -> Answer:
        """Check and keep halves; all or none."""
        gallery = str(frame.meta["gallery"])
        await self._change(gallery, lambda: self._admit_rows(gallery, frame), held_back=True, searched=False)
        return Answer({})

    def _admit_rows(self, gallery: str, frame: Frame) -> None:
        """Check every warrant, statement and half, then pay, then write."""
        policy = self._cabinet.policy(gallery)
        faces = SealedFace.read(frame.buffers)
        if len(faces) > BATCH_MAX:
            raise BadInput(f"At most {BATCH_MAX} rows can be prepared at once.")
        signers = self._guard.signers([face.signed for face in faces], Act.ENROL, policy)
        rows = [row for face in faces for row in self._open_rows(policy, face)]
        if len(rows) > BATCH_MAX:
            raise BadInput(f"At most {BATCH_MAX} rows can be prepared at once.")
        charge = Charge("templates", len(rows), policy.templates_per_hour)
        self._guard.spend([face.signed.warrant for face in faces], signers, charge)
        self._cabinet.prepare(policy.gallery, rows)

    def _open_rows(self, policy: GalleryPolicy, face: SealedFace) -> list[HalfRow]:
        """Open one half, or those of a batch, and hold them against the eye's statement."""
        warrant = face.signed.warrant
        batch = Statement.decode(face.statement).made is Made.TEMPLATES
        if batch and policy.enrols is not Needs.SERVICE:
            raise Unverified("Nobody signs for a batch whose pictures they have not seen.")
        made = Made.TEMPLATES if batch else Made.TEMPLATE
        statement = self._guard.statement(warrant, face.statement, face.signature, made, policy)
        if statement.epoch != self._cabinet.epoch(policy.gallery):
            raise OtherEpoch
        opened = unseal_from(self._sealing, face.sealed, targets.sealing_bound(self._half, warrant.nonce))
        if batch:
            return self._halves.open_batch(policy, statement, opened)
        return [self._halves.open_half(policy, statement, opened)]

    async def _commit(self, frame: Frame) -> Answer:
        """Make prepared rows live; `places` is a list of [row id in hex, seq]."""
        gallery = str(frame.meta["gallery"])
        places = [(bytes.fromhex(row), int(seq)) for row, seq in frame.meta["places"]]
        people = [bytes.fromhex(handle) for handle in frame.meta["people"]]
        await self._alone(gallery, self._cabinet.commit, gallery, places, people)
        return Answer({})

    async def _abort(self, frame: Frame) -> Answer:
        """Remove prepared rows."""
        gallery, row_ids = str(frame.meta["gallery"]), _row_ids(frame.buffers[0])
        await self._change(gallery, lambda: self._cabinet.abort(gallery, row_ids), held_back=True, searched=False)
        return Answer({})

    async def _left(self, frame: Frame) -> Answer:
        """List what is only prepared: row ids, and at B handles of personal keys (16 bytes each)."""
        rows, people = await asyncio.to_thread(self._what_is_left, str(frame.meta["gallery"]))
        return Answer({}, [b"".join(rows), b"".join(people)])

    def _what_is_left(self, gallery: str) -> tuple[list[bytes], list[bytes]]:
        """Give row ids and handles; A has no personal keys."""
        return self._cabinet.prepared(gallery), []

    async def _erase(self, frame: Frame) -> Answer:
        """Erase rows, and at B the personal key, by an erase warrant."""
        gallery = str(frame.meta["gallery"])
        await self._held_back(gallery, self._erase_now, gallery, [bytes(buffer) for buffer in frame.buffers])
        return Answer({})

    def _erase_now(self, gallery: str, buffers: Sequence[bytes]) -> None:
        """Check, pay, destroy."""
        policy = self._cabinet.policy(gallery)
        raw, joined, person = buffers
        row_ids = _row_ids(joined)
        signed = SignedWarrant.decode(raw)
        signers = self._guard.signers([signed], Act.ERASE, policy)
        if signed.warrant.target != targets.of_erasure(row_ids, person):
            raise Unverified("The warrant is for other rows.")
        cost = max(1, len(row_ids))
        charges = [Charge("erasures", cost, policy.erasures_per_hour)]
        if signers.alone and policy.erases is not Needs.SERVICE:
            alone = policy.erasures_alone_per_day
            charges.append(Charge("erasures-alone", cost, alone, hours=DAY_HOURS, shared=True))
        self._guard.spend([signed.warrant], signers, *charges)
        self._cabinet.erase(gallery, row_ids)
        self._erase_person(gallery, person)

    @abstractmethod
    def _erase_person(self, gallery: str, handle: bytes) -> None:
        """Destroy a personal key, where this half has any."""

    async def _rows(self, frame: Frame) -> Answer:
        """Publish the ordered row ids."""
        shelf = self._cabinet.shelf(str(frame.meta["gallery"]))
        return Answer({"order": shelf.order_digest().hex()}, [shelf.ids.tobytes()])

    async def _state(self, frame: Frame) -> Answer:
        """Tell the gate which epoch and policy are in force, how many rows there are, and which are excluded."""
        gallery = str(frame.meta["gallery"])
        policy, rows = self._cabinet.policy(gallery), len(self._cabinet.shelf(gallery))
        excluded = await asyncio.to_thread(self._cabinet.excluded, gallery)
        told = {"epoch": self._cabinet.epoch(gallery), "rows": rows, "policy": policy.told()}
        return Answer(told | {"excluded": [row_id.hex() for row_id in excluded]})

    async def _emergency(self, frame: Frame) -> Answer:
        """Press stop or kill at the gate's word, which lets go of neither; tell what is pressed."""
        return Answer(await press(self._half, self._policies.book, frame.meta))

    async def _signature(self, frame: Frame) -> Answer:
        """Check signatures that were laid under a waiting warrant, so that a wrong one does not end its question."""
        await asyncio.to_thread(self._guard.take, SignedWarrant.decode(bytes(frame.buffers[0])))
        return Answer({})

    # ---- questions ----

    async def _search(self, frame: Frame) -> Answer:
        """Compare sealed probes with all rows, or with blocks of them (1:1)."""
        request, gallery = str(frame.meta["request"]), str(frame.meta["gallery"])
        blocks = frame.meta.get("blocks")
        try:
            await self._ready(gallery)
            faces = SealedFace.read(frame.buffers)
            asked = await asyncio.to_thread(self._questions.admit, gallery, faces, blocks)
        except Exception as error:
            self._decline(request, error)
            raise
        self._asked[request] = asked
        asyncio.get_running_loop().call_later(ASKED_SECONDS, self._asked.pop, request, None)
        if blocks is None:
            return await self._answer(request, asked, self._questions.scan)
        return await self._answer(request, asked, lambda one: self._questions.look(one, blocks))

    async def _bands(self, frame: Frame) -> Answer:
        """Compare picked positions of a search at the higher thresholds."""
        request = str(frame.meta["request"])
        asked = self._asked.pop(str(frame.meta["parent"]), None)
        if self._policies.book.emergencies.now.stopped:
            self._decline(request, Halted())
            raise Halted
        picks: Any = frame.meta["picks"]
        if asked is None:
            over = ExchangeAborted("The search that these bands belong to is over.")
            self._decline(request, over)
            raise over
        return await self._answer(request, asked, lambda one: self._questions.bands(one, picks))

    @abstractmethod
    async def _ready(self, gallery: str) -> None:
        """Wait until the gallery may answer."""

    async def _answer(self, request: str, asked: Asked, ask: Callable[[Asked], Question]) -> Answer:
        """Ask about this vault's rows, and run the exchange; the reply's size depends on their number alone."""
        try:
            question = await asyncio.to_thread(ask, asked)
        except Exception as error:
            self._decline(request, error)
            raise
        share = await self._run(request, asked.gallery, question)
        return Answer({"order": question.order.hex(), "rows": question.rows}, [share.data])

    @abstractmethod
    async def _run(self, request: str, gallery: str, question: Question) -> NDArray[np.uint64]:
        """Run the exchange while nobody moves the gallery's rows."""

    @abstractmethod
    def _decline(self, request: str, error: Exception) -> None:
        """Let the other vault know that there will be no exchange."""


def _seen(task: asyncio.Task[Any]) -> None:
    """Count an error as seen where nobody waits any more: its text belongs into no log."""
    if not task.cancelled():
        task.exception()


def _row_ids(joined: bytes | bytearray | memoryview) -> list[bytes]:
    """Cut a buffer into row ids of 16 bytes."""
    raw = bytes(joined)
    if len(raw) % 16:
        raise BadInput("Row ids have 16 bytes each.")
    return [raw[i : i + 16] for i in range(0, len(raw), 16)]
