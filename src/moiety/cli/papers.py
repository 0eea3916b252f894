"""Papers that a gate signed, checked without any installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moiety.cli import files
from moiety.cli.cardfile import CardFile
from moiety.foundation.errors import Unverified
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.people.receipts import Receipt


def checked(file: Path, kind: type[Receipt], card: Path | None) -> tuple[dict[str, Any], str]:
    """Give what a paper says, and in words who signed it; with a `card` also check that this gate did.

    Raises:
        BadInput: the file cannot be read.
        Unverified: the signature does not hold, or is another gate's.

    """
    paper = kind.read(files.read(file))
    told = paper.verify()
    if card is not None:
        known = CardFile.read(card)
        if known.card.role != Role.GATE or known.card.signing != paper.key.hex() or known.tenant != told["tenant"]:
            raise Unverified("Another gate signed this than the one of the card.")
    signer = "the gate of the card" if card else f"the key {paper.key.hex()}"
    return told | {"key": paper.key.hex(), "card": card is not None}, f"signed by {signer}"
