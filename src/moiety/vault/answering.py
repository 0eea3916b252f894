"""The conversation of the two vaults, B's side: meets A's question with the gate's, and has the mint deal."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moiety.foundation.errors import ExchangeAborted, OutOfStep, Refusal
from moiety.vault import exchange
from moiety.vault.comparison import ROUNDS, Room, Rooms
from moiety.vault.exchange import NONCE_BYTES, receive_round
from moiety.vault.sitting import Sitting
from moiety.wire.frames import Frame, Sort
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    import numpy as np
    from numpy.typing import NDArray

    from moiety.vault.comparison import Half
    from moiety.vault.dealings import Dealings
    from moiety.vault.exchange import Parties
    from moiety.vault.questions import Question
    from moiety.vault.sitting import Keys
    from moiety.wire.streams import StreamLink

    Still = Callable[[], AbstractAsyncContextManager[None]]

# The longest that A works on its own between two messages is a fraction of it.
SILENCE_SECONDS = 15.0


@dataclass(slots=True, repr=False)
class _Session:
    """B's side of one question: waits for A's, then has a sitting, for which `still` keeps the gallery's rows still."""

    question: Question
    still: Still
    done: asyncio.Future[NDArray[np.uint64]]
    sitting: Sitting | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    # Chunks that come by way of the ordinary link, round by round.
    halves: dict[int, asyncio.Task[Half]] = field(default_factory=dict)
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    over: bool = False
    alarm: asyncio.TimerHandle | None = None

    def heard(self) -> None:
        """Wait for A's next word; an A that says nothing for so long has gone away."""
        if self.alarm:
            self.alarm.cancel()
        if not self.over:
            gone = ExchangeAborted("The other vault went away.")
            self.alarm = self.done.get_loop().call_later(SILENCE_SECONDS, self.fail, gone)

    async def hold_still(self) -> None:
        """Let nobody move the rows until the question is over.

        Raises:
            ExchangeAborted: it is over already.

        """
        await self.held.enter_async_context(self.still())
        if self.over:
            await self.held.aclose()
            raise ExchangeAborted("The question was given up.")

    def fail(self, error: Exception) -> None:
        """End it for whoever waits."""
        if not self.done.done():
            self.done.set_exception(error)

    async def close(self) -> None:
        """Give everything back."""
        self.over = True
        if self.alarm:
            self.alarm.cancel()
        await self.held.aclose()
        if self.sitting:
            self.sitting.stop()
        for half in self.halves.values():
            half.cancel()


