"""Weaknesses of the witness: what it signs unseen."""

from __future__ import annotations

from typing import Any

from moiety.drill.weaknesses import put
from moiety.witness import cosigner, heads


def _proof_unchecked() -> None:
    """Sign whatever checkpoint the gate's key has signed, and forget the one before."""
    put(cosigner, "_refusal", lambda *_: None)
    keep = heads.Heads.keep

    def forgetful(self: heads.Heads, origin: str, head: heads.Head) -> None:
        self.admit_loss(origin, head.at)
        keep(self, origin, head)

    put(heads.Heads, "keep", forgetful)


WEAKNESSES: dict[str, Any] = {"proof_unchecked": _proof_unchecked}
