"""Who a part is: a link key, a signing key and a sealing key; and the certificate that it shows to its peers.

The link key signs certificates of a short-lived key; peers trust the link key by the part's card (`moiety.wire.cards`).
"""

from __future__ import annotations

import datetime as dt
import ssl
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moiety.wire.cards import Card, anchor, name_of
from moiety.wire.tls import Context, WatchedTls

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from moiety.foundation.clock import Clock
    from moiety.foundation.envelopes import KeyRing
    from moiety.wire.cards import Peers
    from moiety.wire.kinds import Role

CERTIFICATE_DAYS = 398
RENEW_DAYS = 30
# A peer whose clock is behind must not find a new certificate to be of tomorrow.
EARLIER = dt.timedelta(days=1)
# The certificate with its key, in one file: a crash leaves the old pair or the new one.
_SHOWN = "link.pem"


class Identity:
    """A part's own keys, from its key folder."""

    def __init__(self, role: Role, keys: KeyRing, clock: Clock) -> None:
        """Load the keys of `role`, making what is missing where the key ring may."""
        self.role = role
        self.keys = keys
        self.signing: Ed25519PrivateKey = keys.signing_key("signing.key")
        self.sealing: X25519PrivateKey = keys.sealing_key("sealing.key")
        self._link: Ed25519PrivateKey = keys.signing_key("link.key")
        self._clock = clock
        self._contexts: WeakSet[Context] = WeakSet()
        self._threads = Lock()
        self.renew()

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock.now(), dt.UTC)

    def certificate(self) -> x509.Certificate | None:
        """Give the certificate that this part shows; None where there is none of its link key."""
        try:
            shown = x509.load_pem_x509_certificate(self.keys.path(_SHOWN).read_bytes())
        except (OSError, ValueError):
            return None
        return shown if shown.issuer == name_of(self.role, self._link.public_key()) else None

    def renew(self) -> bool:
        """Make a new certificate when there is none or it soon ends; links that are opened from now on show it.

        Raises:
            OSError: it cannot be written; the old one stays in use.

        """
        shown = self.certificate()
        if shown and shown.not_valid_after_utc - self._now() > dt.timedelta(days=RENEW_DAYS):
            return False
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.keys.keep(_SHOWN, self._signed(key).public_bytes(serialization.Encoding.PEM) + pem)
        with self._threads:
            for context in self._contexts:
                context.load_cert_chain(self.keys.path(_SHOWN))
        return True

    def _signed(self, key: Ed25519PrivateKey) -> x509.Certificate:
        """Sign a certificate for a short-lived key."""
        now = self._now()
        either = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"moiety {self.role}")]))
            .issuer_name(name_of(self.role, self._link.public_key()))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - EARLIER)
            .not_valid_after(now + dt.timedelta(days=CERTIFICATE_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(either, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._link.public_key()), critical=False)
            .sign(self._link, None)
        )

    def card(self) -> Card:
        """Give the public card."""
        return Card(
            role=self.role,
            certificate=anchor(self.role, self._link).public_bytes(serialization.Encoding.PEM).decode(),
            signing=self.signing.public_key().public_bytes_raw().hex(),
            sealing=self.sealing.public_key().public_bytes_raw().hex(),
        )

    def context(self, peers: Peers, *, server: bool) -> Context:
        """TLS 1.3 only, both sides must show a certificate of a card's link key; no resumption: each link is fresh."""
        context = Context(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.sslobject_class = WatchedTls
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.keys.path(_SHOWN))
        for card in peers:
            context.load_verify_locations(cadata=card.certificate)
        if server:
            context.num_tickets = 0
        with self._threads:
            self._contexts.add(context)
        return context
