"""The gate's lines to the other parts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import Refusal
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.wire.frames import Buffer
    from moiety.wire.links import Answer, Client


@dataclass(frozen=True, slots=True)
class Links:
    """One client each; the witness is asked for nothing but whether it answers, and may be unknown here."""

    eye: Client
    a: Client
    b: Client
    mint: Client
    witness: Client | None = None

    async def both(
        self, kind: Kind, meta: dict[str, Any], to_a: Sequence[Buffer], to_b: Sequence[Buffer]
    ) -> tuple[Answer, Answer]:
        """Ask both vaults at once.

        Raises:
            Refusal: the first refusal of either; the other answer is not waited for.

        """
        try:
            async with asyncio.TaskGroup() as group:
                from_a = group.create_task(self.a.call(kind, meta, to_a))
                from_b = group.create_task(self.b.call(kind, meta, to_b))
        except ExceptionGroup as failed:
            raise _first_refusal(failed) from None
        return from_a.result(), from_b.result()

    def _lines(self) -> dict[str, Client]:
        """Give all lines by the names of the parts."""
        lines = {"eye": self.eye, "vault-a": self.a, "vault-b": self.b, "mint": self.mint}
        return lines | ({"witness": self.witness} if self.witness else {})

    async def counts(self) -> dict[str, dict[str, Any] | None]:
        """Ask each part how much it has done since it started; None for one that does not answer."""

        async def ask(line: Client) -> dict[str, Any] | None:
            try:
                return (await line.call(Kind.COUNTS, {}, (), 3.0)).meta
            except Refusal:
                return None

        lines = self._lines()
        return dict(zip(lines, await asyncio.gather(*map(ask, lines.values())), strict=True))

    async def state(self) -> dict[str, bool]:
        """Say which parts answer."""
        lines = self._lines()

        async def up(line: Client) -> bool:
            try:
                await line.call(Kind.PING, {}, (), 3.0)
            except Refusal:
                return False
            return True

        return dict(zip(lines, await asyncio.gather(*map(up, lines.values())), strict=True))


def _first_refusal(failed: ExceptionGroup) -> Exception:
    """Prefer a refusal that explains over one that follows from it."""
    refusals = [error for error in failed.exceptions if isinstance(error, Refusal)]
    return refusals[0] if refusals else failed.exceptions[0]
