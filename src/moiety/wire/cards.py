"""Cards: what others need to know of a part; and the cards that a part trusts.

The certificate on a card is the part's anchor: it speaks for the link key alone, has no end, and is the same whenever
it is made. What TLS shows is a certificate that the link key has signed and signs anew before it ends, so a renewal
needs no new card. The anchors are the only trust anchors: whatever else is shown is refused by TLS itself.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.x509.oid import NameOID

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.envelopes import pack, write_durably
from moiety.foundation.errors import Fault, Unverified
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from moiety.foundation.disk import Disk

# RFC 5280, section 4.1.2.5: the date of a certificate that has no end.
_BEGINNING, _NO_END = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


def name_of(role: Role, link: Ed25519PublicKey) -> x509.Name:
    """Name a link key: the role, and eight letters of the key, so that two keys of a role are not mixed up."""
    key = hashlib.sha256(link.public_bytes_raw()).hexdigest()[:8]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"moiety {role} {key}")])


def anchor(role: Role, link: Ed25519PrivateKey) -> x509.Certificate:
    """Make the certificate of a link key; Ed25519 signs alike each time, so it is always the same."""
    public = link.public_key()
    name = name_of(role, public)
    signs_only = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(1)
        .not_valid_before(_BEGINNING)
        .not_valid_after(_NO_END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signs_only, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(link, None)
    )


@dataclass(frozen=True, slots=True)
class Card:
    """What others need to know of a part; nothing on it is secret.

    `certificate` is the anchor in PEM; `signing` and `sealing` are raw 32-byte public keys in hex.
    """

    role: Role
    certificate: str
    signing: str
    sealing: str

    @property
    def anchor(self) -> x509.Certificate:
        """The certificate that signs those which TLS shows.

        Raises:
            ValueError: it cannot be read.

        """
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def link(self) -> Ed25519PublicKey:
        """The public link key.

        Raises:
            ValueError, TypeError: the certificate cannot be read, or is of another kind of key.

        """
        key = self.anchor.public_key()
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError
        return key

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the role and its three public keys, in hex: what people compare; it outlasts certificates."""
        keys = self.link.public_bytes_raw(), bytes.fromhex(self.signing), bytes.fromhex(self.sealing)
        return hashlib.sha256(pack("moiety/card/1", self.role, *keys)).hexdigest()

    def check(self) -> None:
        """Check that it is whole: its keys are keys, and its certificate is the link key's own.

        Raises:
            Unverified: it is not.

        """
        try:
            found = self.anchor
            found.verify_directly_issued_by(found)
            named = found.subject == name_of(self.role, self.link)
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.signing))
            X25519PublicKey.from_public_bytes(bytes.fromhex(self.sealing))
        except (ValueError, TypeError, InvalidSignature):
            raise Unverified("The card is damaged.") from None
        if not named:
            raise Unverified("The certificate on the card is not that of its role and key.")


class Peers:
    """The cards that a part trusts."""

    def __init__(self, cards: Iterable[Card]) -> None:
        """Keep one card per role.

        Raises:
            ValueError: a certificate cannot be read.

        """
        self._by_role = {card.role: card for card in cards}
        self._anchors = {card.role: card.anchor for card in self}

    def __iter__(self) -> Iterator[Card]:
        """Go through the cards."""
        return iter(self._by_role.values())

    def __contains__(self, role: Role) -> bool:
        """Say whether the card of `role` is known."""
        return role in self._by_role

    def __getitem__(self, role: Role) -> Card:
        """Give the card of `role`.

        Raises:
            Fault: it is not known here.

        """
        if role not in self:
            raise Fault(f"The card of {role} is missing; this part has not been introduced to it.")
        return self._by_role[role]

    def role_of(self, certificate_der: bytes | None) -> Role | None:
        """Say whose link key has signed this certificate, or None."""
        try:
            shown = x509.load_der_x509_certificate(certificate_der or b"")
        except ValueError:
            return None
        for role, known in self._anchors.items():
            try:
                shown.verify_directly_issued_by(known)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return role
        return None

    def save(self, path: Path, disk: Disk = SYSTEM_DISK) -> None:
        """Write the cards to `path`."""
        # A crash leaves the old list or the new one.
        content = json.dumps([asdict(card) for card in self], indent=1).encode()
        write_durably(path, content, disk=disk)

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
