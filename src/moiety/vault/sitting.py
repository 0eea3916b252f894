"""A question under its sid: the chunks, what they have given so far, and whether it is over. Safe between threads."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import ExchangeAborted
from moiety.vault.comparison import Half, spans
from moiety.vault.transcript import Transcript, exchange_key, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from moiety.kernel import Party
    from moiety.vault.comparison import Room, Span
    from moiety.vault.questions import Question
    from moiety.wire.streams import StreamLink


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What a vault shares with the mint, and what with the other vault: 32 bytes each."""

    mint: bytes
    pair: bytes


class Sitting:
    """One party's side of one question."""

    def __init__(self, party: Party, question: Question, sid: bytes, keys: Keys) -> None:
        """Cut the question into chunks; `keys` are those that this party shares with the mint and with the other."""
        self._party = party
        self._question = question
        self._sid = sid
        self._mint_key = keys.mint
        self._key = exchange_key(keys.pair, sid)
        self.spans = spans(question.lines, question.blocks)
        self._share = np.empty((question.lines, question.blocks), np.uint64)
        self._digests: dict[int, bytes] = {}
        self._claimed: set[int] = set()
        self._links: set[StreamLink] = set()
        self._over = False
        self._lock = threading.Lock()

    @property
    def sid(self) -> bytes:
        """The name of this exchange."""
        return self._sid

    def claim(self, index: int) -> Span:
        """Begin a chunk, once.

        Raises:
            ExchangeAborted: there is no such chunk, it was begun before, or the sitting is over.

        """
        with self._lock:
            if self._over or index in self._claimed or not 0 <= index < len(self.spans):
                raise ExchangeAborted("There is no such chunk.")
            self._claimed.add(index)
        return self.spans[index]

    def half(self, index: int, room: Room) -> Half:
        """Put a claimed chunk together; its planes are still to be filled."""
        transcript = Transcript(self._key, index)
        return Half(self._party, self._mint_key, self._sid, self.spans[index], room, transcript)

    def fill(self, index: int, half: Half) -> None:
        """Compare the rows of a chunk with the probes: the long part of its work."""
        self._question.planes(self.spans[index], half.planes)

    def keep(self, index: int, half: Half) -> None:
        """Take a chunk's share and digest."""
        span = self.spans[index]
        self._share[:, span.low : span.high] = half.share().T
        with self._lock:
            self._digests[index] = half.digest()

    @property
    def whole(self) -> bool:
        """Whether every chunk has been kept."""
        return len(self._digests) == len(self.spans)

    def digest(self) -> bytes:
        """Hash the transcripts of all chunks, in order."""
        if not self.whole:
            raise ExchangeAborted("The sign test was not run to its end.")
        return joined(self._digests[index] for index in range(len(self.spans)))

    def share(self) -> NDArray[np.uint64]:
        """Give this party's share u64[lines * blocks], line by line; an empty gallery has none."""
        return self._share.reshape(-1)

    @contextlib.contextmanager
    def holding(self, link: StreamLink) -> Iterator[None]:
        """Let `stop` end this link too, as long as a chunk uses it.

        Raises:
            ExchangeAborted: the sitting is over.

        """
        with self._lock:
            if self._over:
                raise ExchangeAborted
            self._links.add(link)
        try:
            yield
        finally:
            with self._lock:
                self._links.discard(link)

    def stop(self) -> None:
        """End it: threads that still work for it fail at their next message."""
        with self._lock:
            self._over = True
            for link in self._links:
                link.abort()
