"""The ledger as a tree: subtrees are hashed as entries come, and databases of before get theirs by migration."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert, text

from databases import BOTH, SQLITE, at, at_version, run_beside, without_trigger
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, Fault, NotFound
from moiety.ledger import Kind, Ledger, LedgerBroken, leaf_bytes
from moiety.ledger.tree import LedgerTree
from moiety.storage import LedgerEntry, Store
from moiety.storage.tables import LedgerRow
from moiety.tlog.merkle import EMPTY_ROOT, Frontier, extends, included, leaf_hash
from moiety.tlog.tiles import Tile, unbundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "gate.db"


def fill(gate: Store, count: int) -> None:
    ledger = Ledger(gate, bytes(32))
    with gate.begin() as tx:
        for number in range(count):
            ledger.append(tx, Kind.CONSULTATION, "identify", actor="owner", purpose="p", number=number)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / FILE, HandClock()) as made:
        fill(made, 600)
        yield made


def roots(gate: Store) -> list[bytes]:
    edge, found = Frontier(), [EMPTY_ROOT]
    with gate.read() as tx:
        for entry in tx.ledger.every():
            edge.add(leaf_hash(leaf_bytes(entry)))
            found.append(edge.root())
    return found


def test_roots_and_proofs_are_those_of_the_entries(gate: Store) -> None:
    tree, wanted = LedgerTree(gate), roots(gate)
    assert tree.root() == (600, wanted[600])
    for size in (0, 1, 2, 255, 256, 257, 511, 512, 513, 599):
        assert tree.root(size) == (size, wanted[size])
        assert extends(size, wanted[size], 600, wanted[600], tree.consistency(size, 600))
    numbers = (1, 2, 256, 257, 512, 513, 600)
    for seq, (entry, proof) in zip(numbers, tree.inclusions(numbers, 600), strict=True):
        assert entry.seq == seq
        assert included(entry.hash, seq - 1, 600, proof, wanted[600])
    with pytest.raises(NotFound):
        tree.root(601)
    with pytest.raises(NotFound):
        tree.inclusions([601], 600)
    with pytest.raises(BadInput):
        tree.inclusions([600], 599)


def test_tiles_and_bundles(gate: Store) -> None:
    tree = LedgerTree(gate)
    with gate.read() as tx:
        entries = list(tx.ledger.every())
        above = tx.ledger.hashes(1, 0, 9)
    assert unbundle(tree.tile(Tile(None, 2, 88))) == [leaf_bytes(entry) for entry in entries[512:]]
    assert tree.tile(Tile(0, 1)) == b"".join(entry.hash for entry in entries[256:512])
    assert tree.tile(Tile(1, 0, 2)) == b"".join(above)
    for tile in (Tile(0, 2), Tile(0, 2, 89), Tile(1, 0, 3), Tile(2, 0, 1), Tile(None, 3, 1)):
        with pytest.raises(NotFound):
            tree.tile(tile)


def test_an_append_writes_one_row_and_a_full_tile_one_more(gate: Store) -> None:
    written = []
    event.listen(
        gate.engine,
        "before_cursor_execute",
        lambda *given: written.append(given[2].split()[2]) if given[2].startswith("INSERT") else None,
    )
    fill(gate, 168)
    assert (written.count("ledger_entry"), written.count("ledger_hash")) == (168, 1)


def test_a_changed_hash_of_a_subtree_is_named(tmp_path: Path, gate: Store) -> None:
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as thief:
        thief.execute("DROP TRIGGER ledger_hash_no_update")
        thief.execute("UPDATE ledger_hash SET hash = zeroblob(32) WHERE number = 1")
        with pytest.raises(LedgerBroken) as caught:
            Ledger(gate, bytes(32)).verify()
        assert caught.value.seq == 257
        thief.execute("DROP TRIGGER ledger_hash_no_delete")
        thief.execute("DELETE FROM ledger_hash WHERE number = 1")
        with pytest.raises(LedgerBroken) as caught:
            Ledger(gate, bytes(32)).verify()
        assert caught.value.seq == 257
    with pytest.raises(Fault, match="missing"):
        LedgerTree(gate).root()


def test_a_hash_too_many_is_noticed(tmp_path: Path, gate: Store) -> None:
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as thief:
        thief.execute("INSERT INTO ledger_hash VALUES (1, 2, zeroblob(32))")
    with pytest.raises(LedgerBroken) as caught:
        Ledger(gate, bytes(32)).verify()
    assert caught.value.seq == 601


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_hash SET hash = hash",
        "DELETE FROM ledger_hash",
        "INSERT OR REPLACE INTO ledger_hash SELECT * FROM ledger_hash WHERE number = 0",
    ],
)
def test_the_database_refuses_to_change_hashes(tmp_path: Path, gate: Store, statement: str) -> None:
    assert gate.engine is not None
    with (
        closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as thief,
        pytest.raises(sqlite3.IntegrityError, match="only added to"),
    ):
        thief.execute(statement)


def of_before(path: Path, count: int) -> list[dict[str, Any]]:
    """Make a database of version 0002 with many entries, as they stood there; gives them."""
    rows, before = [], bytes(32)
    for seq in range(1, count + 1):
        entry = LedgerEntry(seq, seq, "erasure", "erase", "owner", "p", None, None, None, "{}", before, b"")
        before = leaf_hash(leaf_bytes(entry))
        rows.append(asdict(replace(entry, hash=before)))
    engine = at_version(path, "0002")
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(LedgerRow), rows)
    engine.dispose()
    return rows


@BOTH
@pytest.mark.parametrize("count", [0, 255, 600])
def test_a_database_of_before_gets_its_tree(tmp_path: Path, count: int) -> None:
    check_tree_of_before(tmp_path / FILE, count)


@SQLITE
def test_a_large_database_of_before_gets_a_tree_of_two_levels(tmp_path: Path) -> None:
    check_tree_of_before(tmp_path / FILE, 65_536 + 300)


def check_tree_of_before(path: Path, count: int) -> None:
    """Open a database of before, and hold its entries and hashes against what was there."""
    before = of_before(path, count)
    with Store(at(path), HandClock()) as gate:
        with gate.read() as tx:
            assert [asdict(one) for one in tx.ledger.page(limit=count + 1)] == before
            assert tx.ledger.hash_count() == count // 256 + count // 65_536
        assert Ledger(gate, bytes(32)).verify().size == count
        fill(gate, 256)
        assert Ledger(gate, bytes(32)).verify().size == count + 256


@BOTH
def test_a_database_of_before_with_a_gap_still_opens_and_is_found_out(tmp_path: Path) -> None:
    of_before(tmp_path / FILE, 600)
    off = without_trigger("ledger_entry", "ledger_entry_no_delete")
    run_beside(tmp_path / FILE, off, "DELETE FROM ledger_entry WHERE seq = 300")
    with Store(at(tmp_path / FILE), HandClock()) as gate, pytest.raises(LedgerBroken) as caught:
        Ledger(gate, bytes(32)).verify()
    assert caught.value.seq == 300


@pytest.mark.both_databases("postgresql")
def test_adding_reads_no_more_of_a_long_ledger_than_of_a_short_one(tmp_path: Path) -> None:
    read = text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'ledger_entry'")
    with Store(at(tmp_path / FILE), HandClock()) as gate:
        fill(gate, 1500)
        ledger = Ledger(gate, bytes(32))
        with gate.begin() as tx:
            ledger.append(tx, Kind.CONSULTATION, "identify", actor="owner", purpose="p")
            assert tx.session.execute(read).scalar_one() == 0, "rows that were read without an index"
