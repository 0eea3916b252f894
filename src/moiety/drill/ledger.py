"""Somebody who can write the gate's database changes what was done."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from moiety.drill.drill import Drill, Obtained, Tally
from moiety.ledger import leaf_hash
from moiety.storage import LedgerEntry
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moiety.drill.ground import Ground

ENTRIES = 6
COLUMNS = "seq, at_us, kind, act, actor, purpose, gallery_id, subject_id, reason_sealed, detail, prev_hash, hash"


class ChangedLedger(Drill):
    """Entries of the ledger are changed, swapped, removed, cut off or written anew."""

    name = "changed-ledger"
    tried = (
        "changed, swapped and removed entries of the ledger, cut off its end, wrote its end anew with right hashes; "
        "then had it checked, the last two beside a head that was kept elsewhere"
    )
    _weakness: ClassVar[str] = "weak_gate:chain_unchecked"

    def attack(self, ground: Ground) -> Obtained:
        """Do it to the sound product."""
        return self._change(ground, "")

    def control(self, ground: Ground) -> Obtained:
        """Check with a chain whose links are not compared."""
        return self._change(ground, self._weakness)

    @staticmethod
    def _change(ground: Ground, weakness: str) -> Obtained:
        """Make each change to a fresh copy and count those that nobody notices."""
        with ground.owner() as line:
            for _ in range(ENTRIES):
                line.ask("POST", "galleries", json={"name": ground.name("entry"), "purpose": "an entry in the ledger"})
            head = line.ask("GET", "ledger")["head"]
        ground.arrange(gate_runs=False)
        folder = ground.folder / ground.name("ledgers")
        folder.mkdir(mode=0o700)
        for number, change in enumerate(CHANGES.values()):
            _altered(ground.made.folder(Role.GATE) / "gate.sqlite", folder / f"{number}.sqlite", change)
        whole = _checked(folder, f"{head['size']}:{head['hash']}", weakness)
        tally = Tally()
        for number, what in enumerate(CHANGES):
            passed = whole[str(number)]
            tally.add(passed, f"{what}: {'not noticed' if passed else 'noticed'}")
        return tally.obtained()


def _checked(folder: Path, head: str, weakness: str) -> dict[str, bool]:
    """Let the auditor look at every copy."""
    command = [sys.executable, "-m", "moiety.drill.auditor", str(folder), head, *([weakness] if weakness else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)  # noqa: S603 - our own module
    found: dict[str, bool] = json.loads(done.stdout)
    return found


def _altered(database: Path, copy: Path, change: Callable[[sqlite3.Connection, int], None]) -> None:
    """Copy a database that nobody has open, and change the copy as one who owns the file."""
    shutil.copy2(database, copy)
    with sqlite3.connect(copy) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f'DROP TRIGGER "{trigger}"')
        (last,) = db.execute("SELECT max(seq) FROM ledger_entry").fetchone()
        change(db, last)
    db.close()


def _another_actor(db: sqlite3.Connection, last: int) -> None:
    db.execute("UPDATE ledger_entry SET actor = 'somebody-else' WHERE seq = ?", (last - 2,))


def _removed(db: sqlite3.Connection, last: int) -> None:
    db.execute("DELETE FROM ledger_entry WHERE seq = ?", (last - 2,))


def _swapped(db: sqlite3.Connection, last: int) -> None:
    for before, after in ((last - 2, -1), (last - 1, last - 2), (-1, last - 1)):
        db.execute("UPDATE ledger_entry SET seq = ? WHERE seq = ?", (after, before))


def _cut(db: sqlite3.Connection, last: int) -> None:
    db.execute("DELETE FROM ledger_entry WHERE seq > ?", (last - 2,))


def _written_anew(db: sqlite3.Connection, last: int) -> None:
    """Replace an entry and give all that follow the hashes that belong to it."""
    _another_actor(db, last)
    query = f"SELECT {COLUMNS} FROM ledger_entry WHERE seq >= ? ORDER BY seq"  # noqa: S608 - fixed column names
    rows = [LedgerEntry(*row) for row in db.execute(query, (last - 3,)).fetchall()]
    before = rows[0].hash
    for row in rows[1:]:
        fresh = replace(row, prev_hash=before)
        before = leaf_hash(fresh)
        db.execute("UPDATE ledger_entry SET prev_hash = ?, hash = ? WHERE seq = ?", (fresh.prev_hash, before, row.seq))


CHANGES: dict[str, Callable[[sqlite3.Connection, int], None]] = {
    "an actor changed": _another_actor,
    "an entry removed": _removed,
    "two entries swapped": _swapped,
    "the end cut off": _cut,
    "the end written anew": _written_anew,
}
