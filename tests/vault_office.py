"""Running vaults that know two operators, a registrar and a camera; what each of them signs."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from forged_faces import Face, Forger
from moiety.drill.authenticator import ORIGIN, RP_ID
from moiety.foundation.errors import Refusal, WarrantRefused
from moiety.kernel import quantise
from moiety.warrants.proofs import DeviceSlip, by_device, sign_slip
from moiety.warrants.statement import face_nonce
from moiety.warrants.warrant import Act, Warrant, signed_with, without_picture
from moiety.wire.kinds import Kind, Role
from parts_in_process import DIM, VAULTS, InProcess
from vault_people import REGISTRAR, Camera, Signer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from moiety.storage import Gallery

PROBE = quantise(np.eye(1, DIM, dtype=np.float32)[0])
A, B = VAULTS


@dataclass
class Office:
    """A site whose vaults know two operators, a registrar and a camera at door 7."""

    site: InProcess
    gallery: Gallery
    version: int
    ann: Signer
    bob: Signer
    reg: Signer
    camera: Camera

    @property
    def forger(self) -> Forger:
        return Forger(self.site, self.gallery)

    async def needs(self, *roles: Role, **needs: Any) -> None:
        """Put another policy."""
        self.version = await self.site.put_policy(self.gallery.id, *roles, **needs)

    def face(self, image: bytes = b"i" * 32, nonce: bytes | None = None, **more: Any) -> Face:
        """Make a face that nobody has signed for yet, under the policy in force."""
        face = self.forger.face(PROBE, nonce, image_sha256=image)
        wanted: dict[str, Any] = {"image_sha256": image, "policy_version": self.version} | more
        face.warrant = replace(face.warrant, **wanted)
        return face

    def by_camera(self, camera: Camera | None = None, **slip: Any) -> Face:
        """Let the camera sign for a face of its picture."""
        camera, nonce = camera or self.camera, os.urandom(32)
        face = self.face(nonce=face_nonce(nonce, 0), case=camera.door)
        said = DeviceSlip(face.warrant.image_sha256, camera.door, face.warrant.issued, nonce)
        face.signed = signed_with(face.warrant, by_device(sign_slip(replace(said, **slip), camera.key)))
        return face

    def by(self, *people: Signer, **more: Any) -> Face:
        """Let people sign for a face."""
        face = self.face(**more)
        face.signed = signed_with(face.warrant, *(one.sign(face.warrant) for one in people))
        return face

    def by_service(self) -> Face:
        return self.face()

    def plain(self, act: Act, target: bytes) -> Warrant:
        """Write a warrant for an act without a picture."""
        policy = (self.site.installation.tenant, str(self.gallery.id), self.version, self.gallery.purpose)
        return without_picture(act, policy, "", target, self.site.clock.now(), os.urandom(32))

    async def answered(self, face: Face) -> bool:
        """Whether both vaults answer, as the gate asks them; where they do not, the warrant was refused."""
        meta = {"request": os.urandom(16).hex(), "gallery": self.gallery.id}
        to_a, to_b = (self.forger.buffers(face, half) for half in "ab")
        try:
            await self.site.links.both(Kind.SEARCH, meta, to_a, to_b)
        except WarrantRefused:
            return False
        return True


@asynccontextmanager
async def office_in(folder: Path) -> AsyncIterator[Office]:
    async with InProcess(folder) as site:
        gallery = await site.gallery()
        ann, bob, reg = Signer("ann"), Signer("bob"), Signer("reg", (REGISTRAR,))
        camera = Camera(gallery.id)
        people = tuple(one.person for one in (ann, bob, reg))
        await site.put_roster(rp_id=RP_ID, origin=ORIGIN, people=people, devices=(camera.device,))
        yield Office(site, gallery, 1, ann, bob, reg, camera)


async def outcome(office: Office, kind: Kind, meta: dict[str, Any], buffers: list[bytes], *roles: Role) -> set[str]:
    """Ask vaults and say how each ended."""
    ended = set()
    for role in roles:
        line = office.site.links.a if role is A else office.site.links.b
        try:
            await line.call(kind, meta, buffers)
            ended.add("done")
        except Refusal as refusal:
            ended.add(refusal.slug)
    return ended
