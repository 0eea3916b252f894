"""Which epochs of a gallery's halves a vault holds: the one in force, one that is prepared, one that is to be dropped.

A refresh makes the halves of the next epoch. Its `mark`, 16 random bytes, names that refresh at both vaults: halves fit
each other when epoch and mark are the same. The journal's table `policy` names the epoch in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from moiety.vault.journal import Journal

FIRST_MARK = bytes(16)


@dataclass(frozen=True, slots=True)
class Generation:
    """The halves of one epoch; at B `key` numbers the key under which its file of `flat` slots was sealed."""

    gallery: str
    epoch: int
    mark: bytes
    key: int = 0
    sealed_at: float = 0.0
    flat: int = 0


_COLUMNS = "gallery, epoch, mark, sealing, sealed_at, flat"


def held(journal: Journal, gallery: str) -> dict[int, Generation]:
    """Give every generation that the vault holds of a gallery, by epoch."""
    query = f"SELECT {_COLUMNS} FROM generation WHERE gallery = ? ORDER BY epoch"  # noqa: S608 - fixed column names
    return {row[1]: Generation(*row) for row in journal.read(query, (gallery,))}


def all_held(journal: Journal) -> list[Generation]:
    """Give every generation of every gallery."""
    return [Generation(*row) for row in journal.read(f"SELECT {_COLUMNS} FROM generation")]  # noqa: S608 - as above


def put(db: sqlite3.Connection, made: Generation) -> None:
    """Enter a generation, or what has changed of it."""
    db.execute(
        f"INSERT OR REPLACE INTO generation ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - as above
        (made.gallery, made.epoch, made.mark, made.key, made.sealed_at, made.flat),
    )


def remove(db: sqlite3.Connection, gallery: str, epoch: int) -> None:
    """Strike a generation out, with the seeds of it that are in no file yet."""
    db.execute("DELETE FROM fresh WHERE gallery = ? AND epoch = ?", (gallery, epoch))
    db.execute("DELETE FROM generation WHERE gallery = ? AND epoch = ?", (gallery, epoch))


def put_in_force(db: sqlite3.Connection, gallery: str, epoch: int) -> None:
    """Let an epoch of a gallery be the one that answers."""
    db.execute("UPDATE policy SET epoch = ? WHERE gallery = ?", (epoch, gallery))
