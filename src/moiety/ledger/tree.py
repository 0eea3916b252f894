"""The ledger as a tiled Merkle tree, read from the database: roots, tiles, bundles, proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.foundation.errors import NotFound
from moiety.ledger.leaves import leaf_bytes
from moiety.tlog.merkle import Tree
from moiety.tlog.tiles import bundle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moiety.storage import LedgerEntry, Store, Transaction
    from moiety.tlog.tiles import Tile


def _size(tx: Transaction) -> int:
    last = tx.ledger.last()
    return 0 if last is None else last.seq


class LedgerTree:
    """Reads; each call sees one moment of the ledger."""

    def __init__(self, store: Store) -> None:
        """Read from the gate's store."""
        self._store = store

    def root(self, size: int | None = None) -> tuple[int, bytes]:
        """Return a size (all entries, or the first `size`) and the root hash of the tree of that many entries.

        Raises:
            NotFound: there are fewer entries.
            Fault: hashes are missing from the database.

        """
        with self._store.read() as tx:
            there = _size(tx)
            wanted = there if size is None else size
            if wanted > there:
                raise NotFound("The ledger has fewer entries than that.")
            return wanted, Tree(tx.ledger.hashes, wanted).root()

    def tile(self, tile: Tile) -> bytes:
        """Return the bytes of a tile of hashes or of a bundle of entries.

        Raises:
            NotFound: the ledger is not that far.

        """
        with self._store.read() as tx:
            if tile.level is None:
                entries = tx.ledger.page(after=tile.first, limit=tile.width)
                found = [leaf_bytes(entry) for entry in entries]
            else:
                found = tx.ledger.hashes(tile.level, tile.first, tile.width)
        if len(found) != tile.width:
            raise NotFound("The ledger has no such tile yet.")
        return bundle(found) if tile.level is None else b"".join(found)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Prove that the tree of `size` entries extends that of `old`.

        Raises:
            BadInput: `old` is not below `size`.
            Fault: hashes are missing from the database.

        """
        with self._store.read() as tx:
            return Tree(tx.ledger.hashes, size).consistency(old)

    def inclusions(self, seqs: Iterable[int], size: int) -> list[tuple[LedgerEntry, list[bytes]]]:
        """Return entries by their numbers (from 1) and prove of each that it is in the tree of `size` entries.

        Raises:
            NotFound: there is no such entry.
            BadInput: the tree of that size has no such entry yet.
            Fault: hashes are missing from the database.

        """
        with self._store.read() as tx:
            tree = Tree(tx.ledger.hashes, size)
            return [(tx.ledger.get(seq), tree.inclusion(seq - 1)) for seq in seqs]
