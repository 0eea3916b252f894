"""Warrants that are old, used, forged, or signed by the wrong people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.drill import keeper
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.hacked import Thief, answered, take_over
from moiety.drill.hacked_questions import REFUSED, VAULTS
from moiety.foundation.errors import WarrantRefused
from moiety.kernel import quantise
from moiety.vault.policy import Needs
from moiety.warrants import targets
from moiety.warrants.proofs import by_passkey
from moiety.warrants.warrant import Act, SignedWarrant, Warrant, sign_as_service, signed_with
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moiety.drill.forger import Forger
    from moiety.drill.ground import Ground
    from moiety.matching.asking import SealedProbe
    from moiety.storage import Gallery
    from moiety.warrants.warrant import Signature
    from moiety.wire.kinds import Role

DAY_SECONDS = 86_400


class Replay(Drill):
    """Asks again what was answered once."""

    name = "replay"
    tried = (
        "sent answered questions again: the same bytes, the same face under a fresh warrant, one face twice in a "
        "batch, the higher bands twice"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:nonces_unchecked")

    def attack(self, ground: Ground) -> Obtained:
        """Replay."""
        return take_over(ground, self._replay)

    @staticmethod
    async def _replay(thief: Thief) -> Obtained:
        """Count what is answered a second time."""
        gallery = await thief.gallery("replay")
        await thief.enrol(gallery)
        probe = await thief.probe(gallery)
        face = thief.face(gallery, probe)
        await thief.search(gallery, *face)
        tally = Tally()
        got = answered(await thief.search(gallery, *face), *REFUSED)
        tally.add(got, f"{got} answers to the same bytes")
        got = answered(await thief.search(gallery, *thief.face(gallery, probe)), *REFUSED)
        tally.add(got, f"{got} to a fresh warrant for the same face")
        to_a, to_b = thief.face(gallery, await thief.probe(gallery))
        got = answered(await thief.search(gallery, to_a * 2, to_b * 2), *REFUSED)
        tally.add(got, f"{got} to one face twice")
        meta = {"request": "a" * 32, "gallery": gallery.id}
        await thief.ask(Kind.SEARCH, meta, meta, *thief.face(gallery, await thief.probe(gallery)))
        bands = {"request": "b" * 32, "parent": meta["request"], "picks": [[0, [0]]]}
        await thief.ask(Kind.BANDS, bands, bands, [], [])
        again = bands | {"request": "c" * 32}
        got = answered(await thief.ask(Kind.BANDS, again, again, [], []), *REFUSED)
        tally.add(got, f"{got} to bands asked twice")
        return tally.obtained()


class Forge(Drill):
    """Signs what he may not."""

    name = "forge"
    tried = (
        "asked under warrants with wrong signatures, of unknown keys, of yesterday and tomorrow, for another gallery, "
        "another act, other blocks; compared how the refusals read"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:signatures_unchecked")

    def attack(self, ground: Ground) -> Obtained:
        """Forge."""
        return take_over(ground, self._forge)

    async def _forge(self, thief: Thief) -> Obtained:
        """Count the answers to forged warrants."""
        gallery, other = await thief.gallery("forge"), await thief.gallery("forge-other")
        await thief.enrol(gallery)
        tally, said = Tally(), set()
        for what, forge in self._forgeries(thief, other).items():
            probe = await thief.probe(gallery)
            warrant = forge(SignedWarrant.decode(thief.face(gallery, probe)[0][0])).encode()
            outcomes = await _ask(thief, gallery, probe, warrant)
            said |= {str(one) for one in outcomes if isinstance(one, WarrantRefused)}
            got = answered(outcomes, *REFUSED)
            tally.add(got, f"{got} with {what}")
        probe = await thief.probe(gallery)
        to_a, to_b = thief.face(gallery, probe, Act.VERIFY, targets.of_blocks([0]))
        for blocks in (None, [0, 0]):
            more = {} if blocks is None else {"blocks": blocks}
            got = answered(await thief.search(gallery, to_a, to_b, **more), *REFUSED)
            tally.add(got, f"{got} for other blocks")
        tally.add(max(0, len(said) - 1), f"{len(said)} wording of refusals")
        return tally.obtained()

    @staticmethod
    def _forgeries(thief: Thief, other: Gallery) -> dict[str, Callable[[SignedWarrant], SignedWarrant]]:
        """Name each way of making a bad warrant of a good one."""
        service, stranger = thief.house.desk.secrets.service, Ed25519PrivateKey.generate()

        def wrong_signature(good: SignedWarrant) -> SignedWarrant:
            (signature,) = good.signatures
            return signed_with(good.warrant, replace(signature, value=stranger.sign(good.warrant.digest())))

        def changed(**more: int | str | Act) -> Callable[[SignedWarrant], SignedWarrant]:
            return lambda good: sign_as_service(replace(good.warrant, **more), service)  # type: ignore[arg-type]  # fields by name

        def at(shift: int) -> Callable[[SignedWarrant], SignedWarrant]:
            def moved(good: SignedWarrant) -> SignedWarrant:
                times = {"issued": good.warrant.issued + shift, "expires": good.warrant.expires + shift}
                return changed(**times)(good)

            return moved

        return {
            "a wrong signature in the gate's name": wrong_signature,
            "the signature of another warrant": lambda good: signed_with(
                good.warrant, *sign_as_service(replace(good.warrant, case="another"), service).signatures
            ),
            "a stranger's key": lambda good: sign_as_service(good.warrant, stranger),
            "yesterday's date": at(-DAY_SECONDS),
            "tomorrow's date": at(DAY_SECONDS),
            "another gallery": changed(gallery=other.id),
            "another act": changed(act=Act.ENROL),
            "another version of the policy": changed(policy_version=7),
        }


async def _ask(thief: Thief, gallery: Gallery, probe: SealedProbe, warrant: bytes) -> tuple[object, object]:
    """Ask both vaults about a probe under a warrant."""
    both = [warrant, probe.statement, probe.signature]
    return await thief.search(gallery, [*both, probe.to_a], [*both, probe.to_b])


class OnePerson(Drill):
    """Searches where two people must sign."""

    name = "hacked-two-person"
    tried = (
        "owned the gate and the eye's key and searched a gallery whose policy needs two people: with the gate's key, "
        "one person's passkey, the same twice, a stranger's, passkeys used on another page or without a PIN"
    )

    def attack(self, ground: Ground) -> Obtained:
        """Search where two people must sign."""
        return take_over(ground, lambda thief: self._search(thief, Needs.TWO_PERSON))

    def control(self, ground: Ground) -> Obtained:
        """Search where the gate's own key is enough."""
        return take_over(ground, lambda thief: self._search(thief, Needs.SERVICE))

    async def _search(self, thief: Thief, asks: Needs) -> Obtained:
        """Count the answers to what a thief can sign."""
        gallery = await thief.gallery("two-people")
        await thief.enrol(gallery)
        page = SoftwareAuthenticator()
        ada, ben = SoftwareAuthenticator(), SoftwareAuthenticator()
        await keeper.seat(thief.ground, {"ada": ada, "ben": ben}, page)
        policy = await keeper.set_policy(thief.ground, gallery.id, asks=asks)
        forger = thief.forger(gallery, with_eye=True)
        tally = Tally()
        for what, sign in self._signings(ada, ben, thief).items():
            got = answered(await _under(forger, policy.version, sign), *REFUSED)
            tally.add(got, f"{got} with {what}")
        if asks is Needs.TWO_PERSON:
            both = await _under(forger, policy.version, lambda one: [_by(ada, one), _by(ben, one)])
            answered(both)  # two people who do sign are answered, or the drill would prove nothing
        return tally.obtained()

    @staticmethod
    def _signings(
        ada: SoftwareAuthenticator, ben: SoftwareAuthenticator, thief: Thief
    ) -> dict[str, Callable[[Warrant], list[Signature]]]:
        """Name what a thief may have signed."""
        service, stranger = thief.house.desk.secrets.service, SoftwareAuthenticator()

        def elsewhere(one: Warrant) -> Signature:
            return by_passkey(ben.credential, ben.sign(one.digest(), origin="https://gate.example.org"))

        def without_pin(one: Warrant) -> Signature:
            careless = replace(ben, verified=False, counter=None if ben.counter is None else ben.counter + 100)
            return by_passkey(ben.credential, careless.sign(one.digest()))

        return {
            "the gate's own key": lambda one: list(sign_as_service(one, service).signatures),
            "one person": lambda one: [_by(ada, one)],
            "one person twice": lambda one: [_by(ada, one), _by(ada, one)],
            "one person and the gate": lambda one: [_by(ada, one), *sign_as_service(one, service).signatures],
            "a stranger": lambda one: [_by(ada, one), _by(stranger, one)],
            "a passkey used on the gate's page": lambda one: [_by(ada, one), elsewhere(one)],
            "a passkey without a PIN": lambda one: [_by(ada, one), without_pin(one)],
            "a signature for another warrant": lambda one: [_by(ada, one), _by(ben, replace(one, case="another"))],
        }


def _by(key: SoftwareAuthenticator, warrant: Warrant) -> Signature:
    """Sign with a passkey."""
    return by_passkey(key.credential, key.sign(warrant.digest()))


async def _under(forger: Forger, version: int, sign: Callable[[Warrant], list[Signature]]) -> tuple[object, object]:
    """Ask about a fresh probe under signatures of the thief's making."""
    drawn = np.random.default_rng().standard_normal(512)
    face = forger.face(quantise((drawn / np.linalg.norm(drawn)).astype(np.float32)))
    face.warrant = replace(face.warrant, policy_version=version)
    face.signed = signed_with(face.warrant, *sign(face.warrant))
    return await forger.each([face], [face])
