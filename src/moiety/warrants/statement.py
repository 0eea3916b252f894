"""The eye's statement: what it measured in which picture, and a commitment to what it sealed to the vaults."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import Unverified
from moiety.kernel import label
from moiety.warrants.records import Box, Record

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Pad(StrEnum):
    """Result of presentation attack detection; advice until it is measured."""

    UNKNOWN = "unknown"
    LIVE = "live"
    ATTACK = "attack"


class Made(StrEnum):
    """What the eye made of a face."""

    PROBE = "probe"
    TEMPLATE = "template"
    TEMPLATES = "templates"


@dataclass(frozen=True, slots=True)
class Statement(Record):
    """One face of one picture. `row` is empty for a probe; `commitment` is to (nonce, q) or is c of the row.

    Of a batch of templates `image_sha256` is `batch.pictures_of_batch`, `commitment` `batch.commit_batch`, `row` empty.
    """

    DOMAIN: ClassVar[str] = "moiety/statement/1"

    made: Made
    tenant: str
    gallery: str
    image_sha256: bytes
    box: Box
    model: bytes
    rotation: bytes
    pad: Pad
    row: bytes
    epoch: int
    commitment: bytes
    nonce: bytes
    issued: int


def face_nonce(nonce: bytes, index: int) -> bytes:
    """Derive the nonce of the face numbered `index` from the 32-byte nonce that the asker (a gate, a door) drew."""
    return hashlib.sha256(pack("moiety/nonce/1", nonce, index)).digest()


def commit_probe(nonce: bytes, salt: bytes, probe: bytes) -> bytes:
    """Commit to a probe (its int8 bytes) under a random 32-byte salt that travels sealed with it."""
    return hashlib.sha256(pack("moiety/probe/1", nonce, salt, probe)).digest()


def commit_row(tenant: str, gallery: str, row_id: bytes, epoch: int, salt: bytes, row: bytes) -> bytes:
    """C of the protocol: SHA-256('moiety/commit/1' ‖ tenant ‖ gallery ‖ row id ‖ epoch ‖ salt ‖ row)."""
    return hashlib.sha256(pack("moiety/commit/1", tenant, gallery, row_id, epoch, salt, row)).digest()


def row_label(tenant: str, gallery: str, row_id: bytes, epoch: int) -> bytes:
    """Name the pad of a row: 'moiety/row/1' ‖ tenant ‖ gallery ‖ row id ‖ epoch, as eye and vault B expand it."""
    return label("moiety/row/1", tenant.encode(), gallery.encode(), row_id, epoch)


def sign(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """Sign the digest as the eye."""
    return key.sign(statement.digest())


def verify(statement: Statement, signature: bytes, eye: bytes) -> None:
    """Check the eye's signature; `eye` is its raw public key.

    Raises:
        Unverified: it is not the eye's.

    """
    try:
        Ed25519PublicKey.from_public_bytes(eye).verify(signature, statement.digest())
    except (InvalidSignature, ValueError):
        raise Unverified("The statement is not signed by the eye.") from None
