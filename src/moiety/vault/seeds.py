"""Half B on disk: seeds, each sealed for its row, and their commitments.

What comes in lies in the journal's table `fresh`. Once a day, and in a refresh, all seeds of a generation are sealed
anew into one file of slots under a key of its own (`<gallery>.<epoch>.<key>.seeds`), which is never written again: a
seed that was destroyed since is not in the next file, and dies with the key of the last one.
"""

from __future__ import annotations

import hmac
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import Fault, OutOfStep, Unverified
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.kernel import expand
from moiety.vault import generations, register
from moiety.vault.flat import Flat
from moiety.vault.generations import FIRST_MARK, Generation
from moiety.vault.halves import AT_ONCE, COMMITMENT_BYTES, SEED_BYTES, HalfRow
from moiety.vault.policy import EPOCH_FIRST
from moiety.vault.register import Rows, Slots
from moiety.vault.seed_records import RECORD_BYTES, SEALED_BYTES, sealed, unsealed
from moiety.warrants.batch import commit_batch, row_nonces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk
    from moiety.foundation.envelopes import KeyRing
    from moiety.vault.journal import Journal
    from moiety.vault.policy import GalleryPolicy
    from moiety.warrants.statement import Statement

# What is destroyed must be unreadable within a day: the key turns an hour earlier.
TURN_SECONDS = 82_800
_FILE = re.compile(r"(?P<gallery>.+)\.(?P<epoch>\d+)\.(?P<key>\d+)\.seeds")
_KEY = re.compile(r"store-(?P<gallery>.+)\.(?P<epoch>\d+)\.(?P<key>\d+)\.key")


def _name(of: Generation) -> str:
    return f"store-{of.gallery}.{of.epoch}.{of.key}.key"


