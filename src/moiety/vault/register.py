"""The register of rows in a half's journal: which slot a row has, at which place it stands, in which state it is.

prepared    durable, in no search, without a place; the gate commits it or lets it go
live        in every search, at its place `seq`
excluded    it was damaged or altered at one of the vaults: in no search, keeps its place, until it is erased
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.errors import AlreadyThere, NotFound, OutOfStep
from moiety.foundation.ids import ROW_ID_BYTES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from moiety.vault.journal import Journal

# Databases bound the number of parameters of one statement; 500 is below every bound.
IDS_PER_QUERY = 500
ROWS_PER_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one gallery: ids u8[n, 16], slots i64[n], places i64[n]."""

    ids: NDArray[np.uint8]
    slots: NDArray[np.int64]
    seqs: NDArray[np.int64]

    def __len__(self) -> int:
        """Count them."""
        return len(self.slots)

    def joined(self, more: Rows) -> Rows:
        """Put other rows behind these; always copies."""
        return Rows(
            np.concatenate([self.ids, more.ids]),
            np.concatenate([self.slots, more.slots]),
            np.concatenate([self.seqs, more.seqs]),
        )

    def copy(self) -> Rows:
        """Copy the arrays."""
        return self.part(np.arange(len(self)))

    def part(self, which: slice | NDArray[Any]) -> Rows:
        """Take some of them."""
        return Rows(self.ids[which], self.slots[which], self.seqs[which])


NO_ROWS = Rows(np.empty((0, ROW_ID_BYTES), np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))


def as_ids(row_ids: Sequence[bytes]) -> NDArray[np.uint8]:
    """Put row ids into u8[n, 16]."""
    return np.frombuffer(b"".join(row_ids), np.uint8).reshape(-1, ROW_ID_BYTES)


def as_bytes(ids: NDArray[np.uint8]) -> list[bytes]:
    """Take u8[n, 16] apart into row ids; for few."""
    return cut(ids.tobytes())


def cut(joined: bytes) -> list[bytes]:
    """Take joined row ids apart; for few."""
    return [joined[at : at + ROW_ID_BYTES] for at in range(0, len(joined), ROW_ID_BYTES)]


def live(journal: Journal, gallery: str) -> Rows:
    """Read the live rows in their order."""
    found = _columns(journal, gallery, "hex(row_id) || printf('%016x%016x', slot, seq)", "state = 'live'", 32)
    numbers = found[:, ROW_ID_BYTES:].copy().view(">i8").astype(np.int64)
    order = np.argsort(numbers[:, 1], kind="stable")
    return Rows(found[order, :ROW_ID_BYTES], numbers[order, 0], numbers[order, 1])


def _columns(journal: Journal, gallery: str, record: str, which: str, size: int) -> NDArray[np.uint8]:
    """Read one record of `size` bytes, given in hex, of each of a gallery's rows: u8[n, size], in no order.

    The database joins them: of millions of rows none becomes a thing of Python's.
    """
    query = f"SELECT group_concat({record}, '') FROM row WHERE gallery = ? AND slot >= ? AND slot < ? AND {which}"  # noqa: S608 - fixed words
    ((last,),) = journal.read("SELECT max(slot) FROM row WHERE gallery = ?", (gallery,))
    found = []
    for start in range(0, (-1 if last is None else last) + 1, ROWS_PER_READ):
        ((joined,),) = journal.read(query, (gallery, start, start + ROWS_PER_READ))
        found.append(bytes.fromhex(joined or ""))
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, size)


def owned(journal: Journal, gallery: str) -> Iterator[Rows]:
    """Read rows of every state by slot, some ten thousand at a time; rows that come or go meanwhile may be missed."""
    query = "SELECT row_id, slot FROM row WHERE gallery = ? AND slot > ? ORDER BY slot LIMIT ?"
    last = -1
    while found := journal.read(query, (gallery, last, ROWS_PER_READ)):
        yield _rows(found)
        last = found[-1][1]


def at_slots(journal: Journal, gallery: str, slots: Sequence[int]) -> Rows:
    """Read the rows of every state that own one of the slots, by slot."""
    found: list[tuple[bytes, int]] = []
    for some in _chunks(slots):
        query = f"SELECT row_id, slot FROM row WHERE gallery = ? AND slot IN ({_marks(some)})"  # noqa: S608 - question marks
        found += [(row_id, slot) for row_id, slot in journal.read(query, (gallery, *some))]
    return _rows(sorted(found, key=lambda row: row[1]))


