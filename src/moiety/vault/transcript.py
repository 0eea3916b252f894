"""What both vaults have seen of an exchange, as keyed tags: altered on the way, the two ends' tags differ.

A tag is GMAC (NIST SP 800-38D, section 6.4: AES-GCM without plaintext), at less than a tenth of a hash's cost
(decision 9). Tags never travel: what the vaults compare is a SHA-256 over all of them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moiety.foundation.envelopes import pack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moiety.kernel import Party

_COUNTER_BYTES = 4


def pair_key(own: X25519PrivateKey, other: bytes, tenant: str) -> bytes:
    """Agree on the key of the two vaults: X25519 of their sealing keys, then HKDF-SHA256.

    Both sides compute it; it never travels (RFC 7748, section 6.1; RFC 5869).
    """
    secret = own.exchange(X25519PublicKey.from_public_bytes(other))
    return HKDF(SHA256(), 32, None, pack("moiety/pair/1", tenant)).derive(secret)


def exchange_key(pair: bytes, sid: bytes) -> bytes:
    """Derive the key of one exchange."""
    return HKDF(SHA256(), 32, sid, b"moiety/transcript/1").derive(pair)


class Transcript:
    """The tags of one chunk's messages; a nonce is chunk, round and sender, so none comes twice under one key."""

    def __init__(self, key: bytes, chunk: int) -> None:
        """Begin chunk `chunk` under the key of its exchange."""
        self._gcm = AESGCM(key)
        self._chunk = chunk.to_bytes(_COUNTER_BYTES, "big")
        self._chain = hashlib.sha256()

    def add(self, number: int, sender: Party, message: memoryview) -> None:
        """Take in a round's message of one vault."""
        nonce = self._chunk + number.to_bytes(_COUNTER_BYTES, "big") + sender.encode().rjust(_COUNTER_BYTES, b"\0")
        self._chain.update(self._gcm.encrypt(nonce, b"", message))

    def digest(self) -> bytes:
        """SHA-256 over all tags so far, in the order of their adding: A's before B's in each round."""
        return self._chain.digest()


def joined(digests: Iterable[bytes]) -> bytes:
    """Hash the transcripts of all chunks, in order."""
    return hashlib.sha256(b"".join(digests)).digest()
