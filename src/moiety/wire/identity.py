"""Who a part is: a TLS key with a self-signed certificate, a signing key and a sealing key; and its public card.

Peers are known by their cards alone. A certificate that is not on a card is refused by TLS itself, because the cards'
certificates are the only trust anchors.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import ssl
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from moiety.foundation.envelopes import KeyRing, write_durably
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role
from moiety.wire.tls import WatchedTls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from moiety.foundation.clock import Clock

CERTIFICATE_DAYS = 398
RENEW_DAYS = 30
_CERTIFICATE = "link.crt"


@dataclass(frozen=True, slots=True)
class Card:
    """What others need to know of a part; nothing on it is secret. Keys are raw 32-byte public keys in hex."""

    role: Role
    certificate: str
    signing: str
    sealing: str

    @property
    def certificate_der(self) -> bytes:
        """The certificate in DER."""
        return ssl.PEM_cert_to_DER_cert(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, the signing key and the sealing key, in hex: what people compare."""
        return hashlib.sha256(self.certificate_der + bytes.fromhex(self.signing + self.sealing)).hexdigest()


class Identity:
    """A part's own keys, from its key folder."""

    def __init__(self, role: Role, keys: KeyRing, clock: Clock) -> None:
        """Load the keys of `role`, making what is missing."""
        self.role = role
        self.keys = keys
        self.signing: Ed25519PrivateKey = keys.signing_key("signing.key")
        self.sealing: X25519PrivateKey = keys.sealing_key("sealing.key")
        self._link: Ed25519PrivateKey = keys.signing_key("link.key")
        self._renew(clock)

    def _renew(self, clock: Clock) -> None:
        """Issue the certificate, or a new one for the same key when it soon ends."""
        path = self.keys.path(_CERTIFICATE)
        now = dt.datetime.fromtimestamp(clock.now(), dt.UTC)
        if path.exists():
            left = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - now
            if left > dt.timedelta(days=RENEW_DAYS):
                return
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"moiety {self.role}")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._link.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=CERTIFICATE_DAYS))
            .sign(self._link, None)
        )
        # A crash here leaves the old certificate or the new one; peers read the card afterwards.
        self.keys.keep(_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
        # OpenSSL reads the key from a file in PEM form; it lies beside the raw one.
        pem = self._link.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.keys.keep("link.pem", pem)

    def card(self) -> Card:
        """Give the public card."""
        return Card(
            role=self.role,
            certificate=self.keys.path(_CERTIFICATE).read_text(),
            signing=self.signing.public_key().public_bytes_raw().hex(),
            sealing=self.sealing.public_key().public_bytes_raw().hex(),
        )

    def context(self, peers: Peers, *, server: bool) -> ssl.SSLContext:
        """TLS 1.3 only, both sides must show a certificate that is on a card; no resumption, so each link is fresh."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.sslobject_class = WatchedTls
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.keys.path(_CERTIFICATE), self.keys.path("link.pem"))
        for card in peers:
            context.load_verify_locations(cadata=card.certificate)
        if server:
            context.num_tickets = 0
        return context


class Peers:
    """The cards that a part trusts."""

    def __init__(self, cards: Iterable[Card]) -> None:
        """Keep one card per role."""
        self._by_role = {card.role: card for card in cards}
        self._by_certificate = {card.certificate_der: card for card in self._by_role.values()}

    def __iter__(self) -> Iterator[Card]:
        """Go through the cards."""
        return iter(self._by_role.values())

    def __getitem__(self, role: Role) -> Card:
        """Give the card of `role`.

        Raises:
            Fault: it is not known here.

        """
        if role not in self._by_role:
            raise Fault(f"The card of {role} is missing; this part has not been introduced to it.")
        return self._by_role[role]

    def role_of(self, certificate_der: bytes | None) -> Role | None:
        """Say whose certificate this is, or None."""
        card = self._by_certificate.get(certificate_der or b"")
        return card.role if card else None

    def save(self, path: Path) -> None:
        """Write the cards to `path`."""
        # A crash leaves the old list or the new one.
        write_durably(path, json.dumps([asdict(card) for card in self._by_role.values()], indent=1).encode())

    @classmethod
    def load(cls, path: Path) -> Peers:
        """Read the cards from `path`.

        Raises:
            Fault: the file is missing or damaged.

        """
        try:
            return cls(Card(**{**card, "role": Role(card["role"])}) for card in json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError, KeyError):
            raise Fault(f"The list of peers {path.name!r} is missing or damaged.") from None