def _rows(found: Sequence[tuple[Any, ...]]) -> Rows:
    """Put (row id, slot) into arrays; places do not matter."""
    slots = np.array([slot for _, slot in found], np.int64)
    return Rows(as_ids([row_id for row_id, _ in found]), slots, np.zeros(len(found), np.int64))


def in_state(journal: Journal, gallery: str, state: str) -> list[bytes]:
    """List the row ids of the few rows that are prepared, or excluded, in order of their bytes."""
    query = "SELECT row_id FROM row WHERE gallery = ? AND state = ? AND state <> 'live' ORDER BY row_id"
    return [row_id for (row_id,) in journal.read(query, (gallery, state))]


def find(journal: Journal, gallery: str, row_ids: Sequence[bytes]) -> dict[bytes, tuple[int, int | None, str]]:
    """Read slot, place and state of those of the rows that the gallery has."""
    found: dict[bytes, tuple[int, int | None, str]] = {}
    for some in _chunks(row_ids):
        query = f"SELECT row_id, slot, seq, state FROM row WHERE gallery = ? AND row_id IN ({_marks(some)})"  # noqa: S608 - question marks
        found |= {row_id: (slot, seq, state) for row_id, slot, seq, state in journal.read(query, (gallery, *some))}
    return found


def slots_of(journal: Journal, gallery: str, row_ids: Sequence[bytes]) -> NDArray[np.int64]:
    """Give the slots of rows, in order.

    Raises:
        NotFound: the gallery does not have one of them.

    """
    found = find(journal, gallery, row_ids)
    if len(found) != len(set(row_ids)):
        raise NotFound("A row is missing in a vault.")
    return np.array([found[row_id][0] for row_id in row_ids], np.int64)


def fresh(journal: Journal, gallery: str, epoch: int, slots: NDArray[np.int64]) -> list[tuple[int, bytes]]:
    """Read what B's journal keeps of rows that are in no file yet: (slot, record) of these slots, or of more."""
    joined = "SELECT row.slot, fresh.sealed FROM fresh JOIN row USING (row_id) WHERE fresh.epoch = ?"
    counted = "SELECT count(*) FROM (SELECT 1 FROM fresh WHERE gallery = ? AND epoch = ? LIMIT ?)"
    many = 4 * len(slots)
    if journal.read(counted, (gallery, epoch, many + 1))[0][0] <= many:
        return journal.read(f"{joined} AND fresh.gallery = ?", (epoch, gallery))
    found: list[tuple[int, bytes]] = []
    for some in _chunks(slots.tolist()):
        found += journal.read(f"{joined} AND row.gallery = ? AND row.slot IN ({_marks(some)})", (epoch, gallery, *some))
    return found


# ---- inside a transaction ----


def insert(db: sqlite3.Connection, gallery: str, row_ids: Sequence[bytes], slots: Sequence[int]) -> None:
    """Put prepared rows into the register.

    Raises:
        AlreadyThere: an id is or was in use.

    """
    if len(set(row_ids)) != len(row_ids) or _known(db, row_ids):
        raise AlreadyThere("This row id is or was in use.")
    db.executemany(
        "INSERT INTO row (row_id, gallery, state, slot) VALUES (?, ?, 'prepared', ?)",
        [(row_id, gallery, slot) for row_id, slot in zip(row_ids, slots, strict=True)],
    )


def _known(db: sqlite3.Connection, row_ids: Sequence[bytes]) -> bool:
    """Say whether one of the ids is or was in use, in any gallery."""
    for some in _chunks(row_ids):
        for table in ("row", "tombstone"):
            if db.execute(f"SELECT 1 FROM {table} WHERE row_id IN ({_marks(some)}) LIMIT 1", some).fetchone():  # noqa: S608 - fixed words and question marks
                return True
    return False