class SeedStore:
    """Half B: seeds sealed for their rows, expanded to pads in memory."""

    def __init__(self, journal: Journal, keys: KeyRing, folder: Path, clock: Clock, disk: Disk = SYSTEM_DISK) -> None:
        """Keep files in `folder`, and their keys in `keys`."""
        self._journal = journal
        self._keys = keys
        self._folder = folder
        self._clock = clock
        self._disk = disk
        self._slots: dict[str, Slots] = {}
        # Held by whoever changes rows, and by a turn of the key for its last step.
        self._lock = threading.RLock()
        # Slots whose rows came or went while a turn is under way, by gallery.
        self._touched: dict[str, list[int]] = {}
        disk.folder(folder)

    def flat(self, of: Generation) -> Flat:
        """Give the file of a generation."""
        return Flat(self._disk, self._folder / f"{of.gallery}.{of.epoch}.{of.key}.seeds", RECORD_BYTES)

    def cipher(self, of: Generation) -> AESGCM:
        """Give the key of a generation.

        Raises:
            Fault: it is missing.

        """
        if not self._keys.path(_name(of)).exists():
            raise Fault(f"Vault B's key {_name(of)!r} is missing; restore it from a backup.")
        return AESGCM(self._keys.secret(_name(of)))

    def _now(self, of: Generation) -> Generation:
        """Give what the journal has of a generation now; raises OutOfStep where that was dropped."""
        held = generations.held(self._journal, of.gallery)
        if of.epoch not in held:
            raise OutOfStep("Vault B does not hold this epoch any more.")
        return held[of.epoch]

    def make_key(self, of: Generation) -> AESGCM:
        """Make the key of a new generation, durably."""
        return AESGCM(self._keys.secret(_name(of)))

    def _of(self, gallery: str) -> Slots:
        """Know which slots of a gallery are free."""
        if gallery not in self._slots:
            self._slots[gallery] = Slots(self._journal, gallery)
        return self._slots[gallery]

    def open_half(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> HalfRow:
        """Read seed ‖ c and hold c against the statement.

        Raises:
            Unverified: the commitment differs or the length is wrong.

        """
        seed, commitment = opened[:SEED_BYTES], opened[SEED_BYTES:]
        if len(seed) != SEED_BYTES or not hmac.compare_digest(commitment, statement.commitment):
            raise Unverified(f"A sealed seed for {policy.gallery} is not the one that the eye committed to.")
        return HalfRow(statement.row, statement.epoch, commitment, seed)

    def open_batch(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> list[HalfRow]:
        """Read id ‖ seed ‖ c of each row and hold all c against the statement.

        Raises:
            Unverified: the commitment differs or the length is wrong.

        """
        size = ROW_ID_BYTES + SEED_BYTES + COMMITMENT_BYTES
        if len(opened) % size:
            raise Unverified(f"A sealed batch for {policy.gallery} has a length that no batch has.")
        records = np.frombuffer(opened, np.uint8).reshape(-1, size)
        ids, seeds, kept = np.split(records, [ROW_ID_BYTES, ROW_ID_BYTES + SEED_BYTES], axis=1)
        if not hmac.compare_digest(commit_batch(ids.tobytes(), kept.tobytes()), statement.commitment):
            raise Unverified(f"A sealed batch for {policy.gallery} is not the one that the eye committed to.")
        pieces = zip(ids, kept, seeds, strict=True)
        return [HalfRow(i.tobytes(), statement.epoch, c.tobytes(), seed.tobytes()) for i, c, seed in pieces]

    def found(self, policy: GalleryPolicy) -> Generation:
        """Make the first generation of a gallery, and its key; one that a crash leaves alone goes at the next start."""
        made = Generation(policy.gallery, EPOCH_FIRST, FIRST_MARK, 1, self._clock.now())
        self.make_key(made)
        return made

    def prepare(self, policy: GalleryPolicy, of: Generation, rows: Sequence[HalfRow]) -> None:
        """Seal the seeds into the journal."""
        gallery = policy.gallery
        with self._lock:
            slots = self._of(gallery).take(len(rows))
            try:
                of = self._now(of)
                ids = register.as_ids([row.row_id for row in rows])
                seeds = np.frombuffer(b"".join(row.lane for row in rows), np.uint8).reshape(-1, SEED_BYTES)
                kept = np.frombuffer(b"".join(row.commitment for row in rows), np.uint8).reshape(-1, COMMITMENT_BYTES)
                records = sealed(self.cipher(of), of, ids, seeds, kept)
                with self._journal.transaction() as db:
                    # A crash before the commit leaves nothing; after it, prepared rows that the gate commits or aborts.
                    register.insert(db, gallery, [row.row_id for row in rows], slots)
                    fresh = [(row.row_id, gallery, of.epoch, r.tobytes()) for row, r in zip(rows, records, strict=True)]
                    db.executemany("INSERT INTO fresh VALUES (?, ?, ?, ?)", fresh)
            except BaseException:
                self._of(gallery).give_back(slots)
                raise
            self._touched.get(gallery, []).extend(slots)

    def load(self, policy: GalleryPolicy, of: Generation, rows: Rows, lanes: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Expand the pads r = PRG(seed, 'moiety/row/1' ‖ tenant ‖ gallery ‖ row id ‖ epoch).

        Raises:
            Fault: the file or its key is missing.

        """
        damaged = np.zeros(len(rows), np.bool_)
        waiting: list[Future[NDArray[np.uint16]]] = []
        with self._lock, ThreadPoolExecutor(1) as other:
            for start, seeds, _, wrong in self.opened(of, rows):
                part = slice(start, start + len(wrong))
                damaged[part] = wrong
                nonces = row_nonces((policy.tenant, policy.gallery, of.epoch), rows.ids[part])
                # Compiled code runs beside this thread's next step.
                waiting.append(other.submit(expand, seeds, nonces, policy.dim, lanes[part]))
        for done in waiting:
            done.result()
        return damaged

    def commitments(self, of: Generation, rows: Rows) -> NDArray[np.uint8]:
        """Give the commitments u8[n, 32] of rows as they stand on disk; zeros where there is none."""
        found = np.zeros((len(rows), COMMITMENT_BYTES), np.uint8)
        with self._lock:
            for start, part, records in self._records(self._now(of), rows):
                found[start : start + len(part)] = records[:, SEALED_BYTES:]
        return found

    def differing(
        self, policy: GalleryPolicy, of: Generation, rows: Rows, lanes: NDArray[np.uint16]
    ) -> NDArray[np.bool_]:
        """Read all seeds again and say which rows they do not make the pads in memory of."""
        damaged = np.zeros(len(rows), np.bool_)
        pads = np.empty((AT_ONCE, policy.dim), np.uint16)
        with self._lock:
            for start, seeds, _, wrong in self.opened(of, rows):
                part = slice(start, start + len(wrong))
                nonces = row_nonces((policy.tenant, policy.gallery, of.epoch), rows.ids[part])
                expand(seeds, nonces, policy.dim, pads[: len(wrong)])
                damaged[part] = wrong | (pads[: len(wrong)] != lanes[part]).any(axis=1)
        return damaged

    def opened(
        self, of: Generation, rows: Rows
    ) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]]:
        """Unseal rows some thousand at a time: where they begin, seeds and commitments u8[k, 32], which failed."""
        of = self._now(of)
        cipher = self.cipher(of)
        for start, part, records in self._records(of, rows):
            seeds, wrong = unsealed(cipher, of, part.ids, records)
            yield start, seeds, records[:, SEALED_BYTES:], wrong

    def _records(self, of: Generation, rows: Rows) -> Iterator[tuple[int, Rows, NDArray[np.uint8]]]:
        """Read records u8[k, 92] some thousand at a time, and where they begin; zeros where there is none."""
        flat = self.flat(of)
        if of.flat and not flat.path.exists():
            raise Fault(f"Vault B's file {flat.path.name!r} is missing; restore it from a backup.")
        fresh_slots, fresh = self._fresh(of, rows)
        for start in range(0, len(rows), AT_ONCE):
            part = rows.part(slice(start, start + AT_ONCE))
            records = np.zeros((len(part), RECORD_BYTES), np.uint8)
            in_file = part.slots < of.flat
            if in_file.any():
                some = np.zeros((int(in_file.sum()), RECORD_BYTES), np.uint8)
                flat.read(part.slots[in_file], some)
                records[in_file] = some
            if len(fresh_slots):
                at = np.minimum(np.searchsorted(fresh_slots, part.slots), len(fresh_slots) - 1)
                hit = fresh_slots[at] == part.slots
                records[hit] = fresh[at[hit]]
            yield start, part, records

    def _fresh(self, of: Generation, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Give what of the rows is not in the file yet, or more: slots i64[m], ascending, and records u8[m, 92]."""
        found = sorted(register.fresh(self._journal, of.gallery, of.epoch, rows.slots))
        # A record of another length was tampered with: it stands for one that does not open.
        records = b"".join(r if len(r) == RECORD_BYTES else bytes(RECORD_BYTES) for _, r in found)
        return (
            np.array([slot for slot, _ in found], np.int64),
            np.frombuffer(records, np.uint8).reshape(-1, RECORD_BYTES),
        )

    def destroy(self, policy: GalleryPolicy, row_ids: Sequence[bytes], now: float) -> None:
        """Delete the seeds that lie in the journal; copies, and those in the file, end when the key is turned."""
        with self._lock:
            slots = self._of(policy.gallery)
            with self._journal.transaction() as db:
                # A crash before the commit leaves the rows live; the gate's journal asks again at its next start.
                free = register.bury(db, policy.gallery, row_ids, now)
                gone = [(row_id, policy.gallery) for row_id in row_ids]
                db.executemany("DELETE FROM fresh WHERE row_id = ? AND gallery = ?", gone)
            self._touched.get(policy.gallery, []).extend(free)
            slots.give_back(free)
        self._journal.scour()

    # ---- keys ----

    def due(self) -> list[Generation]:
        """List the generations whose key is a day old."""
        now = self._clock.now()
        return [of for of in generations.all_held(self._journal) if now - of.sealed_at >= TURN_SECONDS]

    def turn(self, of: Generation) -> None:
        """Seal all seeds of a generation into a new file under a new key, and destroy the old file and key.

        Rows may come and go meanwhile; only the last step keeps them waiting. A generation that a refresh drops
        meanwhile stays dropped.
        """
        new = replace(of, key=of.key + 1, sealed_at=self._clock.now())
        # A crash before the commit leaves a key and a file that the next start removes; after it, the old ones.
        cipher = self.make_key(new)
        self._disk.remove(self.flat(new).path)
        self._touched[of.gallery] = []
        out = of
        try:
            self._seal_all_anew(of, new, cipher)
        except OutOfStep:
            out = new
        finally:
            del self._touched[of.gallery]
        self._journal.scour()
        self.flat(out).remove()
        self._keys.forget(_name(out))

    def _seal_all_anew(self, of: Generation, new: Generation, cipher: AESGCM) -> None:
        """Write all rows into the next file, and let it be the one that counts.

        Raises:
            OutOfStep: the generation was dropped meanwhile.

        """
        end, flat = 0, self.flat(new)
        for rows in register.owned(self._journal, of.gallery):
            end = max(end, self._seal_anew(of, new, cipher, rows))
        with self._lock:
            slots = sorted(set(self._touched[of.gallery]))
            changed = register.at_slots(self._journal, of.gallery, slots)
            end = max(end, self._seal_anew(of, new, cipher, changed))
            gone = np.setdiff1d(np.array(slots, np.int64), changed.slots)
            flat.blank(gone)
            if end:
                flat.sync()
            self._switch(of, replace(new, flat=end))

    def _seal_anew(self, of: Generation, new: Generation, cipher: AESGCM, rows: Rows) -> int:
        """Write rows into the next file; what does not open stays behind as zeros. Returns the end of their slots."""
        for start, seeds, kept, wrong in self.opened(of, rows):
            part = rows.part(slice(start, start + len(wrong)))
            records = sealed(cipher, new, part.ids, seeds, np.ascontiguousarray(kept))
            records[wrong] = 0
            self.flat(new).write(part.slots, records)
        return int(rows.slots.max()) + 1 if len(rows) else 0

    def _switch(self, of: Generation, new: Generation) -> None:
        """Let the new file and key be those of the generation."""
        with self._journal.transaction() as db:
            query = "SELECT 1 FROM generation WHERE gallery = ? AND epoch = ? AND sealing = ?"
            if not db.execute(query, (of.gallery, of.epoch, of.key)).fetchone():
                raise OutOfStep("Vault B does not hold this epoch any more.")
            db.execute("DELETE FROM fresh WHERE gallery = ? AND epoch = ?", (new.gallery, new.epoch))
            generations.put(db, new)

    def tidy(self, dims: Mapping[str, int]) -> None:
        """Remove files and keys of no generation; `dims` is A's concern."""
        del dims
        held = {(of.gallery, of.epoch, of.key) for of in generations.all_held(self._journal)}

        def lost(named: re.Match[str] | None) -> bool:
            return named is not None and (named["gallery"], int(named["epoch"]), int(named["key"])) not in held

        for path in sorted(self._folder.iterdir()):
            if lost(_FILE.fullmatch(path.name)):
                self._disk.remove(path)
        for name in self._keys.names():
            if lost(_KEY.fullmatch(name)):
                self._keys.forget(name)

    def recount(self, gallery: str) -> None:
        """Find out anew which slots are free: rows went without `destroy`."""
        self._slots.pop(gallery, None)

    def drop_before(self, gallery: str, epoch: int) -> None:
        """Destroy the keys of a gallery's epochs before this one, and remove their files."""

        def old(named: re.Match[str] | None) -> bool:
            return named is not None and named["gallery"] == gallery and int(named["epoch"]) < epoch

        for name in [name for name in self._keys.names() if old(_KEY.fullmatch(name))]:
            self._keys.forget(name)
        for path in [path for path in sorted(self._folder.iterdir()) if old(_FILE.fullmatch(path.name))]:
            self._disk.remove(path)

    def drop(self, of: Generation) -> None:
        """Destroy the key of a generation and remove its file."""
        self._keys.forget(_name(of))
        self.flat(of).remove()
        self._journal.scour()
