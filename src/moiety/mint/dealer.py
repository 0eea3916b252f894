"""What the mint does: for a sid it sends B the words that make the triples of both vaults true (D. Beaver, CRYPTO '91).

A and B draw all else themselves from a key that each shares with the mint. The mint sees no message between them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import BadInput, ExchangeAborted
from moiety.kernel import mint_gamma
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moiety.wire.frames import Frame

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


class Dealer:
    """Deals each chunk of each sid once."""

    def __init__(self, key_a: bytes, key_b: bytes) -> None:
        """Use the keys shared with A and with B."""
        self._keys = (key_a, key_b)
        # After a restart of the mint alone, the vaults' counters still keep a sid from coming again.
        self._dealt: OrderedDict[tuple[bytes, int], None] = OrderedDict()

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map the one kind of frame."""
        return {Kind.DEAL: self._deal}

    async def _deal(self, frame: Frame) -> Answer:
        """Give u64[15, words] for words `first` to `first + words` of a sid.

        Raises:
            ExchangeAborted: this chunk of this sid was dealt before.

        """
        sid = bytes.fromhex(str(frame.meta["sid"]))
        first, words = int(frame.meta["first"]), int(frame.meta["words"])
        if len(sid) != 32 or first % CHUNK_STEP or first < 0 or not 0 < words <= WORDS_MAX:  # noqa: PLR2004 - SHA-256
            raise BadInput("The mint was asked for an impossible chunk.")
        if (sid, first) in self._dealt:
            raise ExchangeAborted("The mint deals a sid once.")
        self._dealt[sid, first] = None
        while len(self._dealt) > REMEMBERED:
            self._dealt.popitem(last=False)
        gammas = np.empty((ROUNDS, words), np.uint64)

        def deal() -> None:
            for bit in range(ROUNDS):
                mint_gamma(*self._keys, sid, bit, words, first, gammas[bit])

        await asyncio.to_thread(deal)
        return Answer({}, [gammas.data])
