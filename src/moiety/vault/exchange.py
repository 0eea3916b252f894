"""The conversation of the two vaults, A's side: sids, the check before round 1, chunks that overlap, the last check.

A asks, B answers (`answering`). A sid is used once: any difference burns it, and both sides forget the session. Chunks
of a large question run in threads, each on a stream of its own; those of a small one go by way of the ordinary link.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import ExchangeAborted, OutOfStep, WireBroken
from moiety.vault.comparison import ROUNDS, SMALL_WORDS, Room, Rooms
from moiety.vault.sitting import Sitting
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from moiety.vault.questions import Question
    from moiety.vault.sitting import Keys
    from moiety.wire.links import Client
    from moiety.wire.streams import Streams

MEET_SECONDS = 10.0
RUN_SECONDS = 60.0
LARGE_WORDS = SMALL_WORDS
CHUNKS_AT_ONCE = max(4, (os.cpu_count() or 1) + 2)
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


class Asking:
    """A's side."""

    def __init__(self, parties: Parties, keys: Keys, peer: Client, streams: Streams | None = None) -> None:
        """Talk to B over `peer`, and where there are `streams` about large questions over those."""
        self._parties = parties
        self._keys = keys
        self._peer = peer
        self._streams = streams
        self._rooms = Rooms(dealt=False)
        self._threads = ThreadPoolExecutor(CHUNKS_AT_ONCE, thread_name_prefix="chunk")
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
        """Run the sign test with B and give A's share u64[lines * blocks], line by line.

        Raises:
            ExchangeAborted: B was asked something else, or the exchange was altered.
            PartDown: B is away.

        """
        try:
            sid = await self._begin(request, question, anew=False)
        except OutOfStep:
            sid = await self._begin(request, question, anew=True)
        sitting = Sitting("A", question, sid, self._keys)
        try:
            await self._chunks(request, sitting, large=question.lines * question.blocks > LARGE_WORDS)
        finally:
            sitting.stop()
        mine = sitting.digest()
        reply = await self._peer.call(Kind.FINISH, {"request": request}, [mine])
        agree(mine, bytes(reply.buffers[0]))
        return sitting.share()

    async def _begin(self, request: str, question: Question, *, anew: bool) -> bytes:
        """Agree with B on the question under a fresh sid; A names the epoch, B answers for that one."""
        meta, sid = await self._next_sid(question.epoch, anew=anew)
        mine = question.digest(sid)
        about = {**meta, "request": request, "epoch": question.epoch}
        reply = await self._peer.call(Kind.BEGIN, about, [mine], MEET_SECONDS + 5)
        agree(mine, bytes(reply.buffers[0]))
        return sid

    async def _chunks(self, request: str, sitting: Sitting, *, large: bool) -> None:
        """Run all chunks, several at a time."""
        gate = asyncio.Semaphore(CHUNKS_AT_ONCE)

        async def one(index: int) -> None:
            async with gate:
                if large and self._streams:
                    run = asyncio.get_running_loop().run_in_executor
                    await run(self._threads, self._in_thread, self._streams, request, sitting, index)
                else:
                    await self._by_calls(request, sitting, index)

        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(sitting.spans)):
                    group.create_task(one(index))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _by_calls(self, request: str, sitting: Sitting, index: int) -> None:
        """Run all rounds of a small chunk over the ordinary link."""
        # Not of the rooms: the thread may still fill its planes when the question is long over.
        half = sitting.half(index, Room(sitting.claim(index).words, dealt=False))
        await asyncio.to_thread(sitting.fill, index, half)
        for number in range(ROUNDS):
            meta = {"request": request, "chunk": index, "round": number}
            reply = await self._peer.call(Kind.ROUND, meta, [half.send(number)], RUN_SECONDS)
            half.receive(reply.buffers[0])
        sitting.keep(index, half)

    def _in_thread(self, streams: Streams, request: str, sitting: Sitting, index: int) -> None:
        """Run all rounds of a chunk over a stream; B begins with its own rows when it hears of the chunk."""
        span = sitting.claim(index)
        with streams.lent() as link, sitting.holding(link), self._rooms.lent(span.words) as room:
            half = sitting.half(index, room)
            link.send(Frame(Kind.STREAM, meta={"request": request, "chunk": index}))
            sitting.fill(index, half)
            for number in range(ROUNDS):
                link.send(Frame(Kind.ROUND, id=number, buffers=[half.send(number)]))
                receive_round(link.receive, number, half.inbox())
                half.receive()
            sitting.keep(index, half)


def receive_round(receive: Callable[[list[memoryview]], Frame], number: int, inbox: memoryview) -> None:
    """Take the other vault's message of a round from a stream into the inbox.

    Raises:
        ExchangeAborted: another message came, or one of another size.

    """
    try:
        frame = receive([inbox])
    except WireBroken:
        raise ExchangeAborted("A message of the sign test has the wrong size.") from None
    if frame.kind is not Kind.ROUND or frame.id != number:
        raise ExchangeAborted("A round of the sign test came out of order.")
