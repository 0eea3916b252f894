"""Adding to the ledger and checking it. There is no way here to change or remove an entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moiety.foundation.envelopes import pack, seal, unseal
from moiety.foundation.errors import BadInput, Fault
from moiety.ledger.leaves import Kind, canonical_detail, check_purpose, check_slug, leaf_hash
from moiety.storage import LedgerEntry

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, SubjectId
    from moiety.storage import Store, Transaction

NO_HASH = bytes(32)
REASON_CHARS_MAX = 500
_MICROSECONDS = 1_000_000
_PAGE = 1000


class LedgerBroken(Fault):
    """The ledger was altered; `seq` is the first number at which it shows."""

    def __init__(self, seq: int) -> None:
        """Keep the number."""
        super().__init__(f"The ledger was altered: entry {seq} is not what was written, or is missing.")
        self.seq = seq


@dataclass(frozen=True, slots=True)
class Head:
    """How far the ledger goes: the number of entries and the hash of the last (32 zero bytes if there is none)."""

    size: int
    hash: bytes


def _reason_bound(seq: int) -> bytes:
    return pack("moiety/ledger/reason/1", seq)


def _intact(entry: LedgerEntry, before: Head) -> bool:
    """Whether `entry` follows `before` and is what its hash says."""
    follows = entry.seq == before.size + 1 and entry.prev_hash == before.hash
    return follows and entry.at_us >= 0 and leaf_hash(entry) == entry.hash


class Ledger:
    """The append-only chain of one gate."""

    def __init__(self, store: Store, reason_key: bytes) -> None:
        """Use the gate's store; `reason_key` (32 bytes) seals the reasons that people give."""
        self._store = store
        self._reason_key = reason_key

    def append(
        self,
        tx: Transaction,
        kind: Kind,
        act: str,
        *,
        actor: str,
        purpose: str,
        gallery: GalleryId | None = None,
        subject: SubjectId | None = None,
        reason: str | None = None,
        **detail: int | str,
    ) -> LedgerEntry:
        """Add one entry inside the caller's transaction: the act and its entry are one durable write.

        `act` is a short code (`enrol`, `identify`, `reveal`), `actor` the id of a key or `owner`; `reason` is a
        person's free text and is sealed; `detail` takes whole numbers, booleans, short codes and ids.
        A crash before the commit leaves neither the act nor the entry, and nothing to tidy up.

        Raises:
            BadInput: something is not of its kind; no entry is added.

        """
        last = tx.ledger.last()
        seq = 1 if last is None else last.seq + 1
        entry = LedgerEntry(
            seq=seq,
            at_us=round(self._store.clock.now() * _MICROSECONDS),
            kind=Kind(kind).value,
            act=check_slug("the act", act),
            actor=check_slug("the actor", actor),
            purpose=check_purpose(purpose),
            gallery_id=gallery,
            subject_id=subject,
            reason_sealed=None if reason is None else self._seal(seq, reason),
            detail=canonical_detail(detail),
            prev_hash=NO_HASH if last is None else last.hash,
            hash=NO_HASH,
        )
        for what, value in (("the gallery", gallery), ("the subject", subject)):
            if value is not None:
                check_slug(what, value)
        entry = replace(entry, hash=leaf_hash(entry))
        tx.ledger.add(entry)
        return entry

    def _seal(self, seq: int, reason: str) -> bytes:
        if not reason.strip() or len(reason) > REASON_CHARS_MAX:
            raise BadInput(f"A reason has 1 to {REASON_CHARS_MAX} characters.")
        return seal(self._reason_key, reason.encode(), _reason_bound(seq))

    def reasons(self, seq: int) -> str | None:
        """Open the reason of one entry; None if none was given.

        Raises:
            NotFound: there is no such entry.
            Unverified: the sealed reason was altered, moved or belongs to another key.

        """
        with self._store.read() as tx:
            sealed = tx.ledger.get(seq).reason_sealed
        return None if sealed is None else unseal(self._reason_key, sealed, _reason_bound(seq)).decode()

    def entries(self, *, after: int = 0, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return up to `limit` entries whose number is above `after`, oldest first; reasons stay sealed."""
        with self._store.read() as tx:
            return tx.ledger.page(after=after, limit=limit)

    def head(self) -> Head:
        """Return how far the ledger goes, unchecked."""
        with self._store.read() as tx:
            last = tx.ledger.last()
        return Head(0, NO_HASH) if last is None else Head(last.seq, last.hash)

    def verify(self) -> Head:
        """Walk the whole chain and return its head.

        This finds an edit, a swap and a removal in the middle. It cannot find that entries were cut off at the end
        or that everything from some entry on was written anew, since the chain has no key: for that the head must
        be compared with one that was kept elsewhere, which is what the witness is for.

        Raises:
            LedgerBroken: with the first number at which it shows.

        """
        head = Head(0, NO_HASH)
        after: int | None = None
        with self._store.read() as tx:
            while page := tx.ledger.page(after=after, limit=_PAGE):
                for entry in page:
                    if not _intact(entry, head):
                        raise LedgerBroken(head.size + 1)
                    head = Head(entry.seq, entry.hash)
                after = head.size
        return head