class Answering:
    """B's side."""

    def __init__(self, parties: Parties, keys: Keys, dealings: Dealings) -> None:
        """Fetch one-time bits by `dealings`."""
        self._parties = parties
        self._keys = keys
        self._dealings = dealings
        self._nonce = os.urandom(NONCE_BYTES)
        self._counters: dict[str, int] = {}
        self._sessions: dict[str, asyncio.Future[_Session]] = {}
        self._rooms = Rooms(dealt=True)

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """List what A may ask."""
        return {
            Kind.HELLO: self._hello,
            Kind.BEGIN: self._begin,
            Kind.ROUND: self._round,
            Kind.FINISH: self._finish,
        }

    def streams(self) -> dict[Kind, Callable[[StreamLink, Frame], None]]:
        """List what A may open a stream for."""
        return {Kind.STREAM: self._stream}

    def _slot(self, request: str) -> asyncio.Future[_Session]:
        """Give the place where A's BEGIN and the gate's question meet, whichever comes first."""
        return self._sessions.setdefault(request, asyncio.get_running_loop().create_future())

    def refuse(self, request: str, error: Exception) -> None:
        """Tell a waiting A at once that B will not take part."""
        slot = self._slot(request)
        if not slot.done():
            slot.set_exception(error)
            slot.exception()  # A may never come: the exception counts as seen
        asyncio.get_running_loop().call_later(exchange.MEET_SECONDS, self._sessions.pop, request, None)

    async def run(self, request: str, question: Question, still: Still) -> NDArray[np.uint64]:
        """Wait for A to run the sign test and give B's share u64[lines * blocks], line by line.

        Only once A has come are the rows kept still, and looked at: what A does before may need B to move some.

        Raises:
            ExchangeAborted: A was asked something else, went away, or the exchange was altered.

        """
        slot = self._slot(request)
        if slot.done():
            raise ExchangeAborted("A request was used twice.")
        session = _Session(question, still, asyncio.get_running_loop().create_future())
        slot.set_result(session)
        try:
            # An A that refused its half of the question never comes: B holds the gallery still for it no longer.
            async with asyncio.timeout(exchange.MEET_SECONDS):
                await session.begun.wait()
            async with asyncio.timeout(exchange.RUN_SECONDS):
                return await session.done
        except TimeoutError:
            raise ExchangeAborted("The other vault did not finish in time.") from None
        finally:
            self._sessions.pop(request, None)
            await session.close()
            if session.sitting:
                self._dealings.over(session.sitting)

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
        epoch = int(frame.meta["epoch"])

        def named(number: int) -> bytes:
            return self._parties.sid(bytes.fromhex(nonce_a), self._nonce, epoch, number)

        with self._dealings.kept(named(counter)):
            if self._dealings.lost(named(counter)):
                # The mint deals once for a sid: another name is needed, under which it deals.
                raise OutOfStep("The vaults must meet anew.")
            try:
                async with asyncio.timeout(exchange.MEET_SECONDS):
                    session = await asyncio.shield(self._slot(request))
            except TimeoutError:
                self._sessions.pop(request, None)
                raise ExchangeAborted("Vault B was not asked this question.") from None
            if session.sitting:
                raise ExchangeAborted("A session was begun twice.")
            session.begun.set()
            session.heard()
            await session.hold_still()
            await self._ask_again(session, epoch)
            mine = session.question.digest(named(counter))
            self._must_agree(session, mine, bytes(frame.buffers[0]))
            session.sitting = Sitting("B", session.question, named(counter), self._keys)
            self._dealings.begun(session.sitting, lambda later: named(self._counters[nonce_a] + later))
            if session.sitting.whole:
                session.whole.set()
            return Answer({}, [mine])

    @staticmethod
    async def _ask_again(session: _Session, epoch: int) -> None:
        """Ask of the rows as they are now, of A's epoch: during a refresh the two come to a new one one by one."""
        try:
            session.question = await asyncio.to_thread(session.question.again, epoch)
        except OutOfStep as error:
            session.fail(error)
            raise ExchangeAborted("Vault B does not hold this epoch.") from None

    @staticmethod
    def _must_agree(session: _Session, mine: bytes, theirs: bytes) -> None:
        """Compare, and end B's side too when it fails."""
        try:
            exchange.agree(mine, theirs)
        except ExchangeAborted as error:
            session.fail(error)
            raise

    def _sitting(self, frame: Frame) -> tuple[_Session, Sitting]:
        """Find the running session that a frame belongs to; may be called from any thread."""
        slot = self._sessions.get(str(frame.meta["request"]))
        if slot is None or not slot.done() or slot.exception():
            raise ExchangeAborted("There is no such session.")
        session = slot.result()
        if session.sitting is None:
            raise ExchangeAborted("There is no such session.")
        return session, session.sitting

    # ---- by way of the ordinary link ----

    async def _round(self, frame: Frame) -> Answer:
        """Answer one round of one chunk."""
        session, sitting = self._sitting(frame)
        session.heard()
        index, number = int(frame.meta["chunk"]), int(frame.meta["round"])
        if index not in session.halves:
            # Not of the rooms: a thread may still fill its planes when the question is long over.
            room = Room(sitting.claim(index).words, dealt=True)
            session.halves[index] = asyncio.create_task(self._half(sitting, index, sitting.half(index, room)))
        try:
            half = await asyncio.shield(session.halves[index])
            message = half.send(number)
            half.receive(frame.buffers[0])
        except Refusal as error:
            session.fail(error)
            raise
        if number == ROUNDS - 1:
            # The share is made in the same memory as the message.
            message = memoryview(bytes(message))
            sitting.keep(index, half)
            if sitting.whole:
                session.whole.set()
        return Answer({}, [message])

    async def _half(self, sitting: Sitting, index: int, half: Half) -> Half:
        """Make the planes of a chunk while the mint deals for it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._dealings.fetch(sitting.sid, sitting.spans[index], half.gammas))
                group.create_task(asyncio.to_thread(sitting.fill, index, half))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return half

    # ---- on a stream of its own, in a thread ----

    def _stream(self, link: StreamLink, frame: Frame) -> None:
        """Run all rounds of one chunk."""
        session, sitting = self._sitting(frame)
        loop = session.done.get_loop()
        loop.call_soon_threadsafe(session.heard)
        try:
            self._run_chunk(link, sitting, int(frame.meta["chunk"]))
        except Refusal as error:
            loop.call_soon_threadsafe(session.fail, error)
            raise
        except OSError:
            loop.call_soon_threadsafe(session.fail, ExchangeAborted("The other vault went away."))
            raise
        loop.call_soon_threadsafe(session.heard)
        if sitting.whole:
            loop.call_soon_threadsafe(session.whole.set)

    def _run_chunk(self, link: StreamLink, sitting: Sitting, index: int) -> None:
        """Have the mint deal while the planes are made; then each message is ready before A's has come."""
        span = sitting.claim(index)
        with sitting.holding(link), self._rooms.lent(span.words) as room:
            half = sitting.half(index, room)
            with self._dealings.dealing(sitting.sid, span, half.gammas):
                sitting.fill(index, half)
            for number in range(ROUNDS):
                message = half.send(number)
                receive_round(link.receive, number, half.inbox())
                half.receive()
                link.send(Frame(Kind.ROUND, Sort.ANSWER, number, buffers=[message]))
            sitting.keep(index, half)

    async def _finish(self, frame: Frame) -> Answer:
        """Compare the transcripts; only then does the share leave this vault."""
        session, sitting = self._sitting(frame)
        try:
            async with asyncio.timeout(exchange.MEET_SECONDS):
                await session.whole.wait()
        except TimeoutError:
            raise ExchangeAborted("The sign test was not run to its end.") from None
        mine = sitting.digest()
        self._must_agree(session, mine, bytes(frame.buffers[0]))
        if not session.done.done():
            session.done.set_result(sitting.share())
        return Answer({}, [mine])
