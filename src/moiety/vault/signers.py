"""Who signed a warrant, checked against the roster and against what the gallery's policy needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import Unverified
from moiety.vault.policy import Needs
from moiety.vault.roster import ROLE_FOR
from moiety.warrants.passkeys import check_assertion
from moiety.warrants.proofs import Assertion, check_device, check_service, check_session
from moiety.warrants.warrant import Act, Scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.vault.roster import Roster
    from moiety.warrants.warrant import Signature, SignedWarrant, Warrant

TWO = 2


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a passkey: its signature counter, and what opened a session (a digest), which counts only once."""

    credential: bytes
    count: int
    opened: bytes = b""
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Signers:
    """Who signed and therefore pays, and which passkeys were used for it.

    A payer is the raw key of a service or device, or `person:` and a handle; `alone` when there is one.
    """

    payers: tuple[bytes, ...]
    uses: tuple[Use, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether only one signed."""
        return len(self.payers) == 1


@dataclass(frozen=True, slots=True)
class Believed:
    """Whom a vault believes at this moment: the gate's raw keys, and its roster."""

    services: tuple[bytes, ...]
    roster: Roster
    now: float

    def signers(self, signed: SignedWarrant, needs: Needs) -> Signers:
        """Check every signature, and that together they are what is needed.

        Raises:
            Unverified: one is wrong or of somebody unknown, or they are not those that are needed.

        """
        schemes = [signature.scheme for signature in signed.signatures]
        if schemes == [Scheme.SERVICE]:
            kind, found = Needs.SERVICE, self._service(signed)
        elif schemes == [Scheme.DEVICE]:
            kind, found = Needs.DEVICE, self._device(signed)
        else:
            found = self._people(signed)
            kind = Needs.OPERATOR if found.alone else Needs.TWO_PERSON
        if kind not in _enough(needs, signed.warrant.act):
            raise Unverified("The gallery's policy needs another kind of signature.")
        return found

    def take(self, signed: SignedWarrant) -> None:
        """Check signatures of people or a device that are not yet all that are needed.

        Raises:
            Unverified: one is wrong, of somebody unknown or of another role; or one person signed twice.

        """
        if [signature.scheme for signature in signed.signatures] == [Scheme.DEVICE]:
            self._device(signed)
        else:
            self._people(signed)

    def _service(self, signed: SignedWarrant) -> Signers:
        """Check the gate's own signature."""
        (signature,) = signed.signatures
        if signature.signer not in self.services:
            raise Unverified("The warrant is not signed by a known service.")
        check_service(signature, signed.warrant)
        return Signers((signature.signer,))

    def _device(self, signed: SignedWarrant) -> Signers:
        """Check a device's signature, and that it stands at this door."""
        (signature,) = signed.signatures
        warrant = signed.warrant
        slip = check_device(signature, warrant)
        self.roster.device(signature.signer, warrant.gallery, slip.door, ROLE_FOR[warrant.act])
        return Signers((signature.signer,))

    def _people(self, signed: SignedWarrant) -> Signers:
        """Check one or two people's signatures; two must be of different people."""
        if not 1 <= len(signed.signatures) <= TWO:
            raise Unverified("A warrant has the signatures of one or two people.")
        found = [self._person(signature, signed.warrant) for signature in signed.signatures]
        names = sorted({name for name, _ in found})
        if len(names) != len(found):
            raise Unverified("One person signed twice; two different people are needed.")
        return Signers(tuple(b"person:" + name.encode() for name in names), tuple(use for _, use in found))

    def _person(self, signature: Signature, warrant: Warrant) -> tuple[str, Use]:
        """Check one person's signature, by passkey or, for a reveal, by a session that a passkey opened."""
        if signature.scheme is Scheme.PASSKEY:
            assertion = Assertion.decode(signature.value)
            name, count = self._asserted(signature.signer, assertion, warrant.digest(), warrant.act)
            return name, Use(signature.signer, count)
        if signature.scheme is not Scheme.SESSION or warrant.act is not Act.REVEAL:
            raise Unverified("A session signs for reveals only, and people do not sign with devices' keys.")
        grant, credential, assertion = check_session(signature, warrant, self.now)
        name, count = self._asserted(credential, assertion, grant.digest(), warrant.act)
        return name, Use(credential, count, hashlib.sha256(assertion.encode()).digest(), grant.expires)

    def _asserted(self, credential: bytes, assertion: Assertion, challenge: bytes, act: Act) -> tuple[str, int]:
        """Check an assertion of somebody who may sign for this act; gives their handle and the counter."""
        person, passkey = self.roster.owner(credential)
        if not self.roster.origin:
            raise Unverified("The roster names no page on which people sign.")
        count = check_assertion(assertion, passkey, challenge, self.roster.rp_id, self.roster.origin)
        if ROLE_FOR[act] not in person.roles:
            raise Unverified("This person's role does not sign for such an act.")
        return person.name, count


def _enough(needs: Needs, act: Act) -> Sequence[Needs]:
    """Give the kinds that satisfy a need: two people where one would do, and for every erasure that one may sign."""
    if needs is Needs.OPERATOR or (needs is Needs.DEVICE and act is Act.ERASE):
        return needs, Needs.TWO_PERSON
    return (needs,)


def joined(found: Sequence[Signers]) -> Signers:
    """Join the signers of the warrants of one batch.

    Raises:
        Unverified: they are not the same throughout.

    """
    if len({one.payers for one in found}) != 1:
        raise Unverified("A batch needs the same signers throughout.")
    return Signers(found[0].payers, tuple(use for one in found for use in one.uses))
