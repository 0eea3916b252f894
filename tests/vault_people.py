"""People, devices and keepers of a test's roster, and warrants in their names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.vault.roster import Device, Person, RosterRole
from moiety.warrants.proofs import (
    DeviceSlip,
    SessionGrant,
    by_device,
    by_passkey,
    by_session,
    sign_slip,
)
from moiety.warrants.statement import face_nonce
from moiety.warrants.warrant import NOTHING, SignedWarrant, signed_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.warrants.proofs import Assertion
    from moiety.warrants.warrant import Signature, Warrant

OPERATOR, REGISTRAR = RosterRole.OPERATOR, RosterRole.REGISTRAR


@dataclass
class Signer:
    """Somebody with one passkey, and a session's key where they open one."""

    name: str
    roles: tuple[RosterRole, ...] = (OPERATOR,)
    key: SoftwareAuthenticator = field(default_factory=SoftwareAuthenticator)
    more: tuple[SoftwareAuthenticator, ...] = ()

    @property
    def person(self) -> Person:
        """What a roster says of them."""
        return Person(self.name, self.roles, (self.key.passkey, *(one.passkey for one in self.more)))

    def sign(self, warrant: Warrant, key: SoftwareAuthenticator | None = None) -> Signature:
        """Sign a warrant with a passkey."""
        used = key or self.key
        return by_passkey(used.credential, used.sign(warrant.digest()))

    def signed(self, *warrants: Warrant) -> list[SignedWarrant]:
        """Sign each warrant alone."""
        return [signed_with(warrant, self.sign(warrant)) for warrant in warrants]

    def session(self, expires: float) -> Session:
        """Open a session."""
        key = Ed25519PrivateKey.generate()
        grant = SessionGrant(key.public_key().public_bytes_raw(), int(expires))
        return Session(self, key, grant, self.key.sign(grant.digest()))


@dataclass
class Session:
    """A session that somebody's passkey opened."""

    owner: Signer
    key: Ed25519PrivateKey
    grant: SessionGrant
    assertion: Assertion

    def sign(self, warrant: Warrant) -> Signature:
        """Sign a warrant with the session's key."""
        return by_session(warrant, self.grant, self.owner.key.credential, self.assertion, self.key)


@dataclass
class Camera:
    """A device at a door."""

    gallery: str
    door: str = "door 7"
    role: RosterRole = OPERATOR
    name: str = "camera-7"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def device(self) -> Device:
        """What a roster says of it."""
        return Device(self.name, self.key.public_key().public_bytes_raw(), self.gallery, self.door, self.role)

    def signed(self, *warrants: Warrant) -> list[SignedWarrant]:
        """Sign one picture; each warrant is for a face of it and gets its nonce of the device's."""
        first = warrants[0]
        nonce = os.urandom(32)
        what = first.image_sha256 if first.image_sha256 != NOTHING else first.target
        slip = sign_slip(DeviceSlip(what, self.door, first.issued, nonce), self.key)
        placed = [replace(one, nonce=face_nonce(nonce, face), case=self.door) for face, one in enumerate(warrants)]
        return [signed_with(one, by_device(slip, face)) for face, one in enumerate(placed)]


def both(first: Signer, second: Signer, *warrants: Warrant) -> list[SignedWarrant]:
    """Let two sign each warrant."""
    return [signed_with(warrant, first.sign(warrant), second.sign(warrant)) for warrant in warrants]


def unsigned(signed: Sequence[SignedWarrant]) -> list[Warrant]:
    """Give the warrants alone."""
    return [one.warrant for one in signed]
