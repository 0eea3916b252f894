"""Canaries: faces that nobody has, so that the vaults can be asked questions whose answers are known.

A canary's face is drawn from a secret of the eye, the gallery and a number, so nothing is kept of it. Statements and
sealed halves look like any other's: a vault cannot tell a canary from a person.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.eye.halver import Setting, Sighting
from moiety.foundation.envelopes import pack
from moiety.foundation.errors import BadInput
from moiety.kernel import stream
from moiety.warrants.statement import Pad, face_nonce
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

    from moiety.eye.halver import Halver, Sealed
    from moiety.wire.frames import Buffer, Frame

AT_ONCE_MAX = 16
_dice = random.SystemRandom()


class MadeUp:
    """Handlers of the eye for faces that nobody has."""

    def __init__(self, secret: bytes, model: bytes, dim: int, halver: Halver) -> None:
        """Draw from `secret` (32 bytes); `model` and `dim` are the embedder's."""
        self._secret = secret
        self._model = model
        self._dim = dim
        self._halver = halver

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map each kind of frame to what answers it."""
        return {Kind.CANARY_TEMPLATE: self._template, Kind.CANARY_PROBE: self._probe}

    async def _template(self, frame: Frame) -> Answer:
        """Seal the halves of one canary's template."""
        return await asyncio.to_thread(self._make, frame, self._halver.template, _numbers(frame)[:1])

    async def _probe(self, frame: Frame) -> Answer:
        """Seal a probe of each canary."""
        return await asyncio.to_thread(self._make, frame, self._halver.probe, _numbers(frame))

    def _make(self, frame: Frame, make: Callable[..., Sealed], numbers: list[int]) -> Answer:
        """Draw the faces and seal what is made of them."""
        setting = Setting.read(frame.meta, self._model)
        nonce = bytes(frame.buffers[0])
        told: list[dict[str, Any]] = []
        buffers: list[Buffer] = []
        for index, number in enumerate(numbers):
            sighting = Sighting(os.urandom(32), _box(), Pad.UNKNOWN, face_nonce(nonce, index))
            sealed = make(setting, sighting, self.face(setting.gallery, number))
            told.append({"box": list(sighting.box), "quality": {}, "liveness": None, "row": sealed.row_id.hex()})
            buffers += [sealed.statement, sealed.signature, sealed.to_a, sealed.to_b]
        return Answer({"faces": told}, buffers)

    def face(self, gallery: str, number: int) -> NDArray[np.float32]:
        """Draw the embedding f32[dim] of a canary: a direction like any other."""
        seed = hashlib.sha256(pack("moiety/canary/1", self._secret, gallery, number)).digest()
        # Our own stream and no library's generator: a canary must be the same after every upgrade.
        drawn = (stream(seed, b"moiety/canary/1", self._dim) >> np.uint64(11)) * 2.0**-52 - 1.0
        return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def _numbers(frame: Frame) -> list[int]:
    """Read which canaries are wanted.

    Raises:
        BadInput: none, too many, or not numbers.

    """
    numbers: Any = frame.meta.get("numbers")
    if not isinstance(numbers, list) or not 0 < len(numbers) <= AT_ONCE_MAX:
        raise BadInput("Canaries are asked for by up to 16 numbers.")
    if not all(isinstance(number, int) and 0 <= number < 1 << 31 for number in numbers):
        raise BadInput("The number of a canary is a whole number below 2^31.")
    return numbers


def _box() -> tuple[int, int, int, int]:
    """Draw a box as a photo could have it."""
    size = _dice.randint(60, 240)
    return _dice.randint(0, 200), _dice.randint(0, 200), size, size + _dice.randint(0, 60)
