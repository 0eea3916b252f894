"""What vault B alone answers: personal keys, blind indexes, and A's side of the exchange."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput, ExchangeAborted, UnknownGallery, Unverified, WarrantRefused
from moiety.vault.personal import FieldName
from moiety.vault.service import Vault
from moiety.warrants.warrant import SignedWarrant
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moiety.vault.answering import Answering
    from moiety.vault.personal import PersonalKeys
    from moiety.vault.service import Parts
    from moiety.wire.frames import Frame


class VaultB(Vault):
    """Half B."""

    def __init__(self, parts: Parts, exchange: Answering, personal: PersonalKeys) -> None:
        """Add the personal keys to what every vault has."""
        super().__init__(parts, exchange)
        self._answering = exchange
        self._personal = personal

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map each kind of frame to what answers it."""
        return {
            **super().handlers(),
            **self._answering.handlers(),
            Kind.WRAP: self._alike(self._wrap),
            Kind.REVEAL: self._alike(self._reveal),
            Kind.BLIND: self._alike(self._blind),
            Kind.FORGET: self._forget,
        }

    def _decline(self, request: str, error: Exception) -> None:
        """Let a waiting A know, so that it refuses alike; it learns no reason."""
        warrant = isinstance(error, Unverified | UnknownGallery)
        self._answering.refuse(request, WarrantRefused() if warrant else ExchangeAborted("Vault B gave up."))

    def _erase_person(self, gallery: str, handle: bytes) -> None:
        """Destroy the personal key, where the erasure names one."""
        if handle:
            self._personal.erase(gallery, handle)

    def _what_is_left(self, gallery: str) -> tuple[list[bytes], list[bytes]]:
        """Add the handles of personal keys that are only prepared."""
        return super()._what_is_left(gallery)[0], self._personal.prepared(gallery)

    async def _wrap(self, frame: Frame) -> Answer:
        """Draw field keys; buffers: the handle; names in the meta."""
        policy = self._cabinet.policy(str(frame.meta["gallery"]))
        names = [_name(raw) for raw in frame.meta["names"]]
        pairs = await self._alone(policy.gallery, self._personal.wrap, policy, bytes(frame.buffers[0]), names)
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
        keys = await asyncio.to_thread(self._personal.reveal, policy, asked)
        return Answer({}, keys)

    async def _blind(self, frame: Frame) -> Answer:
        """Key values for the blind index."""
        policy = self._cabinet.policy(str(frame.meta["gallery"]))
        blinded = await asyncio.to_thread(self._personal.blind, policy, [bytes(b) for b in frame.buffers])
        return Answer({}, blinded)

    async def _forget(self, frame: Frame) -> Answer:
        """Remove a prepared personal key."""
        policy = self._cabinet.policy(str(frame.meta["gallery"]))
        await self._alone(policy.gallery, self._personal.forget, policy, bytes(frame.buffers[0]))
        return Answer({})


def _name(raw: list[str]) -> FieldName:
    """Read [record, field, class]."""
    record, field, klass = raw
    return FieldName(str(record), str(field), str(klass))
