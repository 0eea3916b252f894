"""Somebody who owns the gate, its keys and its database changes what was done, and has it checked by an outsider."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from moiety.cli.ledgers import own_keys
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.foundation.clock import SystemClock
from moiety.foundation.errors import Fault, Refusal
from moiety.ledger import leaf_hash
from moiety.ledger.audit import CHECKPOINT, Folder, check, copy
from moiety.ledger.checkpointing import Checkpointing
from moiety.ledger.tree import LedgerTree
from moiety.storage import LedgerEntry, Store
from moiety.tlog.names import witness_key
from moiety.tlog.tiles import Tile
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from moiety.drill.ground import Ground
    from moiety.ledger.audit import Source, Trust

ENTRIES = 6
COLUMNS = "seq, at_us, kind, act, actor, purpose, gallery_id, subject_id, reason_sealed, detail, prev_hash, hash"


class ChangedLedger(Drill):
    """Entries of the ledger are changed, swapped, removed, cut off or written anew."""

    name = "changed-ledger"
    tried = (
        "with the gate's database and keys changed, swapped, removed and cut off entries of the ledger, wrote its end "
        "anew with right hashes and signatures; asked the witness to sign it, and gave a copy to somebody who checks it"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.WITNESS: "weak_witness:proof_unchecked"}

    def attack(self, ground: Ground) -> Obtained:
        """Make each change to a fresh copy of the database, and count those that pass for the ledger."""
        with ground.owner() as line:
            for _ in range(ENTRIES):
                line.ask("POST", "galleries", json={"name": ground.name("entry"), "purpose": "an entry in the ledger"})
            signed = line.ask("POST", "ledger/checkpoint")
        if signed["state"] != "cosigned":
            raise Fault("The witness has not signed the ledger, so that there is nothing to be broken.")
        ground.arrange(gate_runs=False)
        folder = ground.folder / ground.name("ledgers")
        folder.mkdir(mode=0o700)
        tally = Tally()
        trust = own_keys(ground.made.data)
        for number, (what, change) in enumerate(CHANGES.items()):
            database = folder / f"{number}.sqlite"
            _altered(ground.made.folder(Role.GATE) / "gate.sqlite", database, change)
            passed = _passes(ground, database, folder / f"copy-{number}", trust)
            tally.add(passed, f"{what}: {'not noticed' if passed else 'noticed'}")
        return tally.obtained()


class _Shown:
    """What the gate would show of a database."""

    def __init__(self, store: Store, note: bytes) -> None:
        """Show the ledger of `store` under a checkpoint."""
        self._tree = LedgerTree(store)
        self._note = note

    def read(self, path: str) -> bytes:
        """Give a file of the ledger."""
        return self._note if path == CHECKPOINT else self._tree.tile(Tile.parse(path))


def _passes(ground: Ground, database: Path, folder: Path, trust: Trust) -> bool:
    """Whether somebody outside takes a ledger for sound, under the old signature or a new one."""
    with Store(database, SystemClock(), create=False) as store:
        for note in _notes(ground, store):
            shutil.rmtree(folder, ignore_errors=True)
            if _sound(_Shown(store, note), folder, trust):
                return True
    return False


def _notes(ground: Ground, store: Store) -> list[bytes]:
    """Give the checkpoint that the witness signed before the change, and what it signs of the changed ledger."""
    with store.read() as tx:
        kept = tx.ledger.cosigned()
    if kept is None:
        raise Fault("The gate has kept no signed checkpoint.")
    return [kept.note, *asyncio.run(_signed_anew(ground, store))]


async def _signed_anew(ground: Ground, store: Store) -> list[bytes]:
    """Be the gate, and ask the witness to sign what became of the ledger."""
    at = ground.place(Role.GATE)
    tenant, line = at.installation.tenant, at.client(Role.WITNESS)
    service = Checkpointing(store, tenant, at.identity.signing, line, witness_key(tenant, at.public(Role.WITNESS)))
    try:
        await service.cosign()
    except (Refusal, Fault):
        return []
    finally:
        await line.close()
    return [service.note().encode()]


def _sound(source: Source, folder: Path, trust: Trust) -> bool:
    """Copy a ledger as the gate does for an outsider, and check the copy as he does."""
    try:
        copy(source, folder, ())
        check(Folder(folder), trust)
    except (Refusal, Fault):
        return False
    return True


def _altered(database: Path, into: Path, change: Callable[[sqlite3.Connection, int], None]) -> None:
    """Copy a database that nobody has open, and change the copy as one who owns the file."""
    shutil.copy2(database, into)
    with sqlite3.connect(into) as db:
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
