"""A half's galleries: policies, rows on disk and in memory, and the two phases in which rows come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import AlreadyThere, NotFound, OutOfStep, UnknownGallery
from moiety.vault.policy import EPOCH_FIRST, GalleryPolicy
from moiety.vault.shelf import Shelf

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from moiety.foundation.clock import Clock
    from moiety.vault.halves import HalfRow, Halves
    from moiety.vault.journal import Journal


class Cabinet:
    """Everything a vault holds of galleries. Not thread-safe: the service takes a lock per gallery."""

    def __init__(self, journal: Journal, halves: Halves, clock: Clock) -> None:
        """Load every open gallery into memory."""
        self._journal = journal
        self._halves = halves
        self._clock = clock
        self._policies: dict[str, tuple[GalleryPolicy, int]] = {}
        self._shelves: dict[str, Shelf] = {}
        for raw, epoch in journal.read("SELECT raw, epoch FROM policy"):
            policy = GalleryPolicy.decode(raw)
            self._policies[policy.gallery] = (policy, epoch)
            self._shelves[policy.gallery] = self._load(policy)

    def _load(self, policy: GalleryPolicy) -> Shelf:
        """Read the live rows of a gallery in their order."""
        query = "SELECT row_id FROM row WHERE gallery = ? AND state = 'live' ORDER BY seq"
        row_ids = [row_id for (row_id,) in self._journal.read(query, (policy.gallery,))]
        return Shelf(row_ids, self._halves.lanes(policy, row_ids))

    @property
    def policies(self) -> list[GalleryPolicy]:
        """All policies in force."""
        return [policy for policy, _ in self._policies.values()]

    # ---- policies ----

    def policy(self, gallery: str) -> GalleryPolicy:
        """Give the policy in force.

        Raises:
            UnknownGallery: this vault has none for it.

        """
        if gallery not in self._policies:
            raise UnknownGallery
        return self._policies[gallery][0]

    def epoch(self, gallery: str) -> int:
        """Give the epoch of the gallery's halves."""
        self.policy(gallery)
        return self._policies[gallery][1]

    def set_policy(self, policy: GalleryPolicy) -> None:
        """Put a gallery's first policy into force; the same policy again changes nothing.

        Raises:
            AlreadyThere: another policy is in force; it changes only on the vault's own machine.

        """
        known = self._policies.get(policy.gallery)
        if known:
            if known[0] != policy:
                raise AlreadyThere("Another policy is in force for this gallery.")
            return
        with self._journal.transaction() as db:
            # A crash before the commit leaves no policy; the gate's journal asks again or drops the gallery.
            db.execute("INSERT INTO policy VALUES (?, ?, ?)", (policy.gallery, policy.encode(), EPOCH_FIRST))
        self._policies[policy.gallery] = (policy, EPOCH_FIRST)
        self._shelves[policy.gallery] = Shelf([], np.empty((0, policy.dim), np.uint16))

    def put_policy(self, policy: GalleryPolicy) -> None:
        """Put a gallery's first policy or a later version into force, as the vault's book has it."""
        if policy.gallery not in self._policies:
            self.set_policy(policy)
            return
        epoch = self.epoch(policy.gallery)
        with self._journal.transaction() as db:
            # A crash before the commit leaves the version before; the next start brings it into line with the book.
            db.execute("UPDATE policy SET raw = ? WHERE gallery = ?", (policy.encode(), policy.gallery))
        self._policies[policy.gallery] = (policy, epoch)

    def drop_policy(self, gallery: str) -> None:
        """Undo `set_policy` for a gallery that never had a row.

        Raises:
            AlreadyThere: it has rows.

        """
        if self._journal.read("SELECT 1 FROM row WHERE gallery = ? LIMIT 1", (gallery,)):
            raise AlreadyThere("The gallery has rows; it cannot be dropped.")
        with self._journal.transaction() as db:
            # A crash before the commit leaves the empty gallery, which is dropped again.
            db.execute("DELETE FROM policy WHERE gallery = ?", (gallery,))
        self._policies.pop(gallery, None)
        self._shelves.pop(gallery, None)

    # ---- rows ----

    def shelf(self, gallery: str, epoch: int | None = None) -> Shelf:
        """Give the rows in memory, of the epoch in force or of a named one.

        Raises:
            OutOfStep: this vault does not hold that epoch.

        """
        if epoch not in (None, self.epoch(gallery)):
            raise OutOfStep
        return self._shelves[gallery]

    def prepare(self, gallery: str, rows: Sequence[HalfRow]) -> None:
        """Make rows durable; no search sees them yet."""
        self._halves.prepare(self.policy(gallery), rows)

    def commit(self, gallery: str, places: Sequence[tuple[bytes, int]], people: Sequence[bytes]) -> None:
        """Make prepared rows live at their places (row id, seq); rows that are live at that place already stay.

        The order is that of the places, whichever was committed first: a row that comes late takes its place.

        Raises:
            NotFound: a row was never prepared here.
            OutOfStep: a row is live at another place, or its place is another row's.

        """
        policy = self.policy(gallery)
        with self._journal.transaction() as db:
            # A crash before the commit leaves prepared rows, which the gate commits again; after it, live rows.
            (last,) = db.execute("SELECT max(seq) FROM row WHERE gallery = ?", (gallery,)).fetchone()
            in_order = sorted(places, key=lambda place: place[1])
            made = [(row_id, seq) for row_id, seq in in_order if _enliven(db, gallery, row_id, seq)]
            fresh = [row_id for row_id, _ in made]
            late = bool(made) and made[0][1] < (last or 0)
            known = [(handle, gallery) for handle in people]
            db.executemany("UPDATE person SET state = 'live' WHERE handle = ? AND gallery = ?", known)
            # Read before the commit: a half that cannot be read must not be live on disk and missing in memory.
            lanes = self._halves.lanes(policy, fresh)
            shelf = self._load(policy) if late else self._shelves[gallery]
        if late:
            self._shelves[gallery] = shelf
        elif fresh:
            shelf.append(fresh, lanes)

    def abort(self, gallery: str, row_ids: Sequence[bytes] | None) -> None:
        """Remove those of the rows that are only prepared (all such rows for None); live rows are left alone."""
        query = "SELECT row_id FROM row WHERE gallery = ? AND state = 'prepared'"
        prepared = {row_id for (row_id,) in self._journal.read(query, (gallery,))}
        gone = list(prepared) if row_ids is None else [row_id for row_id in row_ids if row_id in prepared]
        if gone:
            self._halves.destroy(self.policy(gallery), gone, self._clock.now())

    def erase(self, gallery: str, row_ids: Sequence[bytes]) -> None:
        """Take rows out of search and destroy their halves; a row that is not there gets its tombstone all the same."""
        self._shelves[gallery].remove(row_ids)
        self._halves.destroy(self.policy(gallery), row_ids, self._clock.now())


def _enliven(db: sqlite3.Connection, gallery: str, row_id: bytes, seq: int) -> bool:
    """Make one prepared row live at its place; false when it is so already."""
    found = db.execute("SELECT state, seq FROM row WHERE row_id = ? AND gallery = ?", (row_id, gallery)).fetchone()
    if found is None:
        raise NotFound("A row that was to be committed was never prepared.")
    if found == ("live", seq):
        return False
    taken = db.execute("SELECT 1 FROM row WHERE gallery = ? AND seq = ?", (gallery, seq)).fetchone()
    if found[0] == "live" or taken:
        raise OutOfStep
    db.execute("UPDATE row SET state = 'live', seq = ? WHERE row_id = ?", (seq, row_id))
    return True
