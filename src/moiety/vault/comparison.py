"""One half of a sign test, without I/O: what to send in each round, what to do with the answer, the share at the end.

Rounds: bit 0, then bits 1 to 14 (shared protocol, "Sign test"). A block is 64 rows: one word of bits for each line of
comparisons. A chunk is a run of blocks with all their lines; the chunks of one sid draw disjoint triples, so that
their rounds can overlap.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import ExchangeAborted
from moiety.kernel import advance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from moiety.kernel import Party
    from moiety.vault.transcript import Transcript

BITS = 16
ROUNDS = BITS - 1
WORD_BITS = 64
CHUNK_WORDS = 32_768
SMALL_WORDS = 2_048
CHUNKS_LEAST = 4
STREAM_STEP = 8  # words in a block of ChaCha20, at which a stream can be entered
_WORK = 5


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk: blocks `low` to `high` of `lines` lines; its triples begin at word `first` of the sid's streams."""

    first: int
    low: int
    high: int
    lines: int

    @property
    def words(self) -> int:
        """Words of a bit-plane."""
        return (self.high - self.low) * self.lines


def spans(lines: int, blocks: int) -> list[Span]:
    """Cut a question of `lines` times `blocks` words into chunks.

    A small question is one chunk; a middling one is cut so that rounds of one chunk fill the waits of another.
    """
    if not lines or not blocks:
        return []
    parts = max(-(-blocks // CHUNKS_LEAST), SMALL_WORDS // lines)
    each = max(1, min(CHUNK_WORDS // lines, parts))
    stride = -(-each * lines // STREAM_STEP) * STREAM_STEP
    lows = range(0, blocks, each)
    return [Span(i * stride, low, min(low + each, blocks), lines) for i, low in enumerate(lows)]


class Room:
    """Memory for one chunk of up to `words` words, used again for the next: fresh pages cost more than the work."""

    def __init__(self, words: int, *, dealt: bool) -> None:
        """Take the memory; `dealt`: also for what the mint deals."""
        self.words = words
        self._flat = np.empty((BITS + _WORK + 2 + (ROUNDS if dealt else 0)) * words, np.uint64)

    def rows(self, before: int, count: int, words: int) -> NDArray[np.uint64]:
        """Give u64[count, words] behind `before` other rows."""
        rows: NDArray[np.uint64] = self._flat[before * words : (before + count) * words].reshape(count, words)
        return rows


class Rooms:
    """Rooms that chunks borrow."""

    def __init__(self, *, dealt: bool) -> None:
        """`dealt`: rooms also hold what the mint deals."""
        self._dealt = dealt
        self._idle: list[Room] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self, words: int) -> Iterator[Room]:
        """Lend a room for `words` words."""
        with self._lock:
            room = self._idle.pop() if self._idle else None
        if room is None or room.words < words:
            room = Room(max(words, CHUNK_WORDS), dealt=self._dealt)
        try:
            yield room
        finally:
            with self._lock:
                self._idle.append(room)


class Half:
    """One party's side of the sign test on one chunk."""

    def __init__(self, party: Party, key: bytes, sid: bytes, span: Span, room: Room, transcript: Transcript) -> None:
        """Work in `room` with the key that this party shares with the mint; `planes` must be filled before round 0."""
        self._party = party
        self._key = key
        self._sid = sid
        self._span = span
        self._transcript = transcript
        self.planes = room.rows(0, BITS, span.words)
        self._work = room.rows(BITS, _WORK, span.words)
        self._theirs = room.rows(BITS + _WORK, 2, span.words)
        self._gammas = room.rows(BITS + _WORK + 2, ROUNDS, span.words) if party == "B" else None
        self._round = 0
        self._sent: memoryview | None = None

    @property
    def gammas(self) -> NDArray[np.uint64]:
        """At B: where the mint's words u64[15, words] belong, before round 1."""
        assert self._gammas is not None  # noqa: S101 - A is dealt nothing
        return self._gammas

    def _step(self) -> memoryview:
        """Finish the round before, if any, and make the message of this one, or behind the last one the share."""
        number = self._round
        theirs = self._theirs[: 1 if number == 1 else 2] if number else None
        gamma = self._gammas[number - 1] if number and self._gammas is not None else None
        made = advance(
            self._party, self._key, self._sid, number, self.planes, self._work, theirs, gamma, self._span.first
        )
        return made.data.cast("B")

    def send(self, number: int) -> memoryview:
        """Give this round's message; it does not depend on what the other sends in the same round.

        Raises:
            ExchangeAborted: rounds are out of order or one is asked for twice.

        """
        if number != self._round or self._sent is not None or number >= ROUNDS:
            raise ExchangeAborted("A round of the sign test came out of order.")
        self._sent = self._step()
        return self._sent

    def inbox(self) -> memoryview:
        """Give the place for the other's message of this round, as long as it must be; free once ours was made."""
        return self._theirs[: 1 if self._round == 0 else 2].data.cast("B")

    def receive(self, raw: bytes | bytearray | memoryview | None = None) -> None:
        """Take the other's message of this round; None: it lies in the inbox.

        Raises:
            ExchangeAborted: it has the wrong size or nothing was sent before.

        """
        inbox = self.inbox()
        if self._sent is None or (raw is not None and memoryview(raw).nbytes != inbox.nbytes):
            raise ExchangeAborted("A message of the sign test has the wrong size.")
        if raw is not None:
            inbox[:] = memoryview(raw).cast("B")
        from_a, from_b = (self._sent, inbox) if self._party == "A" else (inbox, self._sent)
        self._transcript.add(self._round, "A", from_a)
        self._transcript.add(self._round, "B", from_b)
        self._round += 1
        self._sent = None

    def share(self) -> NDArray[np.uint64]:
        """Give this party's share u64[high - low, lines] of h = [s >= t], in this chunk's memory; asked for once.

        Raises:
            ExchangeAborted: not all rounds were run.

        """
        if self._round != ROUNDS:
            raise ExchangeAborted("The sign test was not run to its end.")
        words = np.frombuffer(self._step(), np.uint64)
        self._round += 1
        return words.reshape(-1, self._span.lines)

    def digest(self) -> bytes:
        """SHA-256 over the tags of all messages of the chunk, A's before B's in each round."""
        return self._transcript.digest()
