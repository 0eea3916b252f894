"""A thief owns the gate: its service key, its links, its database; he may say to eye and vaults what he likes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.envelopes import seal_to
from moiety.foundation.errors import Refusal
from moiety.kernel import quantise
from moiety.matching.desk import Asker
from moiety.matching.galleries import NewGallery
from moiety.people.enrol import Who
from moiety.warrants import targets
from moiety.warrants.statement import Made, Pad, Statement, commit_probe, face_nonce, sign
from moiety.warrants.warrant import NOTHING, Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from harness import Site
    from moiety.cli.samples import Samples
    from moiety.matching.asking import SealedProbe
    from moiety.people.house import House
    from moiety.storage import Gallery

THIEF = Asker("owner", "a thief in the gate")
DIM = 512


async def fill(site: Site, photos: Samples) -> None:
    """Enrol three people in one gallery, and one of them in another."""
    house = site.house()
    for name in ("staff", "guests"):
        gallery = await house.galleries.create(NewGallery(name, "a test of thieves"), THIEF)
        for person, paths in photos.enrol.items():
            if name == "staff" or person == "Joe Biden":
                await house.enroller.enrol(gallery, paths[0].read_bytes(), Who(reference=person), THIEF)
    await close(house)


async def close(house: House) -> None:
    """End a gate."""
    lines = house.desk.links
    for line in (lines.eye, lines.a, lines.b, lines.mint):
        await line.close()
    house.desk.store.close()


@dataclass
class Thief:
    """The gate's services in a thief's hands."""

    site: Site
    house: House
    gallery: Gallery
    guests: Gallery
    photo: bytes
    other: bytes

    async def probe(self, image: bytes | None = None) -> SealedProbe:
        """Let the eye seal a probe."""
        return (await self.house.identifier._asking.probes(self.gallery, image or self.photo))[0]

    def face(self, probe: SealedProbe, act: Act = Act.SEARCH, target: bytes = NOTHING) -> list[bytes]:
        """Sign a warrant for a probe; gives the three buffers that both vaults get before what is sealed to each."""
        warrant = self.house.desk.warrant_for(act, self.gallery, probe.statement, THIEF, target)
        return [warrant, probe.statement, probe.signature]

    async def search(self, to_a: Sequence[bytes], to_b: Sequence[bytes], **both: Any) -> tuple[Any, Any]:
        """Ask both vaults at once; gives each one's answer or refusal."""
        meta = {"request": os.urandom(16).hex(), "gallery": self.gallery.id} | both
        return await self.ask(Kind.SEARCH, meta, meta, to_a, to_b)

    async def ask(
        self, kind: Kind, meta_a: dict[str, Any], meta_b: dict[str, Any], to_a: Sequence[bytes], to_b: Sequence[bytes]
    ) -> tuple[Any, Any]:
        """Ask each vault whatever the thief likes."""
        lines = self.house.desk.links
        asked = lines.a.call(kind, meta_a, to_a), lines.b.call(kind, meta_b, to_b)
        from_a, from_b = await asyncio.gather(*asked, return_exceptions=True)
        return from_a, from_b


def refused(answers: tuple[Any, Any], *kinds: type[Refusal]) -> None:
    """Check that neither vault answered, and how the refusals read."""
    assert all(isinstance(answer, Refusal) for answer in answers), answers
    assert {type(answer) for answer in answers} <= set(kinds), answers


class Forger:
    """A thief who also seals probes of his own, and may even have the eye's key."""

    def __init__(self, thief: Thief, key: Ed25519PrivateKey) -> None:
        """Sign statements with `key`."""
        self._thief = thief
        self._key = key
        place = thief.site.place(Role.GATE)
        self._to = {"a": place.sealing(Role.VAULT_A), "b": place.sealing(Role.VAULT_B)}

    def faces(self, first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> tuple[list[bytes], list[bytes]]:
        """Seal `first` to A and `second` to B, each with a statement that commits to it, under one nonce."""
        nonce, salt = face_nonce(os.urandom(32), 0), os.urandom(32)
        gallery, desk = self._thief.gallery, self._thief.house.desk
        made = []
        for half, probe in (("a", first), ("b", second)):
            raw = probe.astype(np.int8).tobytes()
            statement = Statement(
                made=Made.PROBE,
                tenant=desk.tenant,
                gallery=gallery.id,
                image_sha256=bytes(32),
                box=(0, 0, 1, 1),
                model=bytes.fromhex(gallery.model_sha256),
                rotation=bytes.fromhex(gallery.rotation_id),
                pad=Pad.UNKNOWN,
                row=b"",
                epoch=1,
                commitment=commit_probe(nonce, salt, raw),
                nonce=nonce,
                issued=int(desk.clock.now()),
            )
            warrant = desk.warrant_for(Act.SEARCH, gallery, statement.encode(), THIEF)
            sealed = seal_to(self._to[half], salt + raw, targets.sealing_bound(half, nonce))
            made.append([warrant, statement.encode(), sign(statement, self._key), sealed])
        return made[0], made[1]


def q_and_neighbour() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give q and q + e_k, which together would read number k of every template (shared protocol, "Before round 1")."""
    random = np.random.default_rng(5).standard_normal(DIM)
    q = quantise((random / np.linalg.norm(random)).astype(np.float32)).astype(np.int16)
    neighbour = q.copy()
    neighbour[int(np.argmin(np.abs(q)))] += 1
    return q, neighbour
