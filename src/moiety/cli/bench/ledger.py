"""The ledger at size: adding, checking, proving, and checking a copy as an outsider does."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import SystemClock
from moiety.incidents.evidence import ENTRIES_MAX
from moiety.ledger import Kind, Ledger
from moiety.ledger.audit import CHECKPOINT, Folder, Trust, check, copy
from moiety.ledger.tree import LedgerTree
from moiety.storage import Store
from moiety.tlog.checkpoints import Checkpoint
from moiety.tlog.names import log_key
from moiety.tlog.notes import Note, sign
from moiety.tlog.tiles import Tile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = 1000
SINGLE = 200
PROOFS = 100


class _Shown:
    """The ledger as the gate shows it."""

    def __init__(self, tree: LedgerTree, note: bytes) -> None:
        self._tree = tree
        self._note = note

    def read(self, path: str) -> bytes:
        """Give a file."""
        return self._note if path == CHECKPOINT else self._tree.tile(Tile.parse(path))


def _timed(work: Callable[[], object]) -> dict[str, float]:
    """Give seconds by the clock and of the processor."""
    began, busy = time.perf_counter(), time.process_time()
    work()
    return {"s": round(time.perf_counter() - began, 3), "cpu_s": round(time.process_time() - busy, 3)}


def run(entries: int, advance: Callable[[int], None]) -> list[dict[str, Any]]:
    """Build a ledger of so many entries and time what is done with it; gives one line for each."""
    with tempfile.TemporaryDirectory(prefix="moiety-bench-") as scratch:
        folder = Path(scratch)
        with Store(folder / "gate.sqlite", SystemClock()) as store:
            lines = [*_adding(store, entries, advance), *_checking(store, folder)]
    return [{"bench": "ledger", "entries": entries, **line} for line in lines]


def _add(store: Store, count: int) -> None:
    """Write entries in one transaction."""
    ledger = Ledger(store, bytes(32))
    with store.begin() as tx:
        for _ in range(count):
            ledger.append(tx, Kind.CONSULTATION, "identify", actor="owner", purpose="p", reason="bench", faces=1)


def _adding(store: Store, entries: int, advance: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    """Time adding, many at a time and one at a time."""

    def many() -> None:
        for at in range(0, entries, AT_ONCE):
            _add(store, min(AT_ONCE, entries - at))
            advance(AT_ONCE)

    def single() -> None:
        for _ in range(SINGLE):
            _add(store, 1)

    told = _timed(many)
    yield {"what": "add, 1000 in a transaction", **told, "us_each": round(1e6 * told["s"] / entries, 1)}
    told = _timed(single)
    yield {"what": "add, one in a transaction", **told, "us_each": round(1e6 * told["s"] / SINGLE, 1)}


def _checking(store: Store, folder: Path) -> Iterator[dict[str, Any]]:
    """Time what the gate, the witness's question and an outsider do with the whole."""
    key = Ed25519PrivateKey.generate()
    log = log_key("ten_0000000000000000", key.public_key().public_bytes_raw())
    tree = LedgerTree(store)
    told = _timed(Ledger(store, bytes(32)).verify)
    file_mb = round(sum(path.stat().st_size for path in folder.glob("gate.sqlite*")) / 1e6, 1)
    yield {"what": "verify the database", **told, "file_mb": file_mb}
    yield {"what": "root of a checkpoint", **_timed(tree.root)}
    size, root = tree.root()
    wanted = range(1, size + 1, max(1, size // PROOFS))
    told = _timed(lambda: [tree.inclusions([seq], size) for seq in wanted])
    yield {"what": "prove one entry", **told, "us_each": round(1e6 * told["s"] / len(wanted), 1)}
    newest = range(max(1, size - ENTRIES_MAX + 1), size + 1)
    yield {"what": "prove the newest together", "proofs": len(newest), **_timed(lambda: tree.inclusions(newest, size))}
    text = Checkpoint(log.name, size, root).text()
    shown = _Shown(tree, Note(text, (sign(text, log.name, key),)).encode())
    yield {"what": "write a copy", **_timed(lambda: copy(shown, folder / "copy", [log]))}
    yield {"what": "verify a copy", **_timed(lambda: check(Folder(folder / "copy"), Trust(log, ())))}
