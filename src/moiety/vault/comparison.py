"""One half of a sign test, without I/O: what to send in each round, what to do with the answer, the share at the end.

Rounds: bit 0, then bits 1 to 14 (shared protocol, "Sign test"). A chunk is a run of 64-bit words of one comparison,
begun at a multiple of 8 words, so that chunks of one sid draw disjoint triples and their rounds can overlap.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import ExchangeAborted
from moiety.kernel import (
    below_threshold,
    final_share,
    first_carry,
    first_send,
    next_carry,
    next_send,
    slice_bits,
    triple_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from moiety.kernel import Party, Tag

ROUNDS = 15
CHUNK_WORDS = 16_384
THREAD_WORDS = 2_048
WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk: words `first` to `first + words` of the comparison."""

    first: int
    words: int


def spans(words: int) -> Iterator[Span]:
    """Cut a comparison into chunks."""
    for first in range(0, words, CHUNK_WORDS):
        yield Span(first, min(CHUNK_WORDS, words - first))


def planes_of(party: Party, partial: NDArray[np.uint16], thresholds: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Slice partial scores u16[k, m] into u64[16, k * ceil(m / 64)]; A takes the threshold of its line off first.

    Each line starts a new word, so that the positions of a line are the same for both halves and for the gate.
    """
    lines, count = partial.shape
    width = -(-count // WORD_BITS) * WORD_BITS
    padded = np.zeros((lines, width), np.uint16)
    padded[:, :count] = partial
    if party == "A":
        for line, threshold in zip(padded, thresholds, strict=True):
            below_threshold(line, int(threshold), line)
    return slice_bits(padded.reshape(-1))


class Half:
    """One party's side of the sign test on one chunk."""

    def __init__(self, party: Party, planes: NDArray[np.uint64], key: bytes, sid: bytes, span: Span) -> None:
        """Take the planes u64[16, words] of the chunk and the key that this party shares with the mint."""
        self._party = party
        self._planes = np.ascontiguousarray(planes[:, span.first : span.first + span.words])
        self._key = key
        self._sid = sid
        self._span = span
        self._gammas: NDArray[np.uint64] | None = None
        self._carry: NDArray[np.uint64] | None = None
        self._sent: NDArray[np.uint64] | None = None
        self._alpha = self._beta = np.empty(0, np.uint64)
        self._round = 0
        self._transcript = hashlib.sha256()

    @property
    def large(self) -> bool:
        """Whether a round is long enough to be worth a thread of its own."""
        return self._span.words >= THREAD_WORDS

    def take_gammas(self, gammas: NDArray[np.uint64]) -> None:
        """At B: the mint's words u64[15, words]."""
        if gammas.shape != (ROUNDS, self._span.words):
            raise ExchangeAborted("The mint dealt the wrong number of bits.")
        self._gammas = gammas

    def _triple(self, tag: Tag) -> NDArray[np.uint64]:
        """Draw one letter of this round's triple."""
        if tag == "gamma" and self._gammas is not None:
            dealt: NDArray[np.uint64] = self._gammas[self._round]
            return dealt
        words: NDArray[np.uint64] = triple_words(
            self._key, self._sid, self._round, tag, self._span.words, self._span.first
        )
        return words

    def send(self, number: int) -> NDArray[np.uint64]:
        """Give this round's message; it does not depend on what the other sends in the same round.

        Raises:
            ExchangeAborted: rounds are out of order or one is asked for twice.

        """
        if number != self._round or self._sent is not None or number >= ROUNDS:
            raise ExchangeAborted("A round of the sign test came out of order.")
        plane = self._planes[number]
        if number == 0:
            mask = self._triple("alpha" if self._party == "A" else "beta")
            self._alpha = self._beta = mask
            self._sent = first_send(plane, mask)
        else:
            assert self._carry is not None  # noqa: S101 - round 0 has set it
            self._alpha, self._beta = self._triple("alpha"), self._triple("beta")
            self._sent = next_send(self._party, plane, self._carry, self._alpha, self._beta)
        return self._sent

    def receive(self, raw: bytes | bytearray | memoryview) -> None:
        """Take the other's message of this round and move on.

        Raises:
            ExchangeAborted: it has the wrong size or nothing was sent before.

        """
        mine = self._sent
        if mine is None or memoryview(raw).nbytes != mine.nbytes:
            raise ExchangeAborted("A message of the sign test has the wrong size.")
        theirs = np.frombuffer(raw, np.uint64).reshape(mine.shape)
        both = (mine, theirs) if self._party == "A" else (theirs, mine)
        for message in both:
            self._transcript.update(message.tobytes())
        gamma = self._triple("gamma")
        if self._round == 0:
            factor = self._alpha if self._party == "A" else self._planes[0]
            self._carry = first_carry(theirs, factor, gamma)
        else:
            assert self._carry is not None  # noqa: S101 - round 0 has set it
            next_carry(self._party, self._carry, mine, theirs, self._alpha, self._beta, gamma)
        self._round += 1
        self._sent = None

    def transcript(self) -> bytes:
        """SHA-256 over all messages of the chunk, A's before B's in each round."""
        return self._transcript.digest()

    def share(self) -> NDArray[np.uint64]:
        """Give this party's share u64[words] of h = [s >= t].

        Raises:
            ExchangeAborted: not all rounds were run.

        """
        if self._round != ROUNDS or self._carry is None:
            raise ExchangeAborted("The sign test was not run to its end.")
        share: NDArray[np.uint64] = final_share(self._party, self._planes[ROUNDS], self._carry)
        return share
