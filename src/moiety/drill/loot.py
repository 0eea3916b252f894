"""What a thief reads out of a stolen vault with that vault's own keys and the product's own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.clock import SystemClock
from moiety.foundation.envelopes import KeyRing
from moiety.vault import register
from moiety.vault.cabinet import Cabinet
from moiety.vault.halves import SEED_BYTES
from moiety.vault.journal import Journal
from moiety.vault.rows import RowStore
from moiety.vault.seeds import SeedStore
from moiety.vault.store_key import StoreKey
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.drill.ground import Ground


@dataclass(frozen=True)
class Half:
    """One half of a gallery: row ids in order and u16[n, d]; `raw` u8[n, …] is what lies on disk for each row, opened.

    At A `lanes` are the masked rows, and so is `raw`. At B `lanes` are the pads that the seeds in `raw` make.
    """

    row_ids: list[bytes]
    lanes: NDArray[np.uint16]
    raw: NDArray[np.uint8]

    @property
    def numbers(self) -> NDArray[np.float64]:
        """Read the lanes as numbers, as templates are."""
        return self.lanes.view(np.int16).astype(np.float64)


def steal(ground: Ground, role: Role) -> Path:
    """Copy a vault's folder and its keys while it runs."""
    ground.arrange()
    return copy(ground, role)


def copy(ground: Ground, role: Role) -> Path:
    """Copy a vault's folder and its keys, whether it runs or not."""
    return ground.steal(ground.made.folder(role), ground.made.keys / role)


def half_of(loot: Path, role: Role, gallery: str) -> Half:
    """Open one half of a gallery in a copy of a vault's folder and keys."""
    journal = Journal(loot / role / "journal.sqlite")
    keys, clock = KeyRing(loot / "keys" / role), SystemClock()
    if role is Role.VAULT_A:
        shelf = Cabinet(journal, RowStore(journal, loot / role / "rows"), clock).shelf(gallery)
        raw = np.ascontiguousarray(shelf.lanes).view(np.uint8)
    else:
        store = SeedStore(journal, keys, loot / role / "seeds", clock)
        cabinet = Cabinet(journal, store, clock)
        shelf = cabinet.shelf(gallery)
        opened = store.opened(cabinet.generation(gallery), register.live(journal, gallery))
        raw = np.concatenate([np.empty((0, SEED_BYTES), np.uint8), *(seeds for _, seeds, _, _ in opened)])
    journal.close()
    return Half(shelf.row_ids, np.ascontiguousarray(shelf.lanes), raw)


def joined(a: Half, b: Half) -> NDArray[np.float64]:
    """Give the templates f64[n, d] of two halves of the same rows, in A's order."""
    place = {row_id: at for at, row_id in enumerate(b.row_ids)}
    pads = b.lanes[[place[row_id] for row_id in a.row_ids]]
    return (a.lanes + pads).view(np.int16).astype(np.float64)


def personal_keys(loot: Path) -> list[bytes]:
    """Open every personal key in a copy of vault B's folder and keys."""
    journal = Journal(loot / Role.VAULT_B / "journal.sqlite")
    store_key = StoreKey(journal, KeyRing(loot / "keys" / Role.VAULT_B), SystemClock())
    keys = [store_key.unseal(key, handle) for handle, key in journal.read("SELECT handle, key FROM person")]
    journal.close()
    return keys
