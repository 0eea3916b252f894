"""Asks the witness, again and again, to sign how far the ledger is; and keeps what it signed."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from moiety.foundation.errors import Fault, PartDown, Refusal, Unverified
from moiety.ledger.tree import LedgerTree
from moiety.storage import Cosigned
from moiety.tlog.asking import AddCheckpoint, EntryProof
from moiety.tlog.checkpoints import Checkpoint, cosigned_at
from moiety.tlog.names import log_key
from moiety.tlog.notes import Note, sign, signature_lines
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.storage import LedgerEntry, Store
    from moiety.tlog.notes import VerifierKey
    from moiety.wire.links import Client

_log = logging.getLogger(__name__)

SIGNED = 200
FIRST_SECONDS = 2.0
# A witness that is away is asked again sooner than the setting says.
AGAIN_SECONDS = 30.0


class Witnessing(StrEnum):
    """How the ledger stands with the witness."""

    NEVER = "never"  # it was not asked since the start, or there is none
    COSIGNED = "cosigned"
    AWAY = "away"
    # It has signed something that this ledger does not extend: entries were cut off or written anew.
    REFUSED = "refused"
    # Hashes are missing from the database: there is nothing that could be signed.
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the ledger stands: `cosigned_at` in seconds since 1970 UTC and `size` are those of the last cosignature."""

    state: Witnessing
    size: int
    cosigned_at: int | None


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry, the proof that it is in a checkpoint of `size` entries, and when the witness signed that, if it did."""

    entry: LedgerEntry
    proof: EntryProof
    size: int
    cosigned_at: int | None


def told_of(standing: Standing) -> dict[str, int | str | None]:
    """Write a standing for `status`."""
    return {"state": standing.state.value, "size": standing.size, "cosigned_at": standing.cosigned_at}


class Checkpointing:
    """Makes checkpoints of one gate's ledger and has them cosigned."""

    def __init__(
        self, store: Store, tenant: str, key: Ed25519PrivateKey, line: Client | None, known: VerifierKey | None
    ) -> None:
        """Sign with `key`; ask over `line` the witness that is `known`; without either nothing is cosigned."""
        self._store = store
        self._key = key
        self._line = line
        self.witness = known
        self.log = log_key(tenant, key.public_key().public_bytes_raw())
        self.tree = LedgerTree(store)
        self._turn = asyncio.Lock()
        self._state = Witnessing.NEVER

    def _kept(self) -> Cosigned | None:
        with self._store.read() as tx:
            return tx.ledger.cosigned()

    def note(self) -> Note:
        """Give the newest cosigned checkpoint, or, where there is none, one of now under the log's signature alone.

        Raises:
            Fault: hashes are missing from the database.

        """
        kept = self._kept()
        return Note.parse(kept.note) if kept else self._signed(*self.tree.root())

    def prove(self, seq: int) -> Proven:
        """Prove that entry `seq` (from 1) is in the ledger, as `prove_all`; raises as that."""
        return self.prove_all([seq])[0]

    def prove_all(self, seqs: Sequence[int]) -> list[Proven]:
        """Prove that entries (from 1, ascending) are in the ledger: by the last cosigned checkpoint if it has them.

        Raises:
            NotFound: there is no such entry.
            Fault: hashes are missing from the database.

        """
        kept = self._kept()
        there = bisect_right(seqs, kept.size) if kept else 0
        proven = self._proven(seqs[:there], Note.parse(kept.note), kept.size, kept.at) if kept else []
        if there < len(seqs):
            size, root = self.tree.root()
            proven += self._proven(seqs[there:], self._signed(size, root), size, None)
        return proven

    def _proven(self, seqs: Sequence[int], note: Note, size: int, at: int | None) -> list[Proven]:
        """Prove entries against one checkpoint."""
        found = self.tree.inclusions(seqs, size)
        return [Proven(entry, EntryProof(entry.seq - 1, tuple(hashes), note), size, at) for entry, hashes in found]

    def standing(self) -> Standing:
        """Say how the ledger stands with the witness."""
        kept = self._kept()
        return Standing(self._state, kept.size if kept else 0, kept.at if kept else None)

    def _signed(self, size: int, root: bytes) -> Note:
        text = Checkpoint(self.log.name, size, root).text()
        return Note(text, (sign(text, self.log.name, self._key),))

    async def cosign(self) -> Standing:
        """Have the witness sign the ledger as it is now.

        Raises:
            PartDown: the witness is away, or not known here.
            Unverified: it refuses: what it has signed before is not the beginning of this ledger.
            Fault: hashes are missing from the database.

        """
        if self._line is None or self.witness is None:
            raise PartDown("No witness is known here.")
        async with self._turn:
            try:
                await self._ask(self._line, self.witness)
            except Unverified:
                self._state = Witnessing.REFUSED
                raise
            except Refusal:
                self._state = Witnessing.AWAY
                raise
            except Fault:
                self._state = Witnessing.BROKEN
                raise
            self._state = Witnessing.COSIGNED
        return await asyncio.to_thread(self.standing)

    async def _ask(self, line: Client, witness: VerifierKey) -> None:
        """Prove from the last size that we know of; if the witness names another, prove once more from that."""
        kept = await asyncio.to_thread(self._kept)
        old = kept.size if kept else 0
        for _ in range(2):
            size, asked = await asyncio.to_thread(self._asked, old)
            answer = await line.call(Kind.COSIGN, {}, [asked.encode()])
            if answer.meta["status"] == SIGNED:
                await asyncio.to_thread(self._keep, size, asked.note, bytes(answer.buffers[0]), witness)
                return
            known = int(answer.meta["size"])
            if known == asked.old or known > size:
                break
            old = known
        raise Unverified(
            "The witness has signed another ledger than this one: entries of it were cut off or written anew."
        )

    def _asked(self, old: int) -> tuple[int, AddCheckpoint]:
        """Make a checkpoint of now and a proof that it extends the one of size `old`.

        Where the ledger is smaller than that it asks as one that was never signed: only a witness whose people have
        admitted the loss agrees.
        """
        size, root = self.tree.root()
        since = old if old <= size else 0
        return size, AddCheckpoint(since, tuple(self.tree.consistency(since, size)), self._signed(size, root))

    def _keep(self, size: int, note: Note, lines: bytes, witness: VerifierKey) -> None:
        """Keep what the witness signed.

        Raises:
            Unverified: it is not its signature.

        """
        given = signature_lines(lines)
        at = cosigned_at(note.text, given, witness)
        if at is None:
            raise Unverified("What the witness answered is not its signature.")
        own = tuple(one for one in given if one.of(witness))
        # A crash before this loses the signature, not the witness's memory of it: the next one starts from there.
        with self._store.begin() as tx:
            tx.ledger.keep_cosigned(Cosigned(size, Note(note.text, (*note.signatures, *own)).encode(), at))

    async def run(self, seconds: float) -> None:
        """Ask soon after the start and then at this pace; whoever runs this ends it."""
        pause = FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            before = self._state
            try:
                await self.cosign()
                pause = seconds
            except (Unverified, Fault) as wrong:
                # The gate goes on: what is done now must be written down all the more.
                _log.critical("gate: %(why)s", {"why": wrong})
                pause = seconds
            except Refusal as refusal:
                if before is not Witnessing.AWAY:
                    _log.warning("gate: the ledger waits to be signed by the witness: %(slug)s", {"slug": refusal.slug})
                pause = min(seconds, AGAIN_SECONDS)
