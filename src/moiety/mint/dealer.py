"""What the mint does: for a sid it sends B the words that make the triples of both vaults true (D. Beaver, CRYPTO '91).

A and B draw all else themselves from a key that each shares with the mint. The mint sees no message between them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import BadInput, ExchangeAborted
from moiety.kernel import mint_gammas
from moiety.wire.frames import Frame, Sort
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

    from moiety.wire.streams import StreamLink

ROUNDS = 15
WORDS_MAX = 1 << 20
CHUNK_STEP = 8
REMEMBERED = 1 << 20


def shared_key(own: X25519PrivateKey, other: bytes, tenant: str, half: str) -> bytes:
    """Agree on the key of the mint and vault `half` ('a' or 'b'): X25519 of their sealing keys, then HKDF-SHA256.

    Both sides compute it; it never travels (RFC 7748, section 6.1; RFC 5869).
    """
    secret = own.exchange(X25519PublicKey.from_public_bytes(other))
    return HKDF(SHA256(), 32, None, pack("moiety/mint/1", tenant, half)).derive(secret)


@dataclass(frozen=True, slots=True)
class _Order:
    """Words `first` to `first + words` of a sid."""

    sid: bytes
    first: int
    words: int

    def named(self) -> dict[str, Any]:
        """Say with the words what they are for."""
        return {"sid": self.sid.hex(), "first": self.first}


class Dealer:
    """Deals each word of each sid once. Safe between threads."""

    def __init__(self, key_a: bytes, key_b: bytes) -> None:
        """Use the keys shared with A and with B."""
        self._keys = (key_a, key_b)
        # After a restart of the mint alone, the vaults' counters still keep a sid from coming again.
        self._dealt: OrderedDict[bytes, list[tuple[int, int]]] = OrderedDict()
        self._rooms: list[NDArray[np.uint64]] = []
        self._lock = threading.Lock()

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map the kinds of frame: words for a question, and words for one to come."""
        return {Kind.DEAL: self._deal, Kind.DEAL_AHEAD: self._deal}

    def streams(self) -> dict[Kind, Callable[[StreamLink, Frame], None]]:
        """Map the kind of frame that comes on streams."""
        return {Kind.DEAL: self._deal_in_thread}

    def _order(self, frame: Frame) -> _Order:
        """Read what is asked for, and enter it.

        Raises:
            ExchangeAborted: some of it was dealt before.

        """
        sid = bytes.fromhex(str(frame.meta["sid"]))
        first, words = int(frame.meta["first"]), int(frame.meta["words"])
        if len(sid) != 32 or first % CHUNK_STEP or first < 0 or not 0 < words <= WORDS_MAX:  # noqa: PLR2004 - SHA-256
            raise BadInput("The mint was asked for an impossible chunk.")
        with self._lock:
            dealt = self._dealt.setdefault(sid, [])
            if any(first < end and start < first + words for start, end in dealt):
                raise ExchangeAborted("The mint deals a sid once.")
            dealt.append((first, first + words))
            while len(self._dealt) > REMEMBERED:
                self._dealt.popitem(last=False)
        return _Order(sid, first, words)

    def _make(self, order: _Order, gammas: NDArray[np.uint64]) -> None:
        """Make u64[15, words]."""
        mint_gammas(*self._keys, order.sid, 0, ROUNDS, order.words, order.first, gammas)

    async def _deal(self, frame: Frame) -> Answer:
        """Give u64[15, words] for words `first` to `first + words` of a sid."""
        order = self._order(frame)
        gammas = np.empty((ROUNDS, order.words), np.uint64)
        await asyncio.to_thread(self._make, order, gammas)
        return Answer(order.named(), [gammas.data])

    def _deal_in_thread(self, link: StreamLink, frame: Frame) -> None:
        """Give the same over a stream, from memory that is used again."""
        order = self._order(frame)
        with self._lock:
            room = self._rooms.pop() if self._rooms else np.empty(0, np.uint64)
        if len(room) < ROUNDS * order.words:
            room = np.empty(ROUNDS * order.words, np.uint64)
        gammas = room[: ROUNDS * order.words].reshape(ROUNDS, order.words)
        self._make(order, gammas)
        link.send(Frame(frame.kind, Sort.ANSWER, frame.id, order.named(), [gammas.data]))
        with self._lock:
            self._rooms.append(room)
