"""What vault B alone answers: personal keys, blind indexes, and A's side of the exchange."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from moiety.foundation.errors import BadInput, ExchangeAborted, UnknownGallery, Unverified, WarrantRefused
from moiety.vault.pace import By
from moiety.vault.personal import FieldName
from moiety.vault.service import Vault
from moiety.warrants.warrant import SignedWarrant
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import numpy as np
    from numpy.typing import NDArray

    from moiety.vault.answering import Answering
    from moiety.vault.attest import Comparing
    from moiety.vault.personal import PersonalKeys
    from moiety.vault.questions import Question
    from moiety.vault.renewal import Renewing
    from moiety.vault.service import Parts
    from moiety.wire.frames import Frame

Result = TypeVar("Result")


class VaultB(Vault):
    """Half B."""

    def __init__(
        self, parts: Parts, exchange: Answering, personal: PersonalKeys, tending: Comparing, renewing: Renewing
    ) -> None:
        """Add to what every vault has the personal keys, and B's side of attestation and refresh."""
        super().__init__(parts)
        self._answering = exchange
        self._personal = personal
        self._tending = {**tending.handlers(), **renewing.handlers()}

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map each kind of frame to what answers it."""
        return {
            **super().handlers(),
            **self._answering.handlers(),
            **self._tending,
            Kind.WRAP: self._alike(self._wrap),
            Kind.REVEAL: self._alike(self._reveal),
            Kind.BLIND: self._alike(self._blind),
            Kind.FORGET: self._forget,
        }

    def _decline(self, request: str, error: Exception) -> None:
        """Let a waiting A know, so that it refuses alike; it learns no reason."""
        warrant = isinstance(error, Unverified | UnknownGallery)
        self._answering.refuse(request, WarrantRefused() if warrant else ExchangeAborted("Vault B gave up."))

    async def _ready(self, gallery: str) -> None:
        """Wait for nothing: A sees to it that what it asks about is settled and attested."""

    async def _run(self, request: str, gallery: str, question: Question) -> NDArray[np.uint64]:
        """Wait for A, then run the exchange while nobody moves the rows."""
        return await self._answering.run(request, question, lambda: self._turns.shared(gallery))

    def _erase_person(self, gallery: str, handle: bytes) -> None:
        """Destroy the personal key, where the erasure names one."""
        if handle:
            self._personal.erase(gallery, handle)

    def _what_is_left(self, gallery: str) -> tuple[list[bytes], list[bytes]]:
        """Add the handles of personal keys that are only prepared."""
        return super()._what_is_left(gallery)[0], self._personal.prepared(gallery)

    async def _keys(self, gallery: str, work: Callable[[], Result]) -> Result:
        """Change personal keys, one after the other: nothing that is searched or refreshed."""
        return await self._change(gallery, work, held_back=False, searched=False)

    async def _wrap(self, frame: Frame) -> Answer:
        """Draw field keys; buffers: the handle; names in the meta."""
        policy = self._cabinet.policy(str(frame.meta["gallery"]))
        names = [_name(raw) for raw in frame.meta["names"]]
        handle = bytes(frame.buffers[0])
        pairs = await self._keys(policy.gallery, lambda: self._personal.wrap(policy, handle, names))
        return Answer({}, [buffer for pair in pairs for buffer in pair])

    async def _reveal(self, frame: Frame) -> Answer:
        """Open field keys; three buffers an item: warrant, handle, wrapped key; names in the meta."""
        policy = self._cabinet.policy(str(frame.meta["gallery"]))
        names = [_name(raw) for raw in frame.meta["names"]]
        raw = [bytes(buffer) for buffer in frame.buffers]
        if not names or len(raw) != 3 * len(names):
            raise BadInput("A reveal needs three buffers.")
        asked = [
            (SignedWarrant.decode(raw[3 * i]), raw[3 * i + 1], name, raw[3 * i + 2]) for i, name in enumerate(names)
        ]
        keys = await asyncio.to_thread(self._personal.reveal, policy, asked, By.told(frame.meta))
        return Answer({}, keys)

    async def _blind(self, frame: Frame) -> Answer:
        """Key values for the blind index."""
        policy = self._cabinet.policy(str(frame.meta["gallery"]))
        blinded = await asyncio.to_thread(self._personal.blind, policy, [bytes(b) for b in frame.buffers])
        return Answer({}, blinded)

    async def _forget(self, frame: Frame) -> Answer:
        """Remove a prepared personal key."""
        policy = self._cabinet.policy(str(frame.meta["gallery"]))
        handle = bytes(frame.buffers[0])
        await self._keys(policy.gallery, lambda: self._personal.forget(policy, handle))
        return Answer({})


def _name(raw: list[str]) -> FieldName:
    """Read [record, field, class]."""
    record, field, klass = raw
    return FieldName(str(record), str(field), str(klass))
