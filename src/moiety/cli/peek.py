"""What each part holds on disk, a few bytes of it in hex: for the demonstration, to be looked at by people."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.installation import Installation

BYTES = 48


def _hex(raw: bytes) -> str:
    """Show the beginning of some bytes."""
    return raw[:BYTES].hex(" ", 4) + (" …" if len(raw) > BYTES else "")


def _one(path: Path, query: str) -> tuple[str, bytes] | None:
    """Read a text and some bytes from one record of a database that is in use."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        row: tuple[str, bytes] | None = db.execute(query).fetchone()
    return row


def peek(installation: Installation) -> list[tuple[str, str]]:
    """Give for A, B and the gate what it is and how it looks."""
    rows = sorted((installation.folder(Role.VAULT_A) / "rows").glob("*.rows"))[:1]
    found = [("vault A, a masked row (template minus noise)", _hex(path.read_bytes()[:1024])) for path in rows]
    journal, gate = installation.folder(Role.VAULT_B) / "journal.sqlite", installation.folder(Role.GATE) / "gate.sqlite"
    seed = _one(journal, "SELECT gallery, sealed FROM fresh")
    if seed:
        found.append(("vault B, a seed (sealed; it makes the noise)", _hex(seed[1])))
    field = gate.exists() and _one(gate, "SELECT subject_id || ', ' || name, ciphertext FROM subject_field")
    if field:
        found.append((f"gate, a field of a person ({field[0]})", _hex(field[1])))
    return found
