"""What a warrant's `target` is the digest of, one function per act, so that maker and checker cannot differ."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from moiety.foundation.envelopes import pack

if TYPE_CHECKING:
    from collections.abc import Sequence


def of_blocks(blocks: Sequence[int]) -> bytes:
    """For verify: the blocks of 64 positions that hold the claimed rows, in order."""
    return hashlib.sha256(pack("moiety/target/blocks/1", *blocks)).digest()


def of_erasure(rows: Sequence[bytes], person: bytes) -> bytes:
    """For erase: the row ids, in order, and the handle of the personal key (empty when it stays)."""
    return hashlib.sha256(pack("moiety/target/erase/1", person, *rows)).digest()


def of_field(person: bytes, record: str, field: str, wrapped: bytes) -> bytes:
    """For reveal: whose field of which record, and the wrapped key that is to be opened."""
    return hashlib.sha256(pack("moiety/target/field/1", person, record, field, wrapped)).digest()


def of_policy(policy: bytes) -> bytes:
    """For policy: the canonical bytes of the policy."""
    return hashlib.sha256(pack("moiety/target/policy/1", policy)).digest()


def person_handle(tenant: str, gallery: str, subject: str) -> bytes:
    """Name a personal key at B: 16 bytes, unlike the id at the gate."""
    return hashlib.sha256(pack("moiety/person/1", tenant, gallery, subject)).digest()[:16]


def sealing_bound(half: str, nonce: bytes) -> bytes:
    """Bind a message that the eye seals to `half` to the nonce of its warrant."""
    return pack("moiety/sealed/1", half, nonce)
