"""Vault B's dealings with the mint: one-time words when they are needed, and a stock of them for what comes next.

The sids that come next are known: a counter under nonces that both vaults have. While B is idle it has the mint deal
for them, so that a search finds its words there. Words are used for one sid, or never.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.errors import ExchangeAborted, Refusal, WireBroken
from moiety.vault.comparison import ROUNDS, STREAM_STEP
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from moiety.vault.comparison import Span
    from moiety.vault.sitting import Sitting
    from moiety.wire.frames import Buffer
    from moiety.wire.links import Client
    from moiety.wire.streams import Streams

_log = logging.getLogger(__name__)

BYTES_A_WORD = ROUNDS * 8
AHEAD_SIDS = 4
PIECE_WORDS = 16_384
IDLE_SECONDS = 0.2
WAIT_SECONDS = 30.0
LOOK_SECONDS = 0.002
REMEMBERED = 1 << 16


class _Ahead:
    """The first words u64[15, words] of a sid to come: `asked` of the mint, of which `filled` have come."""

    def __init__(self, words: int) -> None:
        """Make room."""
        self._words: NDArray[np.uint64] = np.empty((ROUNDS, words), np.uint64)
        self._moved = threading.Condition()
        self.asked = self._filled = 0
        self._lost = False

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way."""
        return self.asked == self._filled or self._lost

    def put(self, dealt: NDArray[np.uint64]) -> None:
        """Take in what has come."""
        with self._moved:
            self._words[:, self._filled : self._filled + dealt.shape[1]] = dealt
            self._filled += dealt.shape[1]
            self._moved.notify_all()

    def lose(self) -> None:
        """Know that what is on its way will not come, and wake who waits for it."""
        with self._moved:
            self._lost = True
            self._moved.notify_all()

    def take(self, first: int, into: NDArray[np.uint64], seconds: float = WAIT_SECONDS) -> int:
        """Copy words from `first` on as far as they were asked for, waiting for what is on its way; gives their count.

        Raises:
            ExchangeAborted: the wait was too long.

        """
        end = min(self.asked, first + into.shape[1])
        with self._moved:
            if not self._moved.wait_for(lambda: self._lost or self._filled >= end, seconds):
                raise ExchangeAborted("What the mint was to deal ahead did not come.")
            count: int = max(0, min(self._filled, end) - first)
            into[:, :count] = self._words[:, first : first + count]
        return count


