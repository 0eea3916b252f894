"""What vault A alone does: it tends both vaults' galleries, and answers from what is attested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import ExchangeAborted, OutOfStep
from moiety.vault.service import Vault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import numpy as np
    from numpy.typing import NDArray

    from moiety.vault.exchange import Asking
    from moiety.vault.questions import Asked, Question
    from moiety.vault.service import Parts
    from moiety.vault.upkeep import Upkeep
    from moiety.wire.links import Answer


class VaultA(Vault):
    """Half A."""

    def __init__(self, parts: Parts, exchange: Asking, upkeep: Upkeep) -> None:
        """Add the upkeep to what every vault has."""
        super().__init__(parts)
        self._asking = exchange
        self.upkeep = upkeep

    def words(self) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """Map each word that commands on this machine may ask to what answers it."""
        return {**super().words(), **self.upkeep.words()}

    async def _ready(self, gallery: str) -> None:
        """Answer only from rows that were attested since they were loaded."""
        await self.upkeep.ready(gallery)

    def _erase_person(self, gallery: str, handle: bytes) -> None:
        """Have no personal keys to destroy."""

    def _decline(self, request: str, error: Exception) -> None:
        """Do nothing: B gives up a question to which A does not come."""

    async def _answer(self, request: str, asked: Asked, ask: Callable[[Asked], Question]) -> Answer:
        """Keep the rows still from the look at them to the last round."""
        async with self._turns.shared(asked.gallery):
            return await super()._answer(request, asked, ask)

    async def _run(self, request: str, gallery: str, question: Question) -> NDArray[np.uint64]:
        """Run the exchange; where B has other rows, find out why before the next question."""
        try:
            return await self._asking.run(request, question)
        except (ExchangeAborted, OutOfStep):
            self.upkeep.doubt(gallery)
            raise
