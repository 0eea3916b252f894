"""What one half keeps of a template: A a masked row and its salt, B a seed and the commitment. Durable, by row id."""

from __future__ import annotations

import hmac
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from moiety.foundation.envelopes import unseal
from moiety.foundation.errors import AlreadyThere, NotFound, Unverified
from moiety.kernel import expand, nonce_of
from moiety.warrants.statement import commit_row, row_label

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.vault.journal import Journal
    from moiety.vault.policy import GalleryPolicy
    from moiety.vault.store_key import StoreKey
    from moiety.warrants.statement import Statement

SALT_BYTES = 32
SEED_BYTES = 32
IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True, repr=False)
class HalfRow:
    """One half of one template on its way to disk: at A `lane` is the row's bytes and `salt` is set, at B the seed."""

    row_id: bytes
    epoch: int
    commitment: bytes
    lane: bytes
    salt: bytes = b""


class Halves(Protocol):
    """What the vault needs of either half's store; both versions pass the same conformance test."""

    def open_half(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> HalfRow:
        """Read what the eye sealed and hold it against the statement's commitment."""
        ...

    def prepare(self, policy: GalleryPolicy, rows: Sequence[HalfRow]) -> None:
        """Make the rows durable in state 'prepared': all or none."""
        ...

    def lanes(self, policy: GalleryPolicy, row_ids: Sequence[bytes]) -> NDArray[np.uint16]:
        """Give the u16[n, d] that is multiplied with probes: rows at A, pads at B."""
        ...

    def destroy(self, policy: GalleryPolicy, row_ids: Sequence[bytes], now: float) -> None:
        """Remove the rows for good and leave a tombstone for each."""
        ...


def _insert(db: sqlite3.Connection, gallery: str, row: HalfRow, slot: int | None, seed: bytes | None) -> None:
    """Put one prepared row into the journal, unless its id is or was in use."""
    known = "SELECT 1 FROM row WHERE row_id = ? UNION ALL SELECT 1 FROM tombstone WHERE row_id = ?"
    if db.execute(known, (row.row_id, row.row_id)).fetchone():
        raise AlreadyThere("This row id is or was in use.")
    db.execute(
        "INSERT INTO row (row_id, gallery, state, epoch, slot, salt, seed, commitment) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (row.row_id, gallery, "prepared", row.epoch, slot, row.salt or None, seed, row.commitment),
    )


def _bury(db: sqlite3.Connection, gallery: str, row_ids: Sequence[bytes], now: float) -> None:
    """Delete rows of a gallery and put up tombstones; unknown ids get one too, another gallery's rows do not."""
    db.executemany("DELETE FROM row WHERE row_id = ? AND gallery = ?", [(row_id, gallery) for row_id in row_ids])
    db.executemany(
        "INSERT INTO tombstone SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM row WHERE row_id = ?)"
        " ON CONFLICT DO NOTHING",
        [(row_id, gallery, now, row_id) for row_id in row_ids],
    )


class RowStore:
    """Half A: one flat file of rows per gallery, whose slots the journal gives out."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        """Keep the files in `folder`."""
        self._journal = journal
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _path(self, gallery: str) -> Path:
        return self._folder / f"{gallery}.rows"

    def open_half(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> HalfRow:
        """Read salt ‖ row and recompute c.

        Raises:
            Unverified: the commitment differs or the length is wrong.

        """
        salt, row = opened[:SALT_BYTES], opened[SALT_BYTES:]
        at = (policy.tenant, policy.gallery, statement.row, statement.epoch)
        if len(row) != 2 * policy.dim or not hmac.compare_digest(commit_row(*at, salt, row), statement.commitment):
            raise Unverified("A sealed row is not the one that the eye committed to.")
        return HalfRow(statement.row, statement.epoch, statement.commitment, row, salt)

    def prepare(self, policy: GalleryPolicy, rows: Sequence[HalfRow]) -> None:
        """Write the rows into free slots, sync, then enter them in the journal."""
        size = 2 * policy.dim
        with self._journal.transaction() as db:
            slots = _free_slots(db, policy.gallery, len(rows))
            # A crash from here to the commit leaves bytes in slots that no journal row owns: they are free again.
            descriptor = os.open(self._path(policy.gallery), os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                for slot, row in zip(slots, rows, strict=True):
                    file.seek(slot * size)
                    file.write(row.lane)
                file.flush()
                os.fsync(file.fileno())
            for slot, row in zip(slots, rows, strict=True):
                _insert(db, policy.gallery, row, slot, None)

    def lanes(self, policy: GalleryPolicy, row_ids: Sequence[bytes]) -> NDArray[np.uint16]:
        """Read rows into memory of our own: a live mapping of the file could be written by an intruder."""
        found = _by_id(self._journal, "slot", policy.gallery, row_ids)
        slots = np.array([found[row_id][0] for row_id in row_ids], np.int64)
        lanes = np.empty((len(slots), policy.dim), np.uint16)
        if len(slots):
            with self._path(policy.gallery).open("rb") as file:
                _read_slots(file.fileno(), slots, lanes)
        return lanes

    def destroy(self, policy: GalleryPolicy, row_ids: Sequence[bytes], now: float) -> None:
        """Remove from the journal first, then overwrite the slots with zeros."""
        with self._journal.transaction() as db:
            wanted = set(row_ids)
            owned = db.execute("SELECT row_id, slot FROM row WHERE gallery = ?", (policy.gallery,))
            slots = [slot for row_id, slot in owned if row_id in wanted]
            # A crash after this leaves half A's bytes in a slot that nobody owns; without the seed they stay noise,
            # and the next row or the next start's `sweep` overwrites them.
            _bury(db, policy.gallery, row_ids, now)
        self._blank(policy, slots)

    def sweep(self, policy: GalleryPolicy) -> None:
        """Overwrite every slot that the journal does not own."""
        path = self._path(policy.gallery)
        if path.exists():
            owned = {s for (s,) in self._journal.read("SELECT slot FROM row WHERE gallery = ?", (policy.gallery,))}
            self._blank(policy, [s for s in range(path.stat().st_size // (2 * policy.dim)) if s not in owned])

    def _blank(self, policy: GalleryPolicy, slots: Sequence[int]) -> None:
        """Write zeros over `slots`."""
        if not slots:
            return
        with self._path(policy.gallery).open("r+b") as file:
            for slot in slots:
                file.seek(slot * 2 * policy.dim)
                file.write(bytes(2 * policy.dim))
            file.flush()
            os.fsync(file.fileno())


def _free_slots(db: sqlite3.Connection, gallery: str, count: int) -> list[int]:
    """Give the `count` lowest slots that no journal row owns."""
    owned, highest = db.execute("SELECT count(*), max(slot) FROM row WHERE gallery = ?", (gallery,)).fetchone()
    if owned == (-1 if highest is None else highest) + 1:
        return list(range(owned, owned + count))
    taken = {slot for (slot,) in db.execute("SELECT slot FROM row WHERE gallery = ?", (gallery,))}
    free = (slot for slot in range(len(taken) + count) if slot not in taken)
    return list(itertools.islice(free, count))


def _by_id(journal: Journal, columns: str, gallery: str, row_ids: Sequence[bytes]) -> dict[bytes, tuple[Any, ...]]:
    """Read `columns` of the rows by id: a few by their ids, many by reading the gallery whole."""
    query = f"SELECT row_id, {columns} FROM row WHERE gallery = ?"  # noqa: S608 - fixed column names
    parameters: list[Any] = [gallery]
    if len(row_ids) <= IDS_PER_QUERY:
        query += f" AND row_id IN ({','.join('?' * len(row_ids))})"
        parameters += row_ids
    found = {row_id: tuple(rest) for row_id, *rest in journal.read(query, parameters)}
    if any(row_id not in found for row_id in row_ids):
        raise NotFound("A row is missing in a vault.")
    return found


def _read_slots(descriptor: int, slots: NDArray[np.int64], lanes: NDArray[np.uint16]) -> None:
    """Fill `lanes` from the file, runs of neighbouring slots in one read each."""
    size = lanes.shape[1] * 2
    breaks = np.flatnonzero(np.diff(slots) != 1) + 1
    start = 0
    for end in [*breaks.tolist(), len(slots)]:
        view = lanes[start:end].data.cast("B")
        done = 0
        while done < len(view):
            got = os.preadv(descriptor, [view[done:]], int(slots[start]) * size + done)
            if got == 0:
                raise NotFound("Vault A's file of rows is shorter than its journal says.")
            done += got
        start = end


class SeedStore:
    """Half B: seeds sealed under the store key, expanded to pads in memory."""

    def __init__(self, journal: Journal, store_key: StoreKey) -> None:
        """Seal with `store_key`."""
        self._journal = journal
        self._store_key = store_key

    def open_half(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> HalfRow:
        """Read seed ‖ c and hold c against the statement.

        Raises:
            Unverified: the commitment differs or the length is wrong.

        """
        seed, commitment = opened[:SEED_BYTES], opened[SEED_BYTES:]
        if len(seed) != SEED_BYTES or not hmac.compare_digest(commitment, statement.commitment):
            raise Unverified(f"A sealed seed for {policy.gallery} is not the one that the eye committed to.")
        return HalfRow(statement.row, statement.epoch, commitment, seed)

    def prepare(self, policy: GalleryPolicy, rows: Sequence[HalfRow]) -> None:
        """Seal the seeds into the journal."""
        with self._journal.transaction() as db:
            # A crash before the commit leaves nothing; after it, prepared rows that the gate commits or aborts.
            for row in rows:
                _insert(db, policy.gallery, row, None, self._store_key.seal(row.lane, row.row_id))

    def lanes(self, policy: GalleryPolicy, row_ids: Sequence[bytes]) -> NDArray[np.uint16]:
        """Expand the pads r = PRG(seed, 'moiety/row/1' ‖ tenant ‖ gallery ‖ row id ‖ epoch)."""
        with self._journal.alone():
            found = _by_id(self._journal, "seed, epoch", policy.gallery, row_ids)
            key = self._store_key.current()
        seeds, nonces = bytearray(), bytearray()
        for row_id in row_ids:
            sealed, epoch = found[row_id]
            seeds += unseal(key, sealed, row_id)
            nonces += nonce_of(row_label(policy.tenant, policy.gallery, row_id, epoch))
        return expand(
            np.frombuffer(seeds, np.uint8).reshape(-1, SEED_BYTES),
            np.frombuffer(nonces, np.uint8).reshape(-1, 12),
            policy.dim,
        )

    def destroy(self, policy: GalleryPolicy, row_ids: Sequence[bytes], now: float) -> None:
        """Delete the seeds; copies in pages and logs end when the store key is rotated, within a day."""
        with self._journal.transaction() as db:
            # A crash before the commit leaves the rows live; the gate's journal asks again at its next start.
            _bury(db, policy.gallery, row_ids, now)
        self._journal.scour()