class Dealings:
    """Fetches words and keeps the stock. Safe between threads."""

    def __init__(self, mint: Client, streams: Streams | None, stock_bytes: int) -> None:
        """Ask over `mint`, from threads over `streams`; keep at most `stock_bytes` of words ahead."""
        self._mint = mint
        self._streams = streams
        self._stock_words = stock_bytes // BYTES_A_WORD
        self._stock: dict[bytes, _Ahead] = {}
        self._burnt: OrderedDict[bytes, None] = OrderedDict()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()
        self._busy = 0
        self._kept: set[bytes] = set()
        self._next: Callable[[int], bytes] | None = None
        self._wanted = 0
        self._filling: asyncio.Task[None] | None = None

    # ---- for a question ----

    @contextlib.contextmanager
    def kept(self, sid: bytes) -> Iterator[None]:
        """Keep what was dealt ahead for a sid while the vaults meet under it."""
        self._kept.add(sid)
        try:
            yield
        finally:
            self._kept.discard(sid)

    def begun(self, sitting: Sitting, later: Callable[[int], bytes]) -> None:
        """Hear of a question; `later(n)` names the sid of the n-th after the last that A has begun by then."""
        self._busy += 1
        self._next = later
        end = sitting.spans[-1].first + sitting.spans[-1].words if sitting.spans else 0
        self._wanted = -(-end // STREAM_STEP) * STREAM_STEP

    def over(self, sitting: Sitting) -> None:
        """Burn what is left for a sid, and think of the next ones when nobody asks."""
        with self._lock:
            self._stock.pop(sitting.sid, None)
        self._busy -= 1
        if not self._busy and self._stock_words:
            self._filling = asyncio.create_task(self._fill(self._filling))

    async def fetch(self, sid: bytes, span: Span, into: NDArray[np.uint64]) -> None:
        """Have u64[15, words] dealt for a chunk.

        Raises:
            ExchangeAborted: the mint dealt something else, or what it has dealt before.
            PartDown: the mint is away.

        """
        ahead = self._ahead(sid)
        until = asyncio.get_running_loop().time() + WAIT_SECONDS
        while ahead and not ahead.settled and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - threads too
            await asyncio.sleep(LOOK_SECONDS)
        had = ahead.take(span.first, into, 0.0) if ahead else 0
        if had < span.words:
            into[:, had:] = await self._asked(Kind.DEAL, sid, span.first + had, span.words - had)

    @contextlib.contextmanager
    def dealing(self, sid: bytes, span: Span, into: NDArray[np.uint64]) -> Iterator[None]:
        """Have u64[15, words] dealt for a chunk while the caller's thread does something else; as `fetch`."""
        ahead = self._ahead(sid)
        had = ahead.take(span.first, into) if ahead else 0
        if had == span.words:
            yield
            return
        if self._streams is None:
            raise ExchangeAborted("There is no stream to the mint.")
        first, words = span.first + had, span.words - had
        rest = np.empty((ROUNDS, words), np.uint64) if had else into
        with self._streams.lent() as link:
            link.send(Frame(Kind.DEAL, meta=_named(sid, first, words)))
            yield
            try:
                frame = link.receive([rest.data.cast("B")])
            except WireBroken:
                raise ExchangeAborted("The mint dealt the wrong number of bits.") from None
        self._check(sid, first, frame.meta, rest)
        if had:
            into[:, had:] = rest

    def lost(self, sid: bytes) -> bool:
        """Say whether what was dealt ahead for a sid did not come, or was let go: the mint does not deal it again."""
        return sid in self._burnt

    def _ahead(self, sid: bytes) -> _Ahead | None:
        """Find what was dealt ahead for a sid."""
        with self._lock:
            return self._stock.get(sid)

    async def _asked(self, kind: Kind, sid: bytes, first: int, words: int) -> NDArray[np.uint64]:
        """Ask the mint over the ordinary link."""
        reply = await self._mint.call(kind, _named(sid, first, words))
        dealt = _as_words(reply.buffers, words)
        self._check(sid, first, reply.meta, dealt)
        return dealt

    def _check(self, sid: bytes, first: int, meta: dict[str, Any], dealt: NDArray[np.uint64]) -> None:
        """Notice a mint that answers for another sid, or that deals the same words a second time."""
        if meta.get("sid") != sid.hex() or meta.get("first") != first:
            raise ExchangeAborted("The mint dealt for another question.")
        mark = hashlib.sha256(dealt[:, :1].tobytes()).digest()
        with self._lock:
            if mark in self._seen:
                raise ExchangeAborted("The mint dealt the same words twice.")
            _remember(self._seen, mark)

    # ---- ahead ----

    async def _fill(self, before: asyncio.Task[None] | None) -> None:
        """Have the mint deal for the sids that come next, as large as the last question was, as far as there is room.

        What was dealt for a sid that is skipped is forgotten, never used for another. One that may still come, and for
        which there is no room beside larger ones, is burnt: the vaults then meet under another.
        """
        if before:
            await asyncio.wait([before])
        await asyncio.sleep(IDLE_SECONDS)
        later = self._next
        words = min(self._wanted, self._stock_words // STREAM_STEP * STREAM_STEP)
        if self._busy or later is None or not words:
            return
        sids = [later(n + 1) for n in range(max(1, min(AHEAD_SIDS, self._stock_words // words)))]
        with self._lock:
            for sid in [sid for sid in self._stock if sid not in sids and sid not in self._kept]:
                self._burn(sid)
        try:
            for sid in sids:
                await self._fill_one(sid, words)
        except Refusal as error:  # the next question will ask the mint itself, and say so
            _log.warning("vault-b: the mint deals nothing ahead: %(why)s", {"why": error})

    async def _fill_one(self, sid: bytes, words: int) -> None:
        """Fetch the first words of a sid, piece by piece, until somebody asks a question."""
        with self._lock:
            if sid in self._stock or sid in self._burnt or self._busy:
                return
            ahead = self._stock[sid] = _Ahead(words)
        while ahead.asked < words and not self._busy:
            first, count = ahead.asked, min(PIECE_WORDS, words - ahead.asked)
            ahead.asked += count
            try:
                ahead.put(await self._asked(Kind.DEAL_AHEAD, sid, first, count))
            except BaseException:
                with self._lock:
                    self._burn(sid)
                ahead.lose()
                raise

    def _burn(self, sid: bytes) -> None:
        """Let go of a sid's words for good; the caller holds the lock."""
        self._stock.pop(sid, None)
        _remember(self._burnt, sid)


def _remember(table: OrderedDict[bytes, None], mark: bytes) -> None:
    """Keep a mark, and the newest REMEMBERED only."""
    table[mark] = None
    while len(table) > REMEMBERED:
        table.popitem(last=False)


def _named(sid: bytes, first: int, words: int) -> dict[str, Any]:
    """Name a run of words of a sid."""
    return {"sid": sid.hex(), "first": first, "words": words}


def _as_words(buffers: Any, words: int) -> NDArray[np.uint64]:
    """Read u64[15, words]."""
    raw: list[Buffer] = list(buffers)
    if len(raw) != 1 or memoryview(raw[0]).nbytes != words * BYTES_A_WORD:
        raise ExchangeAborted("The mint dealt the wrong number of bits.")
    dealt: NDArray[np.uint64] = np.frombuffer(raw[0], np.uint64).reshape(ROUNDS, words)
    return dealt
