"""Half A on disk: for each gallery and epoch three files of slots: masked rows, salts, commitments."""

from __future__ import annotations

import contextlib
import hmac
import re
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import Fault, Refusal, Unverified
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.vault import generations, register
from moiety.vault.flat import Flat
from moiety.vault.generations import FIRST_MARK, Generation
from moiety.vault.halves import AT_ONCE, COMMITMENT_BYTES, SALT_BYTES, HalfRow
from moiety.vault.policy import EPOCH_FIRST
from moiety.vault.register import Rows, Slots
from moiety.warrants.batch import commit_batch, commit_rows
from moiety.warrants.statement import commit_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.foundation.disk import Disk
    from moiety.vault.journal import Journal
    from moiety.vault.policy import GalleryPolicy
    from moiety.warrants.statement import Statement

_FILE = re.compile(r"(?P<gallery>.+)\.(?P<epoch>\d+)\.(?P<sort>rows|salts|commitments)")


class RowStore:
    """Half A: `<gallery>.<epoch>.rows`, `.salts` and `.commitments`, whose slots the journal gives out."""

    def __init__(self, journal: Journal, folder: Path, disk: Disk = SYSTEM_DISK) -> None:
        """Keep the files in `folder`."""
        self._journal = journal
        self.folder = folder
        self._disk = disk
        self._slots: dict[str, Slots] = {}
        disk.folder(folder)

    def flats(self, of: Generation, dim: int) -> tuple[Flat, Flat, Flat]:
        """Give the files of a generation: rows, salts, commitments."""
        sizes = {"rows": 2 * dim, "salts": SALT_BYTES, "commitments": COMMITMENT_BYTES}
        rows, salts, commitments = (
            Flat(self._disk, self.folder / f"{of.gallery}.{of.epoch}.{sort}", size) for sort, size in sizes.items()
        )
        return rows, salts, commitments

    def _of(self, gallery: str) -> Slots:
        """Know which slots of a gallery are free."""
        if gallery not in self._slots:
            self._slots[gallery] = Slots(self._journal, gallery)
        return self._slots[gallery]

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

    def open_batch(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> list[HalfRow]:
        """Read id ‖ salt ‖ row of each row and recompute all c.

        Raises:
            Unverified: the commitment differs or the length is wrong.

        """
        size = ROW_ID_BYTES + SALT_BYTES + 2 * policy.dim
        if len(opened) % size:
            raise Unverified("A sealed batch has a length that no batch has.")
        records = np.frombuffer(opened, np.uint8).reshape(-1, size)
        ids, salts, rows = np.split(records, [ROW_ID_BYTES, ROW_ID_BYTES + SALT_BYTES], axis=1)
        lanes = np.ascontiguousarray(rows).view(np.uint16)
        told = commit_rows((policy.tenant, policy.gallery, statement.epoch), ids, salts, lanes)
        if not hmac.compare_digest(commit_batch(ids.tobytes(), b"".join(told)), statement.commitment):
            raise Unverified("A sealed batch is not the one that the eye committed to.")
        pieces = zip(ids, told, rows, salts, strict=True)
        return [HalfRow(i.tobytes(), statement.epoch, c, row.tobytes(), s.tobytes()) for i, c, row, s in pieces]

    def found(self, policy: GalleryPolicy) -> Generation:
        """Make the first generation of a gallery: its files come with the first rows."""
        return Generation(policy.gallery, EPOCH_FIRST, FIRST_MARK)

    def prepare(self, policy: GalleryPolicy, of: Generation, rows: Sequence[HalfRow]) -> None:
        """Write the rows into free slots, sync, then enter them in the journal."""
        slots = self._of(policy.gallery).take(len(rows))
        try:
            lanes = np.frombuffer(b"".join(row.lane for row in rows), np.uint8).reshape(len(rows), -1)
            salts = np.frombuffer(b"".join(row.salt for row in rows), np.uint8).reshape(len(rows), -1)
            # A crash from here to the commit leaves bytes in slots that no row owns: the next start blanks them.
            self.write(of, policy.dim, np.array(slots, np.int64), (lanes, salts, [row.commitment for row in rows]))
            self.sync(of, policy.dim)
            with self._journal.transaction() as db:
                register.insert(db, policy.gallery, [row.row_id for row in rows], slots)
        except BaseException:
            # What was written belongs to nobody now; on a disk that refuses this too the next start does it.
            try:
                with contextlib.suppress(OSError, Refusal):
                    self._blank(policy.gallery, policy.dim, np.array(slots, np.int64))
            finally:
                self._of(policy.gallery).give_back(slots)
            raise

    def write(
        self,
        of: Generation,
        dim: int,
        slots: NDArray[np.int64],
        content: tuple[NDArray[np.uint8] | NDArray[np.uint16], NDArray[np.uint8], Sequence[bytes]],
    ) -> None:
        """Write rows, salts and commitments into slots of a generation; they last from `sync` on."""
        lanes, salts, commitments = content
        joined = np.frombuffer(b"".join(commitments), np.uint8).reshape(-1, COMMITMENT_BYTES)
        for flat, records in zip(self.flats(of, dim), (lanes, salts, joined), strict=True):
            flat.write(slots, records)

    def sync(self, of: Generation, dim: int) -> None:
        """Make what was written into a generation last."""
        for flat in self.flats(of, dim):
            flat.sync()

    def load(self, policy: GalleryPolicy, of: Generation, rows: Rows, lanes: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Read rows into memory of our own: a live mapping of the file could be written by an intruder.

        Raises:
            Fault: the file is missing.

        """
        damaged = np.zeros(len(rows), np.bool_)
        flat = self.flats(of, policy.dim)[0]
        for start in range(0, len(rows), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            try:
                damaged[part] = flat.read(rows.slots[part], lanes[part])
            except FileNotFoundError:
                raise Fault(f"Vault A's file {flat.path.name!r} is missing; restore it from a backup.") from None
        return damaged

    def committed(
        self, policy: GalleryPolicy, of: Generation, rows: Rows, lanes: NDArray[np.uint16], *, files: bool
    ) -> tuple[list[bytes], NDArray[np.bool_]]:
        """Recompute the commitments of rows in memory; says which differ from what A itself keeps of them.

        With `files`, the rows' file is read again too, and what differs from memory is damaged.
        """
        row_file, salt_file, commitment_file = self.flats(of, policy.dim)
        told: list[bytes] = []
        damaged = np.zeros(len(rows), np.bool_)
        salts = np.zeros((AT_ONCE, SALT_BYTES), np.uint8)
        kept = np.zeros((AT_ONCE, COMMITMENT_BYTES), np.uint8)
        again = np.zeros((AT_ONCE if files else 0, policy.dim), np.uint16)
        for start in range(0, len(rows), AT_ONCE):
            part = rows.part(slice(start, start + AT_ONCE))
            count, here = len(part), lanes[start : start + AT_ONCE]
            missing = _read(salt_file, part.slots, salts[:count]) | _read(commitment_file, part.slots, kept[:count])
            fresh = commit_rows((policy.tenant, policy.gallery, of.epoch), part.ids, salts[:count], here)
            wrong = np.frombuffer(b"".join(fresh), np.uint8).reshape(count, -1) != kept[:count]
            damaged[start : start + count] = missing | wrong.any(axis=1)
            if files:
                lost = _read(row_file, part.slots, again[:count])
                damaged[start : start + count] |= lost | (again[:count] != here).any(axis=1)
            told += fresh
        return told, damaged

    def destroy(self, policy: GalleryPolicy, row_ids: Sequence[bytes], now: float) -> None:
        """Remove from the journal first, then overwrite the slots with zeros."""
        slots = self._of(policy.gallery)
        with self._journal.transaction() as db:
            # A crash after this leaves half A's bytes in slots that nobody owns; without the seed they stay noise,
            # and the next row or the next start's `tidy` overwrites them.
            free = register.bury(db, policy.gallery, row_ids, now)
        self._blank(policy.gallery, policy.dim, np.array(free, np.int64))
        slots.give_back(free)

    def _blank(self, gallery: str, dim: int, slots: NDArray[np.int64]) -> None:
        """Write zeros over slots in every generation."""
        for of in generations.held(self._journal, gallery).values():
            for flat in self.flats(of, dim):
                flat.blank(slots)

    def tidy(self, dims: Mapping[str, int]) -> None:
        """Remove files of no generation, and blank what no row owns."""
        held = {(of.gallery, of.epoch): of for of in generations.all_held(self._journal)}
        for path in sorted(self.folder.iterdir()):
            named = _FILE.fullmatch(path.name)
            if named and (named["gallery"], int(named["epoch"])) not in held:
                self._disk.remove(path)
        for of in held.values():
            slots = self._of(of.gallery)
            for flat in self.flats(of, dims[of.gallery]):
                flat.blank(np.concatenate([slots.free(), np.arange(slots.end, flat.slots)]))

    def recount(self, gallery: str) -> None:
        """Find out anew which slots are free: rows went without `destroy`."""
        self._slots.pop(gallery, None)

    def drop_before(self, gallery: str, epoch: int) -> None:
        """Remove the files of a gallery's epochs before this one."""
        for path in sorted(self.folder.iterdir()):
            named = _FILE.fullmatch(path.name)
            if named and named["gallery"] == gallery and int(named["epoch"]) < epoch:
                self._disk.remove(path)

    def drop(self, of: Generation) -> None:
        """Remove the files of a generation; rows without their seeds are noise, so nothing is overwritten."""
        for flat in self.flats(of, 1):
            flat.remove()


def _read(flat: Flat, slots: NDArray[np.int64], records: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Read slots; a file that is missing holds none of them."""
    try:
        return flat.read(slots, records)
    except FileNotFoundError:
        return np.ones(len(slots), np.bool_)