def enliven(db: sqlite3.Connection, gallery: str, places: Sequence[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    """Make prepared rows live at their places (row id, seq); returns those that were not so already, by place.

    Raises:
        NotFound: a row was never prepared here.
        OutOfStep: a row is live at another place, or its place is another row's.

    """
    states: dict[bytes, tuple[str, int | None]] = {}
    for some in _chunks([row_id for row_id, _ in places]):
        query = f"SELECT row_id, state, seq FROM row WHERE gallery = ? AND row_id IN ({_marks(some)})"  # noqa: S608 - question marks
        states |= {row_id: (state, seq) for row_id, state, seq in db.execute(query, (gallery, *some))}
    if any(row_id not in states for row_id, _ in places):
        raise NotFound("A row that was to be committed was never prepared.")
    fresh = sorted((p for p in places if states[p[0]][0] == "prepared"), key=lambda place: place[1])
    moved = any(states[row_id][1] != seq for row_id, seq in places if states[row_id][0] != "prepared")
    twice = len({row_id for row_id, _ in places}) != len(places) or len({seq for _, seq in places}) != len(places)
    if moved or twice or _taken(db, gallery, [seq for _, seq in fresh]):
        raise OutOfStep
    db.executemany(
        "UPDATE row SET state = 'live', seq = ? WHERE gallery = ? AND row_id = ?",
        [(seq, gallery, row_id) for row_id, seq in fresh],
    )
    return fresh


def _taken(db: sqlite3.Connection, gallery: str, seqs: Sequence[int]) -> bool:
    """Say whether one of the places is a row's."""
    for some in _chunks(seqs):
        query = f"SELECT 1 FROM row WHERE gallery = ? AND seq IN ({_marks(some)}) LIMIT 1"  # noqa: S608 - question marks
        if db.execute(query, (gallery, *some)).fetchone():
            return True
    return False


def exclude(db: sqlite3.Connection, gallery: str, row_ids: Sequence[bytes]) -> list[bytes]:
    """Take live rows out of every search for good; returns those that were live."""
    gone: list[bytes] = []
    for some in _chunks(row_ids):
        query = f"UPDATE row SET state = 'excluded' WHERE gallery = ? AND state = 'live' AND row_id IN ({_marks(some)})"  # noqa: S608 - question marks
        gone += [row_id for (row_id,) in db.execute(f"{query} RETURNING row_id", (gallery, *some)).fetchall()]
    return gone


def bury(db: sqlite3.Connection, gallery: str, row_ids: Sequence[bytes], now: float) -> list[int]:
    """Delete rows of a gallery and put up tombstones; unknown ids get one too, another gallery's rows do not.

    Returns the slots that are free now.
    """
    free: list[int] = []
    for some in _chunks(row_ids):
        query = f"DELETE FROM row WHERE gallery = ? AND row_id IN ({_marks(some)}) RETURNING slot"  # noqa: S608 - question marks
        free += [slot for (slot,) in db.execute(query, (gallery, *some)).fetchall()]
    db.executemany(
        "INSERT INTO tombstone SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM row WHERE row_id = ?)"
        " ON CONFLICT DO NOTHING",
        [(row_id, gallery, now, row_id) for row_id in row_ids],
    )
    return free


def _marks(some: Sequence[Any]) -> str:
    return ",".join("?" * len(some))


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), IDS_PER_QUERY):
        yield items[start : start + IDS_PER_QUERY]


class Slots:
    """Which slots of a gallery are free: those below `end` that no row owns, lowest first, then all behind it."""

    def __init__(self, journal: Journal, gallery: str) -> None:
        """Read which slots are owned, by rows of any state."""
        owned = _columns(journal, gallery, "printf('%016x', slot)", "1", 8).view(">i8").reshape(-1)
        self.end = int(owned.max()) + 1 if len(owned) else 0
        free = np.ones(self.end, np.bool_)
        free[owned] = False
        self._free: list[int] = np.flatnonzero(free).tolist()

    def take(self, count: int) -> list[int]:
        """Take the `count` lowest free slots."""
        low = [heapq.heappop(self._free) for _ in range(min(count, len(self._free)))]
        rest = count - len(low)
        self.end += rest
        return [*low, *range(self.end - rest, self.end)]

    def give_back(self, slots: Sequence[int]) -> None:
        """Free slots that no row owns any more."""
        for slot in slots:
            heapq.heappush(self._free, slot)

    def free(self) -> NDArray[np.int64]:
        """List the free slots below `end`, ascending."""
        return np.sort(np.array(self._free, np.int64))
