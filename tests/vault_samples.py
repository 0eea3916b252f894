"""Policies, templates and halves for tests of the vaults' stores, without an eye or a wire."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import HandClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.envelopes import KeyRing
from moiety.foundation.errors import NotFound
from moiety.kernel import quantise, split
from moiety.vault import register
from moiety.vault.cabinet import Cabinet
from moiety.vault.journal import Journal
from moiety.vault.policy import EPOCH_FIRST, GalleryPolicy, Needs
from moiety.vault.roster import Keeper, Roster
from moiety.vault.rows import RowStore
from moiety.vault.seeds import TURN_SECONDS, SeedStore
from moiety.vault.store_key import StoreKey
from moiety.warrants.statement import Made, Pad, Statement, commit_row, row_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.foundation.disk import Disk
    from moiety.vault.halves import HalfRow

DIM = 128
KEEPER = Ed25519PrivateKey.generate()
TENANT, GALLERY = "ten_test", "gal_test"


def policy(**more: Any) -> GalleryPolicy:
    """Make a gallery's policy."""
    made: dict[str, Any] = {
        "tenant": TENANT,
        "gallery": GALLERY,
        "version": 1,
        "purpose": "a door",
        "model": bytes(32),
        "rotation": bytes(32),
        "dim": DIM,
        "thresholds": (6000, 9000, 12_000),
        "asks": Needs.SERVICE,
        "enrols": Needs.SERVICE,
        "erases": Needs.SERVICE,
        "reveals": Needs.SERVICE,
        "erasures_alone_per_day": 50,
        "probes_per_hour": 1000,
        "templates_per_hour": 1000,
        "erasures_per_hour": 1000,
        "reveals_per_hour": 1000,
    }
    return GalleryPolicy(**made | more)


def roster(**more: Any) -> Roster:
    """Make a roster of one keeper."""
    made: dict[str, Any] = {
        "tenant": TENANT,
        "version": 1,
        "quorum": 1,
        "rp_id": "",
        "origin": "",
        "keepers": (Keeper("keeper", KEEPER.public_key().public_bytes_raw()),),
    }
    return Roster(**made | more)


def unit(random: np.random.Generator, dim: int = DIM) -> NDArray[np.float32]:
    """Draw f32[dim] of unit length."""
    drawn = random.standard_normal(dim)
    made: NDArray[np.float32] = (drawn / np.linalg.norm(drawn)).astype(np.float32)
    return made


@dataclass(frozen=True, slots=True)
class Sample:
    """One template and what an eye would make of it."""

    template: NDArray[np.int8]
    statement: Statement
    to_a: bytes
    to_b: bytes

    @property
    def row_id(self) -> bytes:
        return self.statement.row


def sample(random: np.random.Generator, of: GalleryPolicy, epoch: int = EPOCH_FIRST) -> Sample:
    """Make a template of nobody and split it for a gallery."""
    template = quantise(unit(random, of.dim))
    row_id, seed, salt = random.bytes(16), random.bytes(32), random.bytes(32)
    at = (of.tenant, of.gallery, row_id, epoch)
    row = split(template, seed, row_label(*at)).tobytes()
    commitment = commit_row(*at, salt, row)
    statement = Statement(
        Made.TEMPLATE,
        of.tenant,
        of.gallery,
        bytes(32),
        (0, 0, 1, 1),
        of.model,
        of.rotation,
        Pad.UNKNOWN,
        row_id,
        epoch,
        commitment,
        os.urandom(32),
        0,
    )
    return Sample(template, statement, salt + row, seed + commitment)


class Store:
    """One half's store in a folder, with its journal; `Store.again()` is what the next process finds there."""

    def __init__(self, folder: Path, half: str, clock: HandClock | None = None, disk: Disk = SYSTEM_DISK) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.half = folder, half
        self.clock = clock or HandClock()
        self.journal = Journal(folder / "journal.sqlite", disk)
        self.keys = KeyRing(folder / "keys", disk)
        self.store_key = StoreKey(self.journal, self.keys, self.clock) if half == "b" else None
        self.halves: RowStore | SeedStore = (
            SeedStore(self.journal, self.keys, folder / "seeds", self.clock, disk)
            if half == "b"
            else RowStore(self.journal, folder / "rows", disk)
        )
        self.cabinet = Cabinet(self.journal, self.halves, self.clock)

    @property
    def rows(self) -> RowStore:
        """Half A's store."""
        assert isinstance(self.halves, RowStore)
        return self.halves

    @property
    def seeds(self) -> SeedStore:
        """Half B's store."""
        assert isinstance(self.halves, SeedStore)
        return self.halves

    def prepare(self, of: GalleryPolicy, *given: Sample) -> list[bytes]:
        """Prepare samples; returns their row ids."""
        self.cabinet.prepare(of.gallery, [self.opened(of, one) for one in given])
        return [one.row_id for one in given]

    def lanes(self, of: GalleryPolicy, row_ids: Sequence[bytes]) -> NDArray[np.uint16]:
        """Read the lanes of rows of any state from disk, in this order."""
        slots = register.slots_of(self.journal, of.gallery, row_ids)
        rows = register.Rows(register.as_ids(row_ids), slots, np.zeros(len(slots), np.int64))
        lanes, damaged = self.cabinet.read(of.gallery, self.cabinet.epoch(of.gallery), rows)
        if damaged.any():
            raise NotFound("A row can be read no more in a vault.")
        return lanes

    def again(self) -> Store:
        """Close it and open it as the next process would."""
        self.journal.close()
        return Store(self.folder, self.half, self.clock)

    def turn_keys(self) -> None:
        """Let a day go by at B."""
        self.clock.move(TURN_SECONDS)
        for of in self.seeds.due():
            self.seeds.turn(of)

    def opened(self, of: GalleryPolicy, one: Sample) -> HalfRow:
        """Read this half of a sample."""
        return self.halves.open_half(of, one.statement, one.to_a if self.half == "a" else one.to_b)

    def bytes_on_disk(self) -> bytes:
        """Join every file but the keys."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.parent.name != "keys")
        return b"".join(path.read_bytes() for path in files)

    @property
    def slots(self) -> dict[bytes, int]:
        """At A: which slot of the file each row has."""
        return dict(self.journal.read("SELECT row_id, slot FROM row"))

    @property
    def tombstones(self) -> set[bytes]:
        return {row_id for (row_id,) in self.journal.read("SELECT row_id FROM tombstone")}
