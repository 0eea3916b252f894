"""Checkpoints (c2sp.org/tlog-checkpoint) and what a witness puts under them (c2sp.org/tlog-cosignature, Ed25519)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from moiety.foundation.errors import Unverified
from moiety.tlog.merkle import HASH_BYTES
from moiety.tlog.notes import FORGED, Algorithm, Note, Signature, VerifierKey, plain_base64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIZE_MAX = 2**63 - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_TIME_BYTES = 8
_SIGNATURE_BYTES = 64
_LINES_LEAST = 3


def decimal(text: str) -> int:
    """Read a size as these formats write it: ASCII digits without leading zeros, below 2⁶³.

    Raises:
        Unverified: it is none.

    """
    if not _DECIMAL.fullmatch(text) or int(text) > SIZE_MAX:
        raise Unverified("A checkpoint names a size that is none.")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How many entries a log has and the root hash (32 bytes) of its tree."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Write what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a note's text; further lines are a log's own business.

        Raises:
            Unverified: it is no checkpoint.

        """
        lines = text.split("\n")[:-1]
        if len(lines) < _LINES_LEAST or not all(lines):
            raise Unverified("That is no checkpoint.")
        root = plain_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise Unverified("That is no checkpoint.")
        return cls(lines[0], decimal(lines[1]), root)


def opened(note: Note, log: VerifierKey) -> Checkpoint:
    """Give the checkpoint of a note that the log signed.

    Raises:
        Unverified: the log did not sign it, it is of another log, or none.

    """
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != log.name or not note.signed_by(log):
        raise Unverified("The checkpoint does not bear the signature of the log.")
    return checkpoint


def _cosigned(at: int, text: str) -> bytes:
    """Give the bytes that a witness signs."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def cosign(text: str, name: str, key: Ed25519PrivateKey, at: int) -> Signature:
    """Sign a checkpoint's text as a witness at `at` (whole seconds since 1970 UTC)."""
    verifier = VerifierKey(name, Algorithm.COSIGNATURE, key.public_key().public_bytes_raw())
    return Signature(name, verifier.key_id, at.to_bytes(_TIME_BYTES, "big") + key.sign(_cosigned(at, text)))


def cosigned_at(text: str, signatures: tuple[Signature, ...], witness: VerifierKey) -> int | None:
    """Say when a witness last signed a checkpoint's text, in seconds since 1970 UTC; None if it did not.

    Raises:
        Unverified: a signature says that it is of this witness and is not: such a note is refused whole.

    """
    found = []
    for one in signatures:
        if not one.of(witness):
            continue
        at = int.from_bytes(one.raw[:_TIME_BYTES], "big")
        fits = len(one.raw) == _TIME_BYTES + _SIGNATURE_BYTES and at <= SIZE_MAX
        if not fits or not witness.accepts(_cosigned(at, text), one.raw[_TIME_BYTES:]):
            raise Unverified(FORGED)
        found.append(at)
    return max(found) if found and witness.algorithm is Algorithm.COSIGNATURE else None
