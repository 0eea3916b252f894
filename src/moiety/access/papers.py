"""What passkeys of people who work here sign, in canonical bytes. The witness's page decodes the same (pack.js)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from moiety.warrants.records import Record


@dataclass(frozen=True, slots=True)
class SignIn(Record):
    """A sign-in: at the gate with this origin, for this raw Ed25519 key of the device, until `expires`."""

    DOMAIN: ClassVar[str] = "moiety/sign-in/1"

    gate: str
    tenant: str
    nonce: bytes
    key: bytes
    issued: int
    expires: int


@dataclass(frozen=True, slots=True)
class Joining(Record):
    """The challenge of a new passkey: for this operator of the gate with this origin."""

    DOMAIN: ClassVar[str] = "moiety/joining/1"

    gate: str
    tenant: str
    operator: str
    nonce: bytes
    expires: int


@dataclass(frozen=True, slots=True)
class Fact(Record):
    """One line of what is approved: a name of the kind's own, and a value for people."""

    DOMAIN: ClassVar[str] = "moiety/fact/1"

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Content(Record):
    """The exact content of an act that two people stand behind; times in seconds since 1970, `nonce` 16 bytes."""

    DOMAIN: ClassVar[str] = "moiety/approval/1"

    tenant: str
    id: str
    kind: str
    proposer: str
    gallery: str
    facts: tuple[Fact, ...]
    reason: str
    nonce: bytes
    created: int
    expires: int

    def fact(self, name: str) -> str:
        """Give the value of one line, empty if it is not there."""
        return next((one.value for one in self.facts if one.name == name), "")
