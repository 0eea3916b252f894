"""Labels: the canonical names of pseudo-random streams and of hashed statements."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

Party: TypeAlias = Literal["A", "B"]
Tag: TypeAlias = Literal["alpha", "beta", "gamma"]

NONCE_BYTES = 12
_INT_BYTES = 8


def label(domain: str, *parts: bytes | int) -> bytes:
    """Encode a domain and its parts so that no two different lists give the same bytes.

    Each part, the domain (UTF-8) first, is written as u32 LE length, then the bytes; an integer is 8 bytes, u64 LE.
    A domain always takes the same number of parts of the same kinds, so an integer never meets the bytes that spell it.

    Raises `OverflowError` for an integer outside 0 .. 2^64 - 1 and `TypeError` for any other kind of part.
    """
    return b"".join(_prefixed(part) for part in (domain.encode(), *parts))


def _prefixed(part: bytes | int) -> bytes:
    if isinstance(part, bool) or not isinstance(part, bytes | int):
        raise TypeError("a label is made of bytes and integers")
    raw = part.to_bytes(_INT_BYTES, "little") if isinstance(part, int) else part
    return len(raw).to_bytes(4, "little") + raw


def nonce_of(name: bytes) -> bytes:
    """Return the 12-byte ChaCha20 nonce of a label: the head of its SHA-256."""
    return hashlib.sha256(name).digest()[:NONCE_BYTES]


def triple_label(sid: bytes, bit: int, tag: Tag) -> bytes:
    """Return the label of one party's stream of triple shares: for session `sid`, bit of the ring and letter."""
    return label("moiety/triple/1", sid, bit, tag.encode())
