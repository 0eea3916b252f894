"""A half's galleries: policies, rows on disk and in memory, and the two phases in which rows come and go."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import AlreadyThere, OutOfStep, UnknownGallery
from moiety.vault import generations, register
from moiety.vault.memory import reserve
from moiety.vault.policy import EPOCH_FIRST, GalleryPolicy
from moiety.vault.register import Rows
from moiety.vault.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moiety.foundation.clock import Clock
    from moiety.vault.generations import Generation
    from moiety.vault.halves import HalfRow, Halves
    from moiety.vault.journal import Journal

_log = logging.getLogger(__name__)


class Cabinet:
    """Everything a vault holds of galleries. Not thread-safe: the service takes turns at each gallery."""

    def __init__(self, journal: Journal, halves: Halves, clock: Clock) -> None:
        """Load every open gallery into memory.

        Raises:
            Fault: a file of the half is missing.

        """
        self._journal = journal
        self._halves = halves
        self._clock = clock
        self._policies: dict[str, tuple[GalleryPolicy, int]] = {}
        # More than one epoch only while a refresh puts the next into force.
        self._shelves: dict[str, dict[int, Shelf]] = {}
        for raw, epoch in journal.read("SELECT raw, epoch FROM policy"):
            policy = GalleryPolicy.decode(raw)
            self._policies[policy.gallery] = (policy, epoch)
        halves.tidy({policy.gallery: policy.dim for policy in self.policies})
        for policy in self.policies:
            self._shelves[policy.gallery] = {self.epoch(policy.gallery): self._load(policy)}

    def _load(self, policy: GalleryPolicy) -> Shelf:
        """Read the live rows of a gallery in their order; damaged ones are excluded and named."""
        of = self.generation(policy.gallery)
        rows = register.live(self._journal, policy.gallery)
        lanes = reserve(len(rows), policy.dim)
        damaged = self._halves.load(policy, of, rows, lanes)
        shelf = Shelf(of.epoch, rows, lanes)
        if damaged.any():
            self._strike_out(policy.gallery, [shelf], register.as_bytes(rows.ids[damaged]))
        return shelf

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
        """Give the epoch of the gallery's halves in force."""
        self.policy(gallery)
        return self._policies[gallery][1]

    def generation(self, gallery: str) -> Generation:
        """Give the generation in force."""
        return generations.held(self._journal, gallery)[self.epoch(gallery)]

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
        first = self._halves.found(policy)
        with self._journal.transaction() as db:
            # A crash before the commit leaves no policy; the gate's journal asks again or drops the gallery.
            db.execute("INSERT INTO policy VALUES (?, ?, ?)", (policy.gallery, policy.encode(), EPOCH_FIRST))
            generations.put(db, first)
        self._policies[policy.gallery] = (policy, EPOCH_FIRST)
        self._shelves[policy.gallery] = {EPOCH_FIRST: Shelf.empty(EPOCH_FIRST, policy.dim)}

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
        known = generations.held(self._journal, gallery)
        with self._journal.transaction() as db:
            # A crash before the commit leaves the empty gallery, which is dropped again; after it, files of no
            # generation, which the next start removes.
            db.execute("DELETE FROM policy WHERE gallery = ?", (gallery,))
            for epoch in known:
                generations.remove(db, gallery, epoch)
        for of in known.values():
            self._halves.drop(of)
        self._policies.pop(gallery, None)
        self._shelves.pop(gallery, None)

    # ---- rows ----

    def shelf(self, gallery: str, epoch: int | None = None) -> Shelf:
        """Give the rows in memory, of the epoch in force or of a named one.

        Raises:
            OutOfStep: this vault does not hold that epoch.

        """
        shelves, wanted = self._shelves.get(gallery, {}), self.epoch(gallery) if epoch is None else epoch
        if wanted not in shelves:
            raise OutOfStep
        return shelves[wanted]

    def prepare(self, gallery: str, rows: Sequence[HalfRow]) -> None:
        """Make rows of the epoch in force durable; no search sees them yet."""
        if rows:
            self._halves.prepare(self.policy(gallery), self.generation(gallery), rows)

    def commit(self, gallery: str, places: Sequence[tuple[bytes, int]], people: Sequence[bytes]) -> None:
        """Make prepared rows live at their places (row id, seq); rows that are live at that place already stay.

        The order is that of the places, whichever was committed first: a row that comes late takes its place.

        A row that can be read no more is excluded at its place.

        Raises:
            NotFound: a row was never prepared here.
            OutOfStep: a row is live at another place, or its place is another row's.

        """
        self.policy(gallery)
        with self._journal.transaction() as db:
            # A crash before the commit leaves prepared rows, which the gate commits again; after it, live rows.
            fresh = register.enliven(db, gallery, places)
            known = [(handle, gallery) for handle in people]
            db.executemany("UPDATE person SET state = 'live' WHERE handle = ? AND gallery = ?", known)
            # Read before the commit: a half that cannot be read must not be live on disk and missing in memory.
            rows = self._rows(gallery, [row_id for row_id, _ in fresh], [seq for _, seq in fresh])
            read = {epoch: self.read(gallery, epoch, rows) for epoch in self._shelves[gallery]} if fresh else {}
            bad = read[self.epoch(gallery)][1] if read else np.empty(0, np.bool_)
            gone = register.exclude(db, gallery, register.as_bytes(rows.ids[bad]))
        _name(gallery, gone)
        for epoch, (lanes, damaged) in read.items():
            # A row that came since the refresh has no half in the epoch before, about which nobody asks any more.
            whole = ~(bad | damaged)
            self._shelves[gallery][epoch].place(rows.part(whole), lanes[whole])

    def _rows(self, gallery: str, row_ids: Sequence[bytes], seqs: Sequence[int]) -> Rows:
        """Find the slots of a few rows."""
        slots = register.slots_of(self._journal, gallery, row_ids)
        return Rows(register.as_ids(row_ids), slots, np.array(seqs, np.int64))

    def read(self, gallery: str, epoch: int, rows: Rows) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        """Read the lanes u16[n, d] of a few rows of an epoch that is held; says which are damaged."""
        policy = self.policy(gallery)
        lanes = np.zeros((len(rows), policy.dim), np.uint16)
        return lanes, self._halves.load(policy, generations.held(self._journal, gallery)[epoch], rows, lanes)

    def prepared(self, gallery: str) -> list[bytes]:
        """List the rows that nobody has committed or aborted."""
        self.policy(gallery)
        return register.in_state(self._journal, gallery, "prepared")

    def abort(self, gallery: str, row_ids: Sequence[bytes]) -> None:
        """Remove those of the rows that are only prepared; live rows are left alone."""
        prepared = set(self.prepared(gallery))
        if gone := [row_id for row_id in row_ids if row_id in prepared]:
            self._halves.destroy(self.policy(gallery), gone, self._clock.now())

    def erase(self, gallery: str, row_ids: Sequence[bytes]) -> None:
        """Take rows out of search and destroy their halves; a row that is not there gets its tombstone all the same."""
        policy = self.policy(gallery)
        for shelf in self._shelves[gallery].values():
            shelf.remove(row_ids)
        self._halves.destroy(policy, row_ids, self._clock.now())

    # ---- rows that are damaged ----

    def excluded(self, gallery: str) -> list[bytes]:
        """List the rows that are in no search because a half of theirs was damaged or altered."""
        self.policy(gallery)
        return register.in_state(self._journal, gallery, "excluded")

    def exclude(self, gallery: str, row_ids: Sequence[bytes]) -> list[bytes]:
        """Take damaged rows out of every search, durably, and name them in the log; returns those that were live."""
        return self._strike_out(gallery, list(self._shelves[gallery].values()), row_ids)

    def _strike_out(self, gallery: str, shelves: list[Shelf], row_ids: Sequence[bytes]) -> list[bytes]:
        with self._journal.transaction() as db:
            # A crash before the commit leaves them live; they are found again when the gallery is next attested.
            gone = register.exclude(db, gallery, row_ids)
        for shelf in shelves:
            shelf.remove(gone)
        _name(gallery, gone)
        return gone

    # ---- generations ----

    def rows(self, gallery: str, row_ids: Sequence[bytes]) -> Rows:
        """Find the slots of a few rows of any state; their places do not matter.

        Raises:
            NotFound: the gallery does not have one of them.

        """
        return self._rows(gallery, row_ids, [0] * len(row_ids))

    def enter(self, made: Generation) -> None:
        """Write down that the halves of the next epoch are complete on this vault's disk."""
        with self._journal.transaction() as db:
            # A crash before this leaves files of no generation; after it, it is in the other vault's hands.
            generations.put(db, made)

    def switch(self, new: Generation, shelf: Shelf, lost: Sequence[bytes], *, keep: bool) -> None:
        """Put a generation into force with its `shelf`; `lost` are prepared rows that it does not have.

        With `keep` the shelf of the epoch before stays in memory until `let_go`.
        """
        gallery = new.gallery
        policy = self.policy(gallery)
        with self._journal.transaction() as db:
            # Before the commit the old epoch is in force, after it the new one, whatever else is on the disk.
            generations.put(db, new)
            generations.put_in_force(db, gallery, new.epoch)
            register.bury(db, gallery, lost, self._clock.now())
        if lost:
            self._halves.recount(gallery)
        self._policies[gallery] = (policy, new.epoch)
        self._shelves[gallery] = {**(self._shelves[gallery] if keep else {}), new.epoch: shelf}

    def take_over(self, new: Generation, lost: Sequence[bytes]) -> None:
        """Put a generation into force that lies on the disk alone: what a crash has interrupted."""
        self.switch(new, Shelf.empty(new.epoch, self.policy(new.gallery).dim), lost, keep=False)
        self._shelves[new.gallery] = {new.epoch: self._load(self.policy(new.gallery))}

    def held(self, gallery: str) -> dict[int, Generation]:
        """Give every generation that lies on this vault's disk, by epoch."""
        return generations.held(self._journal, gallery)

    def let_go(self, gallery: str, *, files: bool = True) -> None:
        """Drop every generation but the one in force, from memory and, with `files`, from disk."""
        epoch = self.epoch(gallery)
        self._shelves[gallery] = {epoch: self._shelves[gallery][epoch]}
        others = [of for other, of in self.held(gallery).items() if other != epoch]
        if not files:
            return
        if others:
            with self._journal.transaction() as db:
                # A crash after the commit leaves files and keys of no generation, which the next start removes.
                for of in others:
                    generations.remove(db, gallery, of.epoch)
        for of in others:
            self._halves.drop(of)
        # On a full disk an earlier try may have got no further than the journal.
        self._halves.drop_before(gallery, epoch)


def _name(gallery: str, row_ids: Sequence[bytes]) -> None:
    """Name excluded rows in the log: ids are no secret."""
    for row_id in row_ids:
        about = {"row": row_id.hex(), "gallery": gallery}
        _log.error("row %(row)s of %(gallery)s was damaged or altered in a vault; it is in no search now", about)
