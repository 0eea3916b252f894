"""Who signs a question: what is laid before a signer, and the ways in which signatures come to the gate.

A gallery's policy at the vaults says whose signature an act needs. The gate's own key signs at once; a device's
signature comes with its picture; people's come later, while the act waits (`parked`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from moiety.foundation.errors import BadInput, SignatureNeeded
from moiety.vault.policy import Needs
from moiety.warrants.proofs import SignedSlip, by_device
from moiety.warrants.warrant import Act, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moiety.storage import Gallery
    from moiety.warrants.warrant import Signature, Warrant

T = TypeVar("T")

NONCE_BYTES = 32
# The ledger's details are short codes: so much of a credential or key tells one from another.
SIGNER_HEX_CHARS = 39
# What is at hand at once may be asked at once; for people's signatures a warrant lives as long as vaults allow.
QUICK_SECONDS = 60
PATIENT_SECONDS = 600
# Which line of a policy, as a vault tells it, speaks of an act.
BY_ACT = {
    Act.SEARCH: "asks",
    Act.VERIFY: "asks",
    Act.ENROL: "enrols",
    Act.ERASE: "erases",
    Act.REVEAL: "reveals",
}
SIGNERS = {Needs.DEVICE: 1, Needs.OPERATOR: 1, Needs.TWO_PERSON: 2}
_WORDS = {
    Needs.DEVICE: "a device: send device, door, time, nonce and signature with the picture",
    Needs.OPERATOR: "one person, on the witness's page",
    Needs.TWO_PERSON: "two people, on the witness's page",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """A gallery with the policy that is in force at the vaults, and whose signature an act in it needs."""

    gallery: Gallery
    act: Act
    needs: Needs

    @property
    def at_once(self) -> bool:
        """Whether the gate's own key is enough."""
        return self.needs is Needs.SERVICE

    @property
    def seconds(self) -> int:
        """How long a warrant lives."""
        return QUICK_SECONDS if self.needs in {Needs.SERVICE, Needs.DEVICE} else PATIENT_SECONDS

    def chosen(self, faces: Sequence[T], number: int) -> Sequence[T]:
        """Pick the faces that are asked about: all where the gate signs, else the one with this number, biggest first.

        Raises:
            BadInput: the picture has faces, but not so many.

        """
        if self.at_once or not faces:
            return faces
        return [one_of(faces, number)]


def one_of(faces: Sequence[T], number: int) -> T:
    """Give the face with this number, biggest first.

    Raises:
        BadInput: the picture has not so many.

    """
    if number >= len(faces):
        raise BadInput(f"The picture has no face number {number}; the biggest is number 0.")
    return faces[number]


@dataclass(frozen=True, slots=True, repr=False)
class Paper:
    """One warrant to be signed, the eye's statement if a face is asked about, and what its target is the digest of."""

    warrant: Warrant
    statement: bytes = b""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Papers:
    """What is laid before those who sign; `nonce` is the one of which the warrants' nonces are made."""

    terms: Terms
    papers: tuple[Paper, ...]
    picture: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """Warrants with their signatures, encoded, and who signed, as the ledger names them."""

    warrants: list[bytes]
    signers: dict[str, str]


class Signing(Protocol):
    """How the signatures of one request come."""

    face: int

    @property
    def nonce(self) -> bytes:
        """Give the 32 bytes of which the eye makes the warrants' nonces; the same ones within a request."""

    async def sign(self, papers: Papers) -> Sequence[Sequence[Signature]]:
        """Give the signatures of each paper.

        Raises:
            SignatureNeeded: they have not come, or not in time.

        """


class Unsigned:
    """No signature comes: good for galleries where the gate's own key is enough."""

    face = 0

    @property
    def nonce(self) -> bytes:
        """Draw one."""
        return os.urandom(NONCE_BYTES)

    async def sign(self, papers: Papers) -> Sequence[Sequence[Signature]]:
        """Refuse: the policy wants somebody's."""
        raise needed(papers.terms.needs)


def needed(needs: Needs) -> SignatureNeeded:
    """Say whose signature is missing."""
    return SignatureNeeded(f"The gallery's policy wants this signed by {_WORDS[needs]}.")


class ByDevice:
    """A device's signature that came with its picture."""

    def __init__(self, signed: SignedSlip, face: int = 0) -> None:
        """Ask about the face with this number."""
        self.face = face
        self._signed = signed

    @property
    def nonce(self) -> bytes:
        """Give the device's own."""
        return self._signed.slip.nonce

    async def sign(self, papers: Papers) -> Sequence[Sequence[Signature]]:
        """Put it under the one warrant.

        Raises:
            SignatureNeeded: the policy wants people.

        """
        if papers.terms.needs is not Needs.DEVICE:
            raise needed(papers.terms.needs)
        return [[by_device(self._signed, self.face)]]


def named(signatures: Sequence[Sequence[Signature]]) -> dict[str, str]:
    """Name the signers for the ledger: the scheme, and the first digits of a credential id or key in hex."""
    once = dict.fromkeys((one.scheme, one.signer) for each in signatures for one in each)
    told = [f"{scheme}:{signer.hex()[:SIGNER_HEX_CHARS]}" for scheme, signer in once if scheme is not Scheme.SERVICE]
    return {"signer" if number == 0 else f"signer_{number + 1}": name for number, name in enumerate(told)}
