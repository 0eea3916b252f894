"""The proof that a request comes from the device that signed in: Ed25519 over method, address, time and body.

`X-Moiety-Proof: 1.<milliseconds since 1970>.<nonce>.<SHA-256 of the body>.<signature>`, the last three in base64url
without padding. Signed is pack("moiety/proof/1", session, method, address, milliseconds, nonce, SHA-256 of the body);
the address is path and query as they are sent.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import ProofMissing

HEADER: Final = "x-moiety-proof"
DOMAIN: Final = "moiety/proof/1"
SKEW_SECONDS: Final = 60.0
_FORM = re.compile(r"1\.(\d{1,15})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{86})")


def from_text(text: str) -> bytes:
    """Read base64url without padding.

    Raises:
        ProofMissing: it is none.

    """
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ProofMissing from None


def to_text(raw: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class DeviceProof:
    """One request's proof, taken apart; nothing of it is believed before `check`."""

    milliseconds: int
    nonce: bytes
    body_sha256: bytes
    signature: bytes

    @classmethod
    def parse(cls, header: str | None) -> Self:
        """Read the header.

        Raises:
            ProofMissing: there is none, or it is malformed.

        """
        match = _FORM.fullmatch(header or "")
        if match is None:
            raise ProofMissing
        return cls(int(match[1]), *(from_text(text) for text in match.groups()[1:]))

    def check(self, key: bytes, session: str, method: str, address: str) -> None:
        """Check the signature alone; its time and whether it is new are the session's affair.

        Raises:
            ProofMissing: it is not this device's over this request.

        """
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(self.signature, self._signed(session, method, address))
        except (InvalidSignature, ValueError):
            raise ProofMissing("The proof is not that of the device that signed in.") from None

    def _signed(self, session: str, method: str, address: str) -> bytes:
        return pack(DOMAIN, session, method, address, self.milliseconds, self.nonce, self.body_sha256)
