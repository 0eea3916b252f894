"""Galleries whose policies want signatures, over an installation in one process: keepers, people, devices.

people = await seat(site, gallery, asks=Needs.OPERATOR)
signature = people["ada"].signs(warrant)
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.cli import keeping
from moiety.drill.authenticator import ORIGIN, RP_ID, SoftwareAuthenticator
from moiety.vault.endorsed import Endorsed
from moiety.vault.roster import Device, Person, Roster, RosterRole
from moiety.warrants.passkeys import registered
from moiety.warrants.proofs import DeviceSlip, by_passkey, sign_slip
from moiety.warrants.warrant import Warrant
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.storage import Gallery
    from moiety.vault.policy import Needs
    from moiety.warrants.passkeys import Passkey
    from moiety.warrants.warrant import Signature
    from parts_in_process import InProcess

HALVES = (Role.VAULT_A, Role.VAULT_B)
BOTH_ROLES = (RosterRole.OPERATOR, RosterRole.REGISTRAR)


@dataclass
class Somebody:
    """A person with one passkey."""

    name: str
    key: SoftwareAuthenticator = field(default_factory=lambda: SoftwareAuthenticator(counter=None))

    def on_roster(self) -> Person:
        return Person(self.name, BOTH_ROLES, (registered(self.key.register(), self.key.rp_id),))

    def signs(self, warrant: bytes) -> dict[str, Any]:
        """Sign canonical bytes as the witness's page would, and give the body for the gate."""
        made = by_passkey(self.key.credential, self.key.sign(Warrant.decode(warrant).digest()))
        return body(made)


@dataclass
class Camera:
    """A device at a door."""

    door: str = "door-3"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def signs(self, image_sha256: bytes, nonce: bytes, at: float | None = None) -> dict[str, str]:
        """Give the form's fields."""
        slip = DeviceSlip(image_sha256, self.door, int(at or time.time()), nonce)
        signature = sign_slip(slip, self.key).signature
        told = {"device": self.public.hex(), "door": self.door, "time": str(slip.time)}
        return told | {"nonce": nonce.hex(), "signature": signature.hex()}


def text(raw: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(written: str) -> bytes:
    """Read it."""
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))


def body(signature: Signature) -> dict[str, Any]:
    """Give a signature as the gate takes it."""
    return {"scheme": signature.scheme.value, "signer": text(signature.signer), "value": text(signature.value)}


def put_roster(site: InProcess, origin: str, rp_id: str, **more: Any) -> None:
    """Put people or devices on the roster of both running vaults, signed by the installation's keeper."""
    keeper = keeping.keeper_key(site.installation.keys)
    for half in HALVES:
        book = site.vault(half)._policies.book
        roster: Roster = replace(book.roster, version=book.roster.version + 1, origin=origin, rp_id=rp_id, **more)
        book.put_roster(Endorsed(roster.encode()).by(keeper))


def put_policy(site: InProcess, gallery: Gallery, **more: Any) -> None:
    """Change a gallery's policy at both running vaults."""
    keeper = keeping.keeper_key(site.installation.keys)
    for half in HALVES:
        policies = site.vault(half)._policies
        before = policies.book.entry(gallery.id)[1]
        changed = replace(before, version=before.version + 1, **more)
        policies.put(Endorsed(changed.encode()).by(keeper))


def seat(
    site: InProcess, gallery: Gallery, *names: str, camera: Camera | None = None, **needs: Needs
) -> dict[str, Somebody]:
    """Put people, and perhaps a camera, on the roster, and let the policy want their signatures."""
    people = {name: Somebody(name) for name in names}
    devices = (
        tuple(Device(f"cam-{role}", camera.public, gallery.id, camera.door, role) for role in BOTH_ROLES)
        if camera
        else ()
    )
    put_roster(site, ORIGIN, RP_ID, people=tuple(one.on_roster() for one in people.values()), devices=devices)
    put_policy(site, gallery, **needs)
    return people


def seat_passkey(site: InProcess, gallery: Gallery, origin: str, passkeys: dict[str, Passkey], **needs: Needs) -> None:
    """Put people on the roster by passkeys that a browser made."""
    people = tuple(Person(name, BOTH_ROLES, (one,)) for name, one in passkeys.items())
    put_roster(site, origin, "localhost", people=people)
    put_policy(site, gallery, **needs)
