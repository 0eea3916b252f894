"""Records that keepers sign, and what a vault keeps of them: canonical bytes, signatures, and the vault's own seal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.errors import Unverified
from moiety.warrants.records import Record

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.vault.roster import Roster

FINGERPRINT_CHARS = 16


def fingerprint(key: bytes) -> str:
    """Name a public key for people: the first half of its SHA-256, in groups of four."""
    digits = hashlib.sha256(key).hexdigest()[: 2 * FINGERPRINT_CHARS]
    return " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))


def _good(key: bytes, signature: bytes, digest: bytes) -> bool:
    """Whether an Ed25519 signature holds."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, digest)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Endorsement(Record):
    """A keeper's Ed25519 signature over the SHA-256 of a record's canonical bytes."""

    DOMAIN: ClassVar[str] = "moiety/endorsement/1"

    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Endorsed(Record):
    """Canonical bytes of a roster, policy or standing policy, and who signed them."""

    DOMAIN: ClassVar[str] = "moiety/endorsed/1"

    body: bytes
    endorsements: tuple[Endorsement, ...] = ()

    def by(self, key: Ed25519PrivateKey) -> Endorsed:
        """Add a signature; the same key's own is replaced."""
        public = key.public_key().public_bytes_raw()
        mine = Endorsement(public, key.sign(hashlib.sha256(self.body).digest()))
        others = tuple(one for one in self.endorsements if one.key != public)
        return Endorsed(self.body, (*others, mine))

    def keepers(self, roster: Roster) -> list[str]:
        """Give the names of those keepers who signed.

        Raises:
            Unverified: a signature does not hold, or is of a key that is no keeper's, or is there twice.

        """
        names = {keeper.key: keeper.name for keeper in roster.keepers}
        digest = hashlib.sha256(self.body).digest()
        signed = []
        for one in self.endorsements:
            if one.key not in names:
                raise Unverified(f"It is signed by a key that is no keeper's here: {fingerprint(one.key)}.")
            if not _good(one.key, one.signature, digest):
                raise Unverified(f"The signature of the keeper {names[one.key]} is wrong.")
            signed.append(names[one.key])
        if len(set(signed)) != len(signed):
            raise Unverified("One keeper signed twice.")
        return signed

    def must_have_quorum(self, roster: Roster, least: int = 0) -> list[str]:
        """Check that enough keepers signed, and give their names.

        Raises:
            Unverified: too few did, or a signature does not hold.

        """
        signed = self.keepers(roster)
        needed = max(roster.quorum, least)
        if len(signed) < needed:
            raise Unverified(f"It needs the signatures of {needed} keepers and has {len(signed)}.")
        return signed


class Origin(StrEnum):
    """On whose word something stands in the book."""

    KEEPERS = "keepers"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Entry(Record):
    """What a vault keeps: what was put, on whose word, under which version of its roster, and when.

    `thresholds_at` says when a policy's thresholds last changed; 0: not since the first version.
    """

    DOMAIN: ClassVar[str] = "moiety/book-entry/1"

    name: str
    origin: Origin
    endorsed: Endorsed
    roster_version: int
    put_at: int
    thresholds_at: int = 0


@dataclass(frozen=True, slots=True)
class Kept(Record):
    """An entry under the vault's own signature: nothing in the book stands there without the vault's key."""

    DOMAIN: ClassVar[str] = "moiety/book/1"

    entry: Entry
    signature: bytes

    @classmethod
    def of(cls, entry: Entry, vault: Ed25519PrivateKey) -> Kept:
        """Sign as the vault."""
        return cls(entry, vault.sign(entry.digest()))

    def opened(self, name: str, vault: bytes) -> Entry:
        """Give the entry, checked; `vault` is the vault's raw public key.

        Raises:
            Unverified: it was altered, or belongs to another file or vault.

        """
        if self.entry.name != name or not _good(vault, self.signature, self.entry.digest()):
            raise Unverified("It is not as this vault wrote it.")
        return self.entry
