"""A gallery in which one face was enrolled many times and many others once, by the running eye and both vaults."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moiety.drill.hacked import THIEF, Thief
from moiety.eye.canaries import MadeUp
from moiety.eye.halver import Halver
from moiety.eye.rotations import Rotations
from moiety.foundation.errors import Fault, Refusal
from moiety.kernel import quantise
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moiety.drill.ground import Ground
    from moiety.storage import Gallery

OF_ONE = 400
OF_OTHERS = 400
AT_ONCE = 200


@dataclass(frozen=True)
class Crowd:
    """The gallery's id, and the template i8[n, d] of each row, in the order of the rows."""

    gallery: str
    templates: NDArray[np.int8]


def settle(ground: Ground) -> Crowd:
    """Fill a new gallery with the first face `OF_ONE` times and `OF_OTHERS` others."""
    numbers = [0] * OF_ONE + list(range(1, OF_OTHERS + 1))

    async def run() -> Crowd:
        thief = Thief(ground, ground.house())
        try:
            gallery = await thief.gallery("crowd")
            for first in range(0, len(numbers), AT_ONCE):
                await _enrol(thief, gallery, numbers[first : first + AT_ONCE], first)
        finally:
            await thief.close()
        return Crowd(str(gallery.id), _templates(ground, gallery, numbers))

    return asyncio.run(run())


def _templates(ground: Ground, gallery: Gallery, numbers: list[int]) -> NDArray[np.int8]:
    """Draw and measure the faces once more, with the eye's own keys."""
    at = ground.place(Role.EYE)
    rotations, model = Rotations(at.identity.keys), bytes.fromhex(gallery.model_sha256)
    halver = Halver(rotations, at.identity.signing, (at.sealing(Role.VAULT_A), at.sealing(Role.VAULT_B)), at.clock)
    faces = MadeUp(at.identity.keys.secret("canary.key"), model, gallery.dim, halver)
    turn = rotations.matrix(bytes.fromhex(gallery.rotation_id), gallery.dim)
    return np.stack([quantise(turn @ faces.face(gallery.id, number)) for number in numbers])


async def _enrol(thief: Thief, gallery: Gallery, numbers: list[int], first: int) -> None:
    """Enrol made-up faces at both vaults in one batch, at the places from `first` on."""
    setting, eye = thief.setting(gallery), thief.house.desk.links.eye

    async def made(number: int) -> list[bytes]:
        answer = await eye.call(Kind.CANARY_TEMPLATE, setting | {"numbers": [number]}, [os.urandom(32)])
        return [answer.meta["faces"][0]["row"].encode(), *map(bytes, answer.buffers)]

    to_a: list[bytes] = []
    to_b: list[bytes] = []
    places = []
    for at, one in enumerate(await asyncio.gather(*map(made, numbers)), first + 1):
        row, statement, signature, for_a, for_b = one
        warrant = thief.house.desk.warrant_for(Act.ENROL, gallery, statement, THIEF)
        to_a += [warrant, statement, signature, for_a]
        to_b += [warrant, statement, signature, for_b]
        places.append([row.decode(), at])
    meta = {"gallery": gallery.id}
    told = meta | {"places": places, "people": []}
    for kind, about, a, b in ((Kind.PREPARE, meta, to_a, to_b), (Kind.COMMIT, told, [], [])):
        for outcome in await thief.ask(kind, about, about, a, b):
            if isinstance(outcome, Refusal):
                raise Fault(f"The drill could not fill its gallery: {outcome}")
