"""Whom a vault believes: keepers who set its policies, people with passkeys, devices at their doors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.errors import Unverified
from moiety.vault.policy import check_gallery_id
from moiety.warrants.passkeys import Passkey  # noqa: TC001 - a record's annotations are read at run time
from moiety.warrants.records import Record
from moiety.warrants.warrant import Act

if TYPE_CHECKING:
    from collections.abc import Iterable

QUORUM_MAX = 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ORIGIN = re.compile(r"https://[a-z0-9.-]+(:\d{1,5})?|http://localhost(:\d{1,5})?")


class RosterRole(StrEnum):
    """What a person or device may sign: an operator asks and reveals, a registrar enrols and erases."""

    OPERATOR = "operator"
    REGISTRAR = "registrar"


ROLE_FOR = {
    Act.SEARCH: RosterRole.OPERATOR,
    Act.VERIFY: RosterRole.OPERATOR,
    Act.REVEAL: RosterRole.OPERATOR,
    Act.ENROL: RosterRole.REGISTRAR,
    Act.ERASE: RosterRole.REGISTRAR,
}


@dataclass(frozen=True, slots=True)
class Keeper(Record):
    """Who may sign policies: a name for people, a raw Ed25519 public key."""

    DOMAIN: ClassVar[str] = "moiety/keeper/1"

    name: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Person(Record):
    """Somebody who signs with passkeys; `name` is a handle, and budgets are counted for it."""

    DOMAIN: ClassVar[str] = "moiety/person-on-roster/1"

    name: str
    roles: tuple[RosterRole, ...]
    passkeys: tuple[Passkey, ...]


@dataclass(frozen=True, slots=True)
class Device(Record):
    """A camera or kiosk: its raw Ed25519 key may sign for one gallery and door, in one role."""

    DOMAIN: ClassVar[str] = "moiety/device-on-roster/1"

    name: str
    key: bytes
    gallery: str
    door: str
    role: RosterRole


@dataclass(frozen=True, slots=True)
class Roster(Record):
    """All of them. `rp_id` and `origin` are those of the page on which people sign; empty: no passkey is accepted."""

    DOMAIN: ClassVar[str] = "moiety/roster/1"

    tenant: str
    version: int
    quorum: int
    rp_id: str
    origin: str
    keepers: tuple[Keeper, ...]
    people: tuple[Person, ...] = ()
    devices: tuple[Device, ...] = ()

    def check(self) -> None:
        """Check that it can stand.

        Raises:
            Unverified: a key, name or number is out of its range or there twice, or too few keepers are left.

        """
        if not 1 <= self.quorum <= QUORUM_MAX or len(self.keepers) < self.quorum:
            raise Unverified("A roster needs a quorum of one or two, and at least so many keepers.")
        _check_page(self.rp_id, self.origin)
        _once("keeper", [keeper.name for keeper in self.keepers])
        _once("keeper's key", [keeper.key for keeper in self.keepers])
        _once("person", [person.name for person in self.people])
        _once("passkey", [passkey.credential for person in self.people for passkey in person.passkeys])
        _once("device", [device.name for device in self.devices])
        _once("device at its door", [(d.key, d.gallery, d.door, d.role) for d in self.devices])
        names = [one.name for one in self.keepers] + [one.name for one in self.people]
        for name in names + [one.name for one in self.devices]:
            if not _NAME.fullmatch(name):
                raise Unverified("A name on the roster has 1 to 63 letters, digits, dots and dashes.")
        for key in [one.key for one in self.keepers] + [one.key for one in self.devices]:
            _check_key(key)
        for device in self.devices:
            check_gallery_id(device.gallery)
        for person in self.people:
            if not person.roles or len(set(person.roles)) != len(person.roles):
                raise Unverified("A person on the roster has one or both roles.")
            for passkey in person.passkeys:
                passkey.check()

    def owner(self, credential: bytes) -> tuple[Person, Passkey]:
        """Find whose passkey this is.

        Raises:
            Unverified: nobody's on the roster.

        """
        for person in self.people:
            for passkey in person.passkeys:
                if passkey.credential == credential:
                    return person, passkey
        raise Unverified("No one on the roster has this passkey.")

    def device(self, key: bytes, gallery: str, door: str, role: RosterRole) -> Device:
        """Find a device that may sign here.

        Raises:
            Unverified: it is not on the roster for this gallery, door and role.

        """
        for device in self.devices:
            if (device.key, device.gallery, device.door, device.role) == (key, gallery, door, role):
                return device
        raise Unverified("The device is not on the roster for this gallery, door and act.")


def _check_page(rp_id: str, origin: str) -> None:
    """Check that the origin can have this rp id (WebAuthn: it is the host or a parent of it), or that both are empty.

    Raises:
        Unverified: it cannot.

    """
    if not rp_id and not origin:
        return
    host = origin.partition("://")[2].partition(":")[0]
    if not _ORIGIN.fullmatch(origin) or not rp_id or not (host == rp_id or host.endswith(f".{rp_id}")):
        raise Unverified("The signing page needs an origin such as https://sign.example.org and an rp id that fits it.")


def _once(what: str, things: Iterable[object]) -> None:
    """Check that nothing is there twice.

    Raises:
        Unverified: something is.

    """
    listed = list(things)
    if len(set(listed)) != len(listed):
        raise Unverified(f"The same {what} stands on the roster twice.")


def _check_key(key: bytes) -> None:
    """Check that these bytes are an Ed25519 public key.

    Raises:
        Unverified: they are none.

    """
    try:
        Ed25519PublicKey.from_public_bytes(key)
    except ValueError:
        raise Unverified("A key on the roster is no Ed25519 public key.") from None
