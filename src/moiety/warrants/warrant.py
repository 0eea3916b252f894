"""The warrant: a signed statement of one question; what each kind of signature holds stands in `proofs`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from moiety.foundation.envelopes import pack, unpack
from moiety.foundation.errors import Unverified
from moiety.warrants.records import NO_BOX, Box, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = bytes(32)
SKEW_SECONDS = 120
LIFE_SECONDS_MAX = 600


class Act(StrEnum):
    """What a warrant allows."""

    SEARCH = "search"
    VERIFY = "verify"
    ENROL = "enrol"
    ERASE = "erase"
    REVEAL = "reveal"
    POLICY = "policy"


class Scheme(StrEnum):
    """Kinds of signature: the gate's own key, a device's, a person's passkey, a session that a passkey opened."""

    SERVICE = "service"
    DEVICE = "device"
    PASSKEY = "passkey"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Warrant(Record):
    """One question. Times are seconds since 1970; hashes and the nonce have 32 bytes.

    `statement_sha256` is the digest of the eye's statement for search, verify and enrol, else zeros. `target` is the
    digest of what the act is done to (blocks, row ids, a record and field, a policy), else zeros; see `targets`.
    """

    DOMAIN: ClassVar[str] = "moiety/warrant/1"

    act: Act
    tenant: str
    gallery: str
    policy_version: int
    purpose: str
    case: str
    image_sha256: bytes
    box: Box
    statement_sha256: bytes
    target: bytes
    issued: int
    expires: int
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a warrant; `signer` is the public key or credential id, which rosters know; see `proofs`."""

    scheme: Scheme
    signer: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class SignedWarrant:
    """A warrant with its signatures, as it travels."""

    warrant: Warrant
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """Pack the canonical warrant and then each signature."""
        return pack(self.warrant.encode(), *(pack(s.scheme, s.signer, s.value) for s in self.signatures))

    @classmethod
    def decode(cls, raw: bytes) -> SignedWarrant:
        """Read what `encode` made.

        Raises:
            Unverified: it is malformed.

        """
        try:
            first, *rest = unpack(raw)
            signatures = []
            for packed in rest:
                scheme, signer, value = unpack(packed)
                signatures.append(Signature(Scheme(scheme.decode()), signer, value))
        except ValueError:
            raise Unverified("A signed warrant is malformed.") from None
        return cls(Warrant.decode(first), tuple(signatures))


def signed_with(warrant: Warrant, *signatures: Signature) -> SignedWarrant:
    """Put signatures under a warrant: one, or two of two people."""
    return SignedWarrant(warrant, signatures)


def sign_as_service(warrant: Warrant, key: Ed25519PrivateKey) -> SignedWarrant:
    """Sign with the gate's own key."""
    signature = Signature(Scheme.SERVICE, key.public_key().public_bytes_raw(), key.sign(warrant.digest()))
    return SignedWarrant(warrant, (signature,))


def signed_by_service(signed: SignedWarrant, services: Sequence[bytes]) -> bytes:
    """Return the signer when exactly one signature stands there, of a known service key, and it is good.

    Raises:
        Unverified: anything else.

    """
    if len(signed.signatures) != 1 or signed.signatures[0].signer not in services:
        raise Unverified("The warrant is not signed by a known service.")
    signature = signed.signatures[0]
    try:
        Ed25519PublicKey.from_public_bytes(signature.signer).verify(signature.value, signed.warrant.digest())
    except (InvalidSignature, ValueError):
        raise Unverified("The signature of the warrant is wrong.") from None
    return signature.signer


def in_force(warrant: Warrant, now: float) -> None:
    """Check the times, with two minutes of skew allowed.

    Raises:
        Unverified: it is not yet, or no longer, in force, or would live for more than ten minutes.

    """
    if not warrant.issued - SKEW_SECONDS <= now <= warrant.expires + SKEW_SECONDS:
        raise Unverified("The warrant is not in force at this time: it is old, or this vault's clock is wrong.")
    if not 0 <= warrant.expires - warrant.issued <= LIFE_SECONDS_MAX:
        raise Unverified("The warrant would live too long.")


def without_picture(
    act: Act, policy: tuple[str, str, int, str], case: str, target: bytes, now: float, nonce: bytes
) -> Warrant:
    """Make a warrant for an act that shows no face: erase, reveal, policy.

    `policy` is (tenant, gallery, policy version, purpose).
    """
    tenant, gallery, version, purpose = policy
    issued = int(now)
    return Warrant(
        act, tenant, gallery, version, purpose, case, NOTHING, NO_BOX, NOTHING, target, issued, issued + 60, nonce
    )
