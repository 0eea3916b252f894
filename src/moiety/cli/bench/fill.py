"""Fills a gallery of a scratch installation with random templates, straight into both vaults' stores, for benchmarks.

The vaults must not run. What lies there afterwards is what enrolment, a day's turn of B's key and a restart would have
left. The gate knows nothing of these rows but where its own next one stands.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.clock import SystemClock
from moiety.foundation.errors import BadInput
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.kernel import split_many
from moiety.vault import generations
from moiety.vault.halves import COMMITMENT_BYTES, SALT_BYTES, SEED_BYTES
from moiety.vault.journal import Journal
from moiety.vault.policy import GalleryPolicy
from moiety.vault.rows import RowStore
from moiety.vault.seed_records import sealed
from moiety.vault.seeds import SeedStore
from moiety.warrants.batch import commit_rows, row_nonces
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from moiety.cli.installation import Installation
    from moiety.vault.generations import Generation

# Random vectors are rounded at this length: with the rounding they stay below the 127 of the norm rule.
LENGTH = 124.0
AT_ONCE = 16_384


def templates(rows: int, dim: int, seed: int) -> NDArray[np.int8]:
    """Draw i8[rows, d] of random directions."""
    drawn = np.random.default_rng(seed).standard_normal((rows, dim), np.float32)
    drawn *= LENGTH / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.rint(drawn).astype(np.int8)


def fill(
    made: Installation, gallery: str, rows: int, advance: Callable[[int], None], seed: int = 1
) -> NDArray[np.int8]:
    """Put `rows` live rows into an empty gallery of both vaults; gives the templates i8[…, d] of the first block.

    Raises:
        BadInput: the gallery is not open or not empty.

    """
    half_a, half_b = _HalfA(made, gallery), _HalfB(made, gallery)
    first: NDArray[np.int8] | None = None
    try:
        for start in range(0, rows, AT_ONCE):
            count = min(AT_ONCE, rows - start)
            drawn = templates(count, half_a.policy.dim, seed + start)
            first = drawn if first is None else first
            _block(half_a, half_b, start, drawn)
            advance(count)
        half_a.close(rows)
        half_b.close(rows)
    finally:
        half_a.journal.close()
        half_b.journal.close()
    kept_at_gate = made.folder(Role.GATE) / "gate.sqlite"
    if kept_at_gate.exists():  # a benchmark of the vaults alone has no gate
        with closing(sqlite3.connect(kept_at_gate)) as gate, gate:
            gate.execute("UPDATE gallery SET next_seq = ? WHERE id = ?", (rows + 1, gallery))
    return np.empty((0, half_a.policy.dim), np.int8) if first is None else first


def _block(half_a: _HalfA, half_b: _HalfB, start: int, drawn: NDArray[np.int8]) -> None:
    """Split some templates and write both halves."""
    count, policy = len(drawn), half_a.policy
    at = (policy.tenant, policy.gallery, half_a.of.epoch)
    ids, seeds, salts = (_random(count, size) for size in (ROW_ID_BYTES, SEED_BYTES, SALT_BYTES))
    lanes = split_many(drawn, seeds, row_nonces(at, ids))
    told = commit_rows(at, ids, salts, lanes)
    slots = np.arange(start, start + count, dtype=np.int64)
    half_a.rows.write(half_a.of, policy.dim, slots, (lanes, salts, told))
    kept = np.frombuffer(b"".join(told), np.uint8).reshape(-1, COMMITMENT_BYTES)
    half_b.seeds.flat(half_b.of).write(slots, sealed(half_b.cipher, half_b.of, ids, seeds, kept))
    for half in (half_a, half_b):
        half.enter(ids, start)


def _random(count: int, size: int) -> NDArray[np.uint8]:
    return np.frombuffer(os.urandom(count * size), np.uint8).reshape(count, size)


class _Half:
    """One vault's journal and what is in force there."""

    def __init__(self, made: Installation, role: Role, gallery: str) -> None:
        self.folder = made.folder(role)
        self.journal = Journal(self.folder / "journal.sqlite")
        found = self.journal.read("SELECT raw, epoch FROM policy WHERE gallery = ?", (gallery,))
        if not found or self.journal.read("SELECT 1 FROM row WHERE gallery = ? LIMIT 1", (gallery,)):
            raise BadInput("Only a gallery that is open and empty at both vaults can be filled.")
        self.policy = GalleryPolicy.decode(found[0][0])
        self.of: Generation = generations.held(self.journal, gallery)[found[0][1]]

    def enter(self, ids: NDArray[np.uint8], start: int) -> None:
        """Put rows into the register, live."""
        joined, gallery = ids.tobytes(), self.policy.gallery
        with self.journal.transaction() as db:
            db.executemany(
                "INSERT INTO row (row_id, gallery, slot, state, seq) VALUES (?, ?, ?, 'live', ?)",
                [(joined[16 * i : 16 * i + 16], gallery, start + i, start + i + 1) for i in range(len(ids))],
            )


class _HalfA(_Half):
    """Vault A's files."""

    def __init__(self, made: Installation, gallery: str) -> None:
        super().__init__(made, Role.VAULT_A, gallery)
        self.rows = RowStore(self.journal, self.folder / "rows")

    def close(self, rows: int) -> None:
        """Make it last."""
        if rows:
            self.rows.sync(self.of, self.policy.dim)


class _HalfB(_Half):
    """Vault B's file and key."""

    def __init__(self, made: Installation, gallery: str) -> None:
        super().__init__(made, Role.VAULT_B, gallery)
        self.seeds = SeedStore(self.journal, made.ring(Role.VAULT_B), self.folder / "seeds", SystemClock())
        self.cipher = self.seeds.cipher(self.of)

    def close(self, rows: int) -> None:
        """Make it last, and let the journal say how far the file goes."""
        if rows:
            self.seeds.flat(self.of).sync()
        with self.journal.transaction() as db:
            generations.put(db, replace(self.of, flat=rows))
