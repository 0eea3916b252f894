"""Two different actors for one exact content: the port through which acts that need both of them ask."""

from __future__ import annotations

from typing import Protocol

from moiety.foundation.errors import Forbidden


class Approved(Protocol):
    """Says that two different actors stand behind the same bytes."""

    def check(self, content: bytes, first: str, second: str) -> None:
        """Do nothing if `first` proposed exactly `content` and `second`, somebody else, approves it.

        Raises:
            Forbidden: they are one, or one of them did not say this.

        """
        ...


class TwoActors:
    """Tells actors apart by the id under which the gate recognised them: two keys, or the owner and a key.

    The content is what the gate has on record, so neither can have said anything else than it.
    """

    def check(self, content: bytes, first: str, second: str) -> None:
        """Refuse one who approves their own proposal."""
        del content
        if first == second:
            raise Forbidden("This needs two: somebody else than who proposed it must approve it.")
