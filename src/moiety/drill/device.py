"""Somebody has taken over the gate of a door, and uses what its device has signed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.drill import keeper
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.hacked import THIEF, Thief, answered, take_over
from moiety.drill.hacked_questions import REFUSED, VAULTS
from moiety.foundation.errors import Fault
from moiety.matching.asking import SealedProbe, told
from moiety.vault.policy import Needs
from moiety.vault.roster import Device, RosterRole
from moiety.warrants.proofs import DeviceSlip, by_device, sign_slip
from moiety.warrants.warrant import Act, SignedWarrant, sign_as_service, signed_with
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moiety.drill.ground import Ground
    from moiety.storage import Gallery
    from moiety.warrants.proofs import SignedSlip
    from moiety.warrants.warrant import Signature, Warrant
    from moiety.wire.kinds import Role

HOUR_SECONDS = 3600


@dataclass
class Camera:
    """A device at a door."""

    door: str = "door-3"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def on_roster(self, gallery: str) -> Device:
        """Give what the roster says of it."""
        return Device("camera-3", self.key.public_key().public_bytes_raw(), gallery, self.door, RosterRole.OPERATOR)

    def slip(self, picture: bytes, at: float) -> SignedSlip:
        """Sign a picture."""
        return sign_slip(DeviceSlip(hashlib.sha256(picture).digest(), self.door, int(at), os.urandom(32)), self.key)


class SwapPicture(Drill):
    """Asks in a `device` gallery about pictures that no device has signed."""

    name = "hacked-device"
    tried = (
        "owned the gate of a gallery that needs a device's signature; asked with the gate's key, put a device's "
        "signature under another picture, asked twice, an hour later, elsewhere, and with a device of his own"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:devices_unchecked")

    def attack(self, ground: Ground) -> Obtained:
        """Ask."""
        return take_over(ground, self._ask)

    async def _ask(self, thief: Thief) -> Obtained:
        """Count the answers to what no device has signed."""
        gallery, other = await thief.gallery("device"), await thief.gallery("device-other")
        await thief.enrol(gallery)
        camera, now = Camera(), thief.house.desk.clock.now()
        await keeper.seat(thief.ground, {}, None, (camera.on_roster(gallery.id),))
        policies = [await keeper.set_policy(thief.ground, one.id, asks=Needs.DEVICE) for one in (gallery, other)]
        mine = thief.ground.photos.probe.read_bytes()
        signed = camera.slip(mine, now)
        question = Question(thief, gallery, policies[0].version)
        if await question.ask(mine, signed, lambda _: by_device(signed)) != len(VAULTS):
            raise Fault("What the device signed is not answered; the drill would prove nothing.")
        tally = Tally()
        got = await question.ask(mine, signed, lambda _: by_device(signed))
        tally.add(got, f"{got} answers to what was answered")
        for what, where, picture, slip, sign in self._wrong(thief, camera, (gallery, other), mine, now):
            got = await Question(thief, where, policies[0].version).ask(picture, slip, sign)
            tally.add(got, f"{got} with {what}")
        return tally.obtained()

    @staticmethod
    def _wrong(
        thief: Thief, camera: Camera, galleries: tuple[Gallery, Gallery], mine: bytes, now: float
    ) -> list[tuple[str, Gallery, bytes, SignedSlip, Callable[[Warrant], Signature]]]:
        """List what a thief can have signed: its name, where he asks, the picture, the slip and the signature."""
        gallery, other = galleries
        victim = thief.ground.photos.enrol["Joe Biden"][0].read_bytes()
        fresh, late, own = camera.slip(mine, now), camera.slip(mine, now - HOUR_SECONDS), Camera().slip(mine, now)
        service = thief.house.desk.secrets.service
        return [
            ("the gate's own key", gallery, mine, fresh, lambda one: sign_as_service(one, service).signatures[0]),
            ("the signature of another picture", gallery, victim, fresh, lambda _: by_device(fresh)),
            ("an old signature", gallery, mine, late, lambda _: by_device(late)),
            ("the signature of another gallery's device", other, mine, fresh, lambda _: by_device(fresh)),
            ("a device of his own", gallery, mine, own, lambda _: by_device(own)),
        ]


@dataclass(frozen=True)
class Question:
    """Asks about a picture in a gallery, at a version of its policy."""

    thief: Thief
    gallery: Gallery
    version: int

    async def ask(self, picture: bytes, slip: SignedSlip, sign: Callable[[Warrant], Signature]) -> int:
        """Have the eye seal a probe under the slip's nonce, sign the warrant, ask both vaults; counts answers."""
        eye, setting = self.thief.house.desk.links.eye, self.thief.setting(self.gallery)
        answer = await eye.call(Kind.PROBE, setting, [slip.slip.nonce, picture])
        probe = SealedProbe(told(answer.meta["faces"][0]), *map(bytes, answer.buffers[:4]))
        asker = replace(THIEF, case=slip.slip.door)
        raw = self.thief.house.desk.warrant_for(Act.SEARCH, self.gallery, probe.statement, asker)
        warrant = replace(SignedWarrant.decode(raw).warrant, policy_version=self.version)
        both = [signed_with(warrant, sign(warrant)).encode(), probe.statement, probe.signature]
        outcomes = await self.thief.search(self.gallery, [*both, probe.to_a], [*both, probe.to_b])
        return answered(outcomes, *REFUSED)
