"""Adding to the ledger and checking it. There is no way here to change or remove an entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moiety.foundation.envelopes import pack, seal, unseal
from moiety.foundation.errors import BadInput, Fault
from moiety.ledger.leaves import Kind, canonical_detail, check_purpose, check_slug, leaf_bytes, leaf_hash
from moiety.storage import LedgerEntry
from moiety.storage.ledger_days import line_of
from moiety.tlog.merkle import TILE_WIDTH, fold
from moiety.tlog.tiles import ENTRY_BYTES_MAX

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, SubjectId
    from moiety.storage import Store, Transaction
    from moiety.storage.ledger_days import Day, LedgerDayTable
    from moiety.storage.ledger_entries import LedgerTable, Wanted

NO_HASH = bytes(32)
REASON_CHARS_MAX = 500
AUDIT = "audit of the ledger"
_MICROSECONDS = 1_000_000


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


class _Above:
    """The roots of full subtrees over entries that are walked through, held against those that are stored."""

    def __init__(self, table: LedgerTable) -> None:
        """Begin before the first entry."""
        self._table = table
        self._rows: list[list[bytes]] = [[]]
        self._made: list[int] = [0]

    def add(self, digest: bytes) -> None:
        """Take the next entry's hash.

        Raises:
            LedgerBroken: a subtree ends here and another root is stored for it.

        """
        level, one = 0, digest
        while True:
            self._rows[level].append(one)
            if len(self._rows[level]) < TILE_WIDTH:
                return
            one, self._rows[level] = fold(self._rows[level]), []
            level += 1
            if level == len(self._rows):
                self._rows.append([])
                self._made.append(0)
            number, self._made[level] = self._made[level], self._made[level] + 1
            if self._table.hashes(level, number, 1) != [one]:
                raise LedgerBroken(number * TILE_WIDTH**level + 1)

    def end(self, size: int) -> None:
        """Check that no more is stored than belongs to the entries.

        Raises:
            LedgerBroken: there is more.

        """
        if self._table.hash_count() != sum(self._made):
            raise LedgerBroken(size + 1)


class _Counted:
    """The counts by day of entries that are walked through, held against those that are stored."""

    def __init__(self) -> None:
        """Begin before the first entry."""
        self._found: dict[tuple[object, ...], Day] = {}

    def add(self, entry: LedgerEntry) -> None:
        """Count the next entry."""
        one = line_of(entry)
        before = self._found.get(one.key)
        self._found[one.key] = before + one if before else one

    def end(self, table: LedgerDayTable) -> None:
        """Check that the stored counts are these.

        Raises:
            LedgerBroken: they are not; the number is that of the first entry of a day's count that is another.

        """
        stored = {one.key: one for one in table.every()}
        wrong = set(self._found.items()) ^ set(stored.items())
        if wrong:
            raise LedgerBroken(min(one.first_seq for _, one in wrong))


class Ledger:
    """The append-only log of one gate. An entry is a leaf of the tree, and names the hash of the one before."""

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
            LedgerBroken: entries are missing from the ledger; nothing can be added to it.

        """
        if kind is Kind.DISCLOSURE:
            # Directive (EU) 2016/680, article 25 (1): who was told. Where nobody else is named, whoever asked.
            detail.setdefault("recipient", actor)
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
        return self._write(tx.ledger, entry)

    def _write(self, table: LedgerTable, entry: LedgerEntry) -> LedgerEntry:
        """Hash the entry and write it, with what becomes full above it; gives it with its hash."""
        if len(leaf_bytes(entry)) > ENTRY_BYTES_MAX:
            raise BadInput("An entry of the ledger has more than 65,535 bytes.")
        entry = replace(entry, hash=leaf_hash(entry))
        table.add(entry)
        self._hash_above(table, entry.seq)
        return entry

    @staticmethod
    def _hash_above(table: LedgerTable, size: int) -> None:
        """Store the roots of the subtrees that the newest entry makes full: one for every 256th entry."""
        level = 0
        while size % TILE_WIDTH == 0:
            size //= TILE_WIDTH
            below = table.hashes(level, (size - 1) * TILE_WIDTH, TILE_WIDTH)
            if len(below) != TILE_WIDTH:
                raise LedgerBroken((size - 1) * TILE_WIDTH ** (level + 1) + 1)
            level += 1
            table.add_hash(level, size - 1, fold(below))

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

    def audited_reason(self, seq: int, actor: str) -> str | None:
        """Open the reason of one entry for an auditor, and write down that this was done before it is shown.

        Raises:
            NotFound, Unverified: as for `reasons`; then nothing is written.

        """
        reason = self.reasons(seq)
        with self._store.begin() as tx:
            self.append(tx, Kind.CONSULTATION, "reason", actor=actor, purpose=AUDIT, entry=seq)
        return reason

    def entries(self, *, after: int = 0, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return up to `limit` entries whose number is above `after`, oldest first; reasons stay sealed."""
        with self._store.read() as tx:
            return tx.ledger.page(after=after, limit=limit)

    def search(self, wanted: Wanted, *, before: int | None = None, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return up to `limit` entries like `wanted` whose number is below `before`, newest first."""
        with self._store.read() as tx:
            return tx.ledger.search(wanted, before=before, limit=limit)

    def entry(self, seq: int) -> LedgerEntry:
        """Return one entry; its reason stays sealed.

        Raises:
            NotFound: there is no such entry.

        """
        with self._store.read() as tx:
            return tx.ledger.get(seq)

    def head(self) -> Head:
        """Return how far the ledger goes, unchecked."""
        with self._store.read() as tx:
            last = tx.ledger.last()
        return Head(0, NO_HASH) if last is None else Head(last.seq, last.hash)

    def verify(self) -> Head:
        """Walk through all entries, the hashes above them and the counts by day, and return the head.

        This finds an edit, a swap and a removal in the middle. It cannot find that entries were cut off at the end
        or that everything from some entry on was written anew, since that takes no key: for that the tree must be
        held against a checkpoint that the witness has signed (`moiety.ledger.audit`).

        Raises:
            LedgerBroken: with the first number at which it shows.

        """
        head = Head(0, NO_HASH)
        with self._store.read() as tx:
            above, counted = _Above(tx.ledger), _Counted()
            for entry in tx.ledger.every():
                if not _intact(entry, head):
                    raise LedgerBroken(head.size + 1)
                head = Head(entry.seq, entry.hash)
                above.add(entry.hash)
                counted.add(entry)
            above.end(head.size)
            counted.end(tx.ledger.days)
        return head
