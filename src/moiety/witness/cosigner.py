"""Signs a checkpoint of the ledger only where a proof shows that it extends the last one (c2sp.org/tlog-witness).

The witness sees sizes and hashes, never an entry.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput
from moiety.tlog.asking import AddCheckpoint
from moiety.tlog.checkpoints import cosign, opened
from moiety.tlog.merkle import extends
from moiety.witness.heads import Head

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.foundation.clock import Clock
    from moiety.tlog.checkpoints import Checkpoint
    from moiety.tlog.notes import VerifierKey
    from moiety.witness.heads import Heads

SIGNED, CONFLICT, NO_EXTENSION = 200, 409, 422
ASKED_BYTES_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class Told:
    """What the witness answers: its status as over HTTP, the size of its last checkpoint, its signature lines."""

    status: int
    size: int
    lines: bytes = b""


class Cosigner:
    """The witness of one ledger."""

    def __init__(self, heads: Heads, log: VerifierKey, name: str, key: Ed25519PrivateKey, clock: Clock) -> None:
        """Watch the log with the key `log`; sign as `name` with `key`."""
        self._heads = heads
        self._log = log
        self._name = name
        self._key = key
        self._clock = clock
        # Looking at the last checkpoint and keeping the next is one step: two questions never cross.
        self._lock = threading.Lock()

    def ask(self, raw: bytes) -> Told:
        """Answer the body of an `add-checkpoint`; what is signed is on disk before.

        Raises:
            Unverified: it is none, or the log did not sign it.
            BadInput: it is too large, or its old size is above the new one.
            DiskFull: there is no room; nothing was signed.

        """
        if len(raw) > ASKED_BYTES_MAX:
            raise BadInput("The witness takes no message of that size.")
        asked = AddCheckpoint.parse(raw)
        checkpoint = opened(asked.note, self._log)
        if asked.old > checkpoint.size:
            raise BadInput("The old size is above that of the checkpoint.")
        with self._lock:
            last = self._heads.last(checkpoint.origin)
            refused = _refusal(asked, checkpoint, last)
            if refused:
                return Told(refused, last.size)
            now = int(self._clock.now())
            signature = cosign(asked.note.text, self._name, self._key, now)
            self._heads.keep(checkpoint.origin, Head(checkpoint.size, checkpoint.root, asked.note.encode(), now))
        return Told(SIGNED, checkpoint.size, signature.encode().encode())

    def admit_loss(self) -> Head:
        """Let the ledger begin anew; gives the checkpoint that is given up, which stays on record.

        Raises:
            BadInput: there is none.

        """
        with self._lock:
            if not self._heads.last(self._log.name).size:
                raise BadInput("This witness has signed no checkpoint that could be given up.")
            return self._heads.admit_loss(self._log.name, int(self._clock.now()))

    def standing(self) -> dict[str, int]:
        """Say how far the ledger was when it was last signed, when that was, and how often a loss was admitted."""
        with self._lock:
            last, losses = self._heads.last(self._log.name), self._heads.losses(self._log.name)
        return {"size": last.size, "cosigned_at": last.at, "losses": len(losses)}


def _refusal(asked: AddCheckpoint, checkpoint: Checkpoint, last: Head) -> int | None:
    """Say why a checkpoint is not signed, or None."""
    if asked.old != last.size or (checkpoint.size == last.size and checkpoint.root != last.root):
        return CONFLICT
    if not extends(last.size, last.root, checkpoint.size, checkpoint.root, asked.proof):
        return NO_EXTENSION
    return None
