"""What stands behind each kind of signature of a warrant, how it is made, and what of it needs no roster to check.

scheme   signer (bytes)                 value (bytes)
service  raw Ed25519 key of the gate    64 bytes: Ed25519 over the warrant's digest
device   raw Ed25519 key of the device  DeviceProof: the slip that the device signed, and which face of its picture
passkey  credential id                  Assertion: a WebAuthn assertion whose challenge is the warrant's digest
session  raw Ed25519 key of a session   SessionProof: the assertion that opened it, and Ed25519 over the digest

Each value is a record in canonical bytes. Passkeys themselves are checked in `passkeys`, against a roster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.errors import Unverified
from moiety.warrants.records import Record
from moiety.warrants.statement import face_nonce
from moiety.warrants.warrant import SKEW_SECONDS, Act, Scheme, Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.warrants.warrant import Warrant

SESSION_SECONDS_MAX = 12 * 3600
# Acts that show a face: a device signs the picture. For the others it signs the warrant's target in its place.
_WITH_PICTURE = (Act.SEARCH, Act.VERIFY, Act.ENROL)


@dataclass(frozen=True, slots=True)
class DeviceSlip(Record):
    """What a device signs: `what` is the SHA-256 of the picture, or the warrant's target where there is no picture.

    `door` is the name of its place, `time` seconds since 1970, `nonce` 32 random bytes of its own.
    """

    DOMAIN: ClassVar[str] = "moiety/device/1"

    what: bytes
    door: str
    time: int
    nonce: bytes


@dataclass(frozen=True, slots=True)
class SignedSlip(Record):
    """A slip and the device's Ed25519 signature over its digest, as it travels from the device to the gate."""

    DOMAIN: ClassVar[str] = "moiety/signed-slip/1"

    slip: DeviceSlip
    device: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class DeviceProof(Record):
    """The value of a device's signature: the warrant's nonce is `face_nonce(slip.nonce, face)`."""

    DOMAIN: ClassVar[str] = "moiety/device-proof/1"

    slip: DeviceSlip
    face: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Assertion(Record):
    """What `navigator.credentials.get()` gives: authenticatorData, clientDataJSON and signature, as they are."""

    DOMAIN: ClassVar[str] = "moiety/assertion/1"

    authenticator_data: bytes
    client_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SessionGrant(Record):
    """What a passkey signs at sign-in (its digest is the challenge): this raw Ed25519 key may sign until `expires`."""

    DOMAIN: ClassVar[str] = "moiety/session/1"

    key: bytes
    expires: int


@dataclass(frozen=True, slots=True)
class SessionProof(Record):
    """The value of a session's signature."""

    DOMAIN: ClassVar[str] = "moiety/session-proof/1"

    expires: int
    credential: bytes
    assertion: Assertion
    signature: bytes


def _public(key: Ed25519PrivateKey) -> bytes:
    """Give the raw public key."""
    return key.public_key().public_bytes_raw()


def _verify(key: bytes, signature: bytes, digest: bytes) -> None:
    """Check an Ed25519 signature over a digest.

    Raises:
        Unverified: it is not good.

    """
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, digest)
    except (InvalidSignature, ValueError):
        raise Unverified("A signature of the warrant is wrong.") from None


# ---- making ----


def sign_slip(slip: DeviceSlip, key: Ed25519PrivateKey) -> SignedSlip:
    """Sign as a device; the gate makes a warrant's signature of it with `by_device`."""
    return SignedSlip(slip, _public(key), key.sign(slip.digest()))


def by_device(signed: SignedSlip, face: int = 0) -> Signature:
    """Put a device's slip under a warrant for the face numbered `face` of its picture."""
    return Signature(Scheme.DEVICE, signed.device, DeviceProof(signed.slip, face, signed.signature).encode())


def by_passkey(credential: bytes, assertion: Assertion) -> Signature:
    """Put a person's assertion under the warrant whose digest was its challenge."""
    return Signature(Scheme.PASSKEY, credential, assertion.encode())


def by_session(
    warrant: Warrant, grant: SessionGrant, credential: bytes, assertion: Assertion, key: Ed25519PrivateKey
) -> Signature:
    """Sign a warrant with a session's key; `assertion` is the one whose challenge was `grant.digest()`."""
    proof = SessionProof(grant.expires, credential, assertion, key.sign(warrant.digest()))
    return Signature(Scheme.SESSION, _public(key), proof.encode())


# ---- checking what needs no roster ----


def check_service(signature: Signature, warrant: Warrant) -> None:
    """Check that the key that is named signed this warrant.

    Raises:
        Unverified: it did not.

    """
    _verify(signature.signer, signature.value, warrant.digest())


def check_device(signature: Signature, warrant: Warrant) -> DeviceSlip:
    """Check that the device that is named signed a slip for this warrant, and give the slip.

    Raises:
        Unverified: the signature is wrong, or the slip is of another picture, door, time or nonce.

    """
    proof = DeviceProof.decode(signature.value)
    slip = proof.slip
    _verify(signature.signer, proof.signature, slip.digest())
    what = warrant.image_sha256 if warrant.act in _WITH_PICTURE else warrant.target
    if slip.what != what or slip.door != warrant.case:
        raise Unverified("The device signed for another picture or door.")
    if warrant.nonce != face_nonce(slip.nonce, proof.face):
        raise Unverified("The warrant's nonce is not made of the device's.")
    if abs(slip.time - warrant.issued) > SKEW_SECONDS:
        raise Unverified("The device signed at another time than the warrant says; is its clock right?")
    return slip


def check_session(signature: Signature, warrant: Warrant, now: float) -> tuple[SessionGrant, bytes, Assertion]:
    """Check that the session's key signed this warrant and lives; gives the grant, the credential and its assertion.

    Raises:
        Unverified: the signature is wrong, or the session is over or would last for more than twelve hours.

    """
    proof = SessionProof.decode(signature.value)
    _verify(signature.signer, proof.signature, warrant.digest())
    if not now - SKEW_SECONDS <= proof.expires <= now + SESSION_SECONDS_MAX + SKEW_SECONDS:
        raise Unverified("The session is over, or would last for more than twelve hours.")
    return SessionGrant(signature.signer, proof.expires), proof.credential, proof.assertion
