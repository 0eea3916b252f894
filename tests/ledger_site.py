"""A ledger in a database with a witness beside it, and copies of it, without any process.

site = LedgerSite(tmp_path); site.write(300); site.cosign(); site.copy(tmp_path / "copy")
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import HandClock
from moiety.ledger import Kind, Ledger
from moiety.ledger.audit import CHECKPOINT, Trust, copy
from moiety.ledger.tree import LedgerTree
from moiety.storage import Store
from moiety.tlog.asking import AddCheckpoint
from moiety.tlog.checkpoints import Checkpoint
from moiety.tlog.names import log_key, witness_key
from moiety.tlog.notes import Note, sign, signature_lines
from moiety.tlog.tiles import Tile
from moiety.witness.cosigner import Cosigner
from moiety.witness.heads import Heads

if TYPE_CHECKING:
    from pathlib import Path

TENANT = "ten_0001"
KEY, WITNESS = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
TRUST = Trust(
    log_key(TENANT, KEY.public_key().public_bytes_raw()),
    (witness_key(TENANT, WITNESS.public_key().public_bytes_raw()),),
)


class LedgerSite:
    """The gate's file, and what the gate and the witness do with it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate.db"
        self.clock = HandClock()
        heads = Heads(folder / "checkpoints.sqlite")
        self.cosigner = Cosigner(heads, TRUST.log, TRUST.witnesses[0].name, WITNESS, self.clock)
        self.checkpoint = b""
        self.write(0)

    def write(self, count: int, act: str = "identify") -> None:
        """Let the gate add entries."""
        self.clock.move(1)
        with Store(self.path, self.clock) as gate, gate.begin() as tx:
            for number in range(count):
                Ledger(gate, bytes(32)).append(
                    tx, Kind.CONSULTATION, act, actor="owner", purpose="p", reason="because", number=number
                )

    def cosign(self, old: int = 0) -> int:
        """Let the gate ask for a signature as from size `old`; gives the witness's status."""
        with Store(self.path, self.clock) as gate:
            tree = LedgerTree(gate)
            size, root = tree.root()
            proof = tree.consistency(old, size) if old <= size else []
        text = Checkpoint(TRUST.log.name, size, root).text()
        note = Note(text, (sign(text, TRUST.log.name, KEY),))
        told = self.cosigner.ask(AddCheckpoint(min(old, size), tuple(proof), note).encode())
        if told.status == 200:
            self.checkpoint = Note(text, (*note.signatures, *signature_lines(told.lines))).encode()
        return told.status

    def sign_alone(self) -> bytes:
        """Sign the ledger as it is now with the gate's own key, as somebody could who has it."""
        with Store(self.path, self.clock) as gate:
            text = Checkpoint(TRUST.log.name, *LedgerTree(gate).root()).text()
        return Note(text, (sign(text, TRUST.log.name, KEY),)).encode()

    def read(self, path: str) -> bytes:
        """Be the gate that shows its ledger."""
        if path == CHECKPOINT:
            return self.checkpoint
        with Store(self.path, self.clock) as gate:
            return LedgerTree(gate).tile(Tile.parse(path))

    def copy(self, folder: Path) -> None:
        """Copy it for somebody outside."""
        copy(self, folder, (TRUST.log, *TRUST.witnesses))

    def steal(self, *statements: str) -> None:
        """Change the file as somebody does who owns the disk."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as thief:
            for (trigger,) in thief.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                thief.execute(f"DROP TRIGGER {trigger}")
            for statement in statements:
                thief.execute(statement)

    def recount(self) -> None:
        """Count what is left, as somebody does who has the gate's program."""
        self.steal("DELETE FROM ledger_day")
        with Store(self.path, HandClock()) as gate, gate.begin() as tx:
            for entry in tx.ledger.every():
                tx.ledger.days.add(entry)

    def forge(self, seq: int) -> None:
        """Write the ledger anew from `seq` on, with all its hashes, as somebody does who has the gate's program."""
        with closing(sqlite3.connect(self.path)) as db:
            (last,) = db.execute("SELECT max(seq) FROM ledger_entry").fetchone()
        above = f"(number + 1) * (CASE level WHEN 1 THEN 256 ELSE 65536 END) >= {seq}"
        self.steal(
            f"DELETE FROM ledger_entry WHERE seq >= {seq}",  # noqa: S608 - a number
            f"DELETE FROM ledger_hash WHERE {above}",  # noqa: S608 - as above
        )
        self.recount()
        self.write(last - seq + 1, "nothing")
