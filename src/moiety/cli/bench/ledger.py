"""The ledger at size: adding, checking, proving, and checking a copy as an outsider does."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import SystemClock
from moiety.ledger import Kind, Ledger
from moiety.ledger.audit import CHECKPOINT, Folder, Trust, check, copy
from moiety.ledger.tree import LedgerTree
from moiety.storage import Store
from moiety.tlog.checkpoints import Checkpoint
from moiety.tlog.names import log_key
from moiety.tlog.notes import Note, sign
from moiety.tlog.tiles import Tile

if TYPE_CHECKING:
    from collections.abc import Callable

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
    key = Ed25519PrivateKey.generate()
    log = log_key("ten_0000000000000000", key.public_key().public_bytes_raw())
    with tempfile.TemporaryDirectory(prefix="moiety-bench-") as scratch:
        folder = Path(scratch)
        with Store(folder / "gate.sqlite", SystemClock()) as store:
            ledger, tree = Ledger(store, bytes(32)), LedgerTree(store)

            def add(count: int) -> None:
                with store.begin() as tx:
                    for _ in range(count):
                        ledger.append(
                            tx, Kind.CONSULTATION, "identify", actor="owner", purpose="p", reason="bench", faces=1
                        )
                advance(count)

            many = _timed(lambda: [add(min(AT_ONCE, entries - at)) for at in range(0, entries, AT_ONCE)])
            single = _timed(lambda: [add(1) for _ in range(SINGLE)])
            whole = _timed(ledger.verify)
            size, root = tree.root()
            text = Checkpoint(log.name, size, root).text()
            note = Note(text, (sign(text, log.name, key),)).encode()
            made = _timed(tree.root)
            step = max(1, size // PROOFS)
            proofs = _timed(lambda: [tree.inclusion(seq, size) for seq in range(1, size + 1, step)])
            out = _timed(lambda: copy(_Shown(tree, note), folder / "copy", [log]))
            copied = _timed(lambda: check(Folder(folder / "copy"), Trust(log, ())))
            file_mb = round((folder / "gate.sqlite").stat().st_size / 1e6, 1)
    head = {"bench": "ledger", "entries": size}
    asked = len(range(1, size + 1, step))
    return [
        {**head, "what": "add, 1000 in a transaction", **many, "us_each": round(1e6 * many["s"] / entries, 1)},
        {**head, "what": "add, one in a transaction", **single, "us_each": round(1e6 * single["s"] / SINGLE, 1)},
        {**head, "what": "verify the database", **whole, "file_mb": file_mb},
        {**head, "what": "root of a checkpoint", **made},
        {**head, "what": "prove one entry", **proofs, "us_each": round(1e6 * proofs["s"] / asked, 1)},
        {**head, "what": "write a copy", **out},
        {**head, "what": "verify a copy", **copied},
    ]
