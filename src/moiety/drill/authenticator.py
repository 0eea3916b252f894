"""An authenticator in software, by W3C WebAuthn Level 3: it registers, makes assertions, and can be made to lie.

key = SoftwareAuthenticator(origin="https://sign.example.org", rp_id="sign.example.org")
passkey = registered(key.register(), key.rp_id)
signature = by_passkey(key.credential, key.sign(warrant.digest()))
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from webauthn.helpers import bytes_to_base64url, encode_cbor

from moiety.warrants.passkeys import Passkey, registered
from moiety.warrants.proofs import Assertion

UP, UV, AT = 0x01, 0x04, 0x40
ORIGIN, RP_ID = "https://sign.example.org", "sign.example.org"


@dataclass
class SoftwareAuthenticator:
    """One credential. `counter` None stays at zero for ever, as passkeys that are synchronised do.

    `verified`, `present`, `origin`, `rp_id`, `framed` and `kind` may be changed between assertions.
    """

    algorithm: str = "ES256"
    origin: str = ORIGIN
    rp_id: str = RP_ID
    counter: int | None = 0
    verified: bool = True
    present: bool = True
    framed: bool = False
    kind: str = "webauthn.get"
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    credential: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def _ed25519(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.secret)

    @property
    def _es256(self) -> ec.EllipticCurvePrivateKey:
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        return ec.derive_private_key(1 + int.from_bytes(self.secret) % (order - 1), ec.SECP256R1())

    @property
    def cose(self) -> bytes:
        """Give the public key in COSE form (RFC 9053)."""
        if self.algorithm == "Ed25519":
            return encode_cbor({1: 1, 3: -8, -1: 6, -2: self._ed25519.public_key().public_bytes_raw()})
        at = self._es256.public_key().public_numbers()
        return encode_cbor({1: 2, 3: -7, -1: 1, -2: at.x.to_bytes(32), -3: at.y.to_bytes(32)})

    def _head(self, flags: int) -> bytes:
        """Give rpIdHash, flags and counter."""
        flags |= (UP if self.present else 0) | (UV if self.verified else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + (self.counter or 0).to_bytes(4)

    def register(self) -> bytes:
        """Give the authenticator data of a registration."""
        named = bytes(16) + len(self.credential).to_bytes(2) + self.credential
        return self._head(AT) + named + self.cose

    @property
    def passkey(self) -> Passkey:
        """What a roster keeps of it."""
        return registered(self.register(), self.rp_id)

    def sign(self, challenge: bytes, /, **client: Any) -> Assertion:
        """Make an assertion; `client` replaces members of the client data."""
        if self.counter is not None:
            self.counter += 1
        told = {
            "type": self.kind,
            "challenge": bytes_to_base64url(challenge),
            "origin": self.origin,
            "crossOrigin": self.framed,
        }
        client_data = json.dumps(told | client).encode()
        data = self._head(0)
        signed = data + hashlib.sha256(client_data).digest()
        if self.algorithm == "Ed25519":
            return Assertion(data, client_data, self._ed25519.sign(signed))
        return Assertion(data, client_data, self._es256.sign(signed, ec.ECDSA(hashes.SHA256())))
