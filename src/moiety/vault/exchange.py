"""The conversation of the two vaults: sids, the check before round 1, overlapping chunks, the check at the end.

A asks, B answers. A sid is used once: any difference burns it, and both sides forget the session.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import ExchangeAborted, OutOfStep
from moiety.vault.comparison import ROUNDS, Half, Span, spans
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

    from moiety.vault.questions import Question
    from moiety.wire.frames import Frame
    from moiety.wire.links import Client

MEET_SECONDS = 10.0
RUN_SECONDS = 60.0
CHUNKS_AT_ONCE = 4
NONCE_BYTES = 32


def agree(mine: bytes, theirs: bytes) -> None:
    """Stop unless both vaults say the same.

    Raises:
        ExchangeAborted: they differ.

    """
    if not hmac.compare_digest(mine, theirs):
        raise ExchangeAborted


@dataclass(frozen=True, slots=True)
class Parties:
    """What names the pair in every sid: the tenant and both public signing keys."""

    tenant: str
    public_a: bytes
    public_b: bytes

    def sid(self, nonce_a: bytes, nonce_b: bytes, epoch: int, counter: int) -> bytes:
        """SHA-256(nonce_A ‖ nonce_B ‖ both public keys ‖ tenant ‖ epoch ‖ counter)."""
        named = pack("moiety/sid/1", nonce_a, nonce_b, self.public_a, self.public_b, self.tenant, epoch, counter)
        return hashlib.sha256(named).digest()


def _joined(halves: list[Half]) -> bytes:
    """Hash the transcripts of all chunks, in order."""
    return hashlib.sha256(b"".join(half.transcript() for half in halves)).digest()


def _shares(halves: list[Half]) -> NDArray[np.uint64]:
    """Join the shares of all chunks, in order; an empty gallery has none."""
    return np.concatenate([np.empty(0, np.uint64), *(half.share() for half in halves)])


class Asking:
    """A's side."""

    def __init__(self, parties: Parties, mint_key: bytes, peer: Client) -> None:
        """Talk to B over `peer`; `mint_key` is what A shares with the mint."""
        self._parties = parties
        self._mint_key = mint_key
        self._peer = peer
        self._nonces: tuple[bytes, bytes] | None = None
        self._counter = 0
        self._meeting = asyncio.Lock()

    async def _next_sid(self, epoch: int, *, anew: bool) -> tuple[dict[str, object], bytes]:
        """Draw the next counter, exchanging fresh nonces first when there are none or B has restarted."""
        async with self._meeting:
            if self._nonces is None or anew:
                nonce_a = os.urandom(NONCE_BYTES)
                reply = await self._peer.call(Kind.HELLO, {}, [nonce_a])
                self._nonces = (nonce_a, bytes(reply.buffers[0]))
                self._counter = 0
            self._counter += 1
            sid = self._parties.sid(*self._nonces, epoch, self._counter)
            return {"counter": self._counter, "nonce_a": self._nonces[0].hex(), "nonce_b": self._nonces[1].hex()}, sid

    async def run(self, request: str, question: Question) -> NDArray[np.uint64]:
        """Run the sign test with B and give A's share u64[words].

        Raises:
            ExchangeAborted: B was asked something else, or the exchange was altered.
            PartDown: B is away.

        """
        try:
            sid = await self._begin(request, question, anew=False)
        except OutOfStep:
            sid = await self._begin(request, question, anew=True)
        chunks = list(spans(question.planes.shape[1]))
        halves = [Half("A", question.planes, self._mint_key, sid, span) for span in chunks]
        gate = asyncio.Semaphore(CHUNKS_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for index, half in enumerate(halves):
                    group.create_task(self._chunk(request, index, half, gate))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        mine = _joined(halves)
        reply = await self._peer.call(Kind.FINISH, {"request": request}, [mine])
        agree(mine, bytes(reply.buffers[0]))
        return _shares(halves)

    async def _begin(self, request: str, question: Question, *, anew: bool) -> bytes:
        """Agree with B on the question under a fresh sid; A names the epoch, B answers for that one."""
        meta, sid = await self._next_sid(question.epoch, anew=anew)
        mine = question.digest(sid)
        about = {**meta, "request": request, "epoch": question.epoch}
        reply = await self._peer.call(Kind.BEGIN, about, [mine], MEET_SECONDS + 5)
        agree(mine, bytes(reply.buffers[0]))
        return sid

    async def _chunk(self, request: str, index: int, half: Half, gate: asyncio.Semaphore) -> None:
        """Run all rounds of one chunk."""
        async with gate:
            for number in range(ROUNDS):
                message = await asyncio.to_thread(half.send, number) if half.large else half.send(number)
                meta = {"request": request, "chunk": index, "round": number}
                reply = await self._peer.call(Kind.ROUND, meta, [message.data], RUN_SECONDS)
                if half.large:
                    await asyncio.to_thread(half.receive, reply.buffers[0])
                else:
                    half.receive(reply.buffers[0])


@dataclass(slots=True, repr=False)
class _Session:
    """B's side of one question."""

    question: Question
    done: asyncio.Future[NDArray[np.uint64]]
    halves: list[Half] = field(default_factory=list)
    deals: list[asyncio.Task[None]] = field(default_factory=list)


class Answering:
    """B's side."""

    def __init__(self, parties: Parties, mint_key: bytes, mint: Client) -> None:
        """Fetch one-time bits over `mint`; `mint_key` is what B shares with it."""
        self._parties = parties
        self._mint_key = mint_key
        self._mint = mint
        self._nonce = os.urandom(NONCE_BYTES)
        self._counters: dict[str, int] = {}
        self._sessions: dict[str, asyncio.Future[_Session]] = {}

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """List what A may ask."""
        return {
            Kind.HELLO: self._hello,
            Kind.BEGIN: self._begin,
            Kind.ROUND: self._round,
            Kind.FINISH: self._finish,
        }

    def _slot(self, request: str) -> asyncio.Future[_Session]:
        """Give the place where A's BEGIN and the gate's question meet, whichever comes first."""
        return self._sessions.setdefault(request, asyncio.get_running_loop().create_future())

    def refuse(self, request: str, error: Exception) -> None:
        """Tell a waiting A at once that B will not take part."""
        slot = self._slot(request)
        if not slot.done():
            slot.set_exception(error)
            slot.exception()  # A may never come: the exception counts as seen
        asyncio.get_running_loop().call_later(MEET_SECONDS, self._sessions.pop, request, None)

    async def run(self, request: str, question: Question) -> NDArray[np.uint64]:
        """Wait for A to run the sign test and give B's share u64[words].

        Raises:
            ExchangeAborted: A was asked something else, went away, or the exchange was altered.

        """
        slot = self._slot(request)
        if slot.done():
            raise ExchangeAborted("A request was used twice.")
        session = _Session(question, asyncio.get_running_loop().create_future())
        slot.set_result(session)
        try:
            async with asyncio.timeout(RUN_SECONDS):
                return await session.done
        except TimeoutError:
            raise ExchangeAborted("The other vault did not finish in time.") from None
        finally:
            self._sessions.pop(request, None)
            for deal in session.deals:
                deal.cancel()

    async def _hello(self, frame: Frame) -> Answer:
        """Meet A: its nonce starts a new count under B's nonce of this start."""
        nonce_a = bytes(frame.buffers[0])
        if len(nonce_a) != NONCE_BYTES or nonce_a.hex() in self._counters:
            raise ExchangeAborted("A nonce of the other vault was used before.")
        self._counters[nonce_a.hex()] = 0
        return Answer({}, [self._nonce])

    async def _begin(self, frame: Frame) -> Answer:
        """Compare the questions; a difference burns the sid and the session."""
        request, nonce_a, counter = str(frame.meta["request"]), str(frame.meta["nonce_a"]), int(frame.meta["counter"])
        if frame.meta["nonce_b"] != self._nonce.hex() or nonce_a not in self._counters:
            raise OutOfStep("The vaults must meet anew.")
        if counter <= self._counters[nonce_a]:
            raise ExchangeAborted("A sid is used once.")
        self._counters[nonce_a] = counter
        try:
            async with asyncio.timeout(MEET_SECONDS):
                session = await asyncio.shield(self._slot(request))
        except TimeoutError:
            self._sessions.pop(request, None)
            raise ExchangeAborted("Vault B was not asked this question.") from None
        if session.halves:
            raise ExchangeAborted("A session was begun twice.")
        epoch = int(frame.meta["epoch"])
        if epoch != session.question.epoch:
            await self._ask_again(session, epoch)
        sid = self._parties.sid(bytes.fromhex(nonce_a), self._nonce, epoch, counter)
        mine = session.question.digest(sid)
        self._must_agree(session, mine, bytes(frame.buffers[0]))
        for index, span in enumerate(spans(session.question.planes.shape[1])):
            session.halves.append(Half("B", session.question.planes, self._mint_key, sid, span))
            session.deals.append(asyncio.create_task(self._deal(session, index, sid, span)))
        return Answer({}, [mine])

    @staticmethod
    async def _ask_again(session: _Session, epoch: int) -> None:
        """Take A's epoch: during a refresh the two may come to a new one at different moments."""
        try:
            session.question = await asyncio.to_thread(session.question.again, epoch)
        except OutOfStep as error:
            if not session.done.done():
                session.done.set_exception(error)
            raise ExchangeAborted("Vault B does not hold this epoch.") from None

    @staticmethod
    def _must_agree(session: _Session, mine: bytes, theirs: bytes) -> None:
        """Compare, and end B's side too when it fails."""
        try:
            agree(mine, theirs)
        except ExchangeAborted as error:
            if not session.done.done():
                session.done.set_exception(error)
            raise

    async def _deal(self, session: _Session, index: int, sid: bytes, span: Span) -> None:
        """Fetch the mint's words for one chunk."""
        meta = {"sid": sid.hex(), "first": span.first, "words": span.words}
        reply = await self._mint.call(Kind.DEAL, meta)
        session.halves[index].take_gammas(np.frombuffer(reply.buffers[0], np.uint64).reshape(ROUNDS, -1))

    async def _session(self, frame: Frame) -> _Session:
        """Find the running session that a frame belongs to."""
        slot = self._sessions.get(str(frame.meta["request"]))
        if slot is None or not slot.done():
            raise ExchangeAborted("There is no such session.")
        return await slot

    async def _round(self, frame: Frame) -> Answer:
        """Answer one round of one chunk."""
        session = await self._session(frame)
        index, number = int(frame.meta["chunk"]), int(frame.meta["round"])
        if not 0 <= index < len(session.halves):
            raise ExchangeAborted("There is no such chunk.")
        await asyncio.shield(session.deals[index])
        half = session.halves[index]

        def step() -> NDArray[np.uint64]:
            message = half.send(number)
            half.receive(frame.buffers[0])
            return message

        message = await asyncio.to_thread(step) if half.large else step()
        return Answer({}, [message.data])

    async def _finish(self, frame: Frame) -> Answer:
        """Compare the transcripts; only then does the share leave this vault."""
        session = await self._session(frame)
        mine = _joined(session.halves)
        self._must_agree(session, mine, bytes(frame.buffers[0]))
        session.done.set_result(_shares(session.halves))
        return Answer({}, [mine])
