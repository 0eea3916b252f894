"""The Merkle tree of RFC 6962, section 2.1: roots, proofs, and checking them (RFC 9162, sections 2.1.3 and 2.1.4).

Proofs are made from what a tiled log keeps: hashes of leaves (level 0) and of full subtrees of 256, 65536, … leaves.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from moiety.foundation.errors import BadInput, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
# A tile holds 256 hashes: it is a subtree of this height.
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
# A leaf is hashed behind another byte than an inner node, so that neither can pass for the other.
_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry), 32 bytes."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), 32 bytes."""
    return hashlib.sha256(_NODE + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Give the root of a full subtree from 1, 2, 4, … hashes beneath it."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


class Frontier:
    """The right edge of a growing tree: the roots of its full subtrees, biggest first. Adding a leaf costs one hash."""

    def __init__(self) -> None:
        """Begin with no leaf."""
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        at, node = self.size, leaf
        while at & 1:
            node = node_hash(self._peaks.pop(), node)
            at >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Give the root of all that was added."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


class Hashes(Protocol):
    """What a tiled log can be asked for."""

    def __call__(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """Give hashes from `first` on of a level: roots of full subtrees of 256**level leaves; fewer if there are."""
        ...


def _split(count: int) -> int:
    """Give the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


class Tree:
    """A tree of some size over stored hashes. Each node costs at most one read of 128 hashes, and that once.

    Paths of neighbours have nearly all of their nodes in common.
    """

    def __init__(self, hashes: Hashes, size: int) -> None:
        """Look at the first `size` leaves."""
        self._hashes = hashes
        self._known: dict[tuple[int, int], bytes] = {}
        self.size = size

    def _full(self, first: int, count: int) -> bytes:
        """Give the root of a full subtree of a power of two leaves, aligned to its size."""
        known = self._known.get((first, count))
        if known is not None:
            return known
        height = count.bit_length() - 1
        level, above = divmod(height, TILE_HEIGHT)
        wanted = 1 << above
        found = self._hashes(level, (first >> height) << above, wanted)
        if len(found) != wanted:
            raise Fault("Hashes of the ledger's tree are missing.")
        made = self._known[first, count] = fold(found)
        return made

    def _range(self, first: int, end: int) -> bytes:
        """Give MTH(D[first:end]) where `first` is aligned as it is inside the tree."""
        peaks = []
        while first < end:
            count = 1 << (end - first).bit_length() - 1
            peaks.append(self._full(first, count))
            first += count
        root = peaks.pop()
        while peaks:
            root = node_hash(peaks.pop(), root)
        return root

    def root(self) -> bytes:
        """Give the root hash, 32 bytes.

        Raises:
            Fault: a stored hash is missing.

        """
        return self._range(0, self.size) if self.size else EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """Prove that leaf `index` (from 0) is in the tree: RFC 6962, section 2.1.1, sibling of the leaf first.

        Raises:
            BadInput: the tree has no such leaf.
            Fault: a stored hash is missing.

        """
        if not 0 <= index < self.size:
            raise BadInput("The tree has no such leaf.")
        path, first, end = [], 0, self.size
        while end - first > 1:
            middle = first + _split(end - first)
            if index < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(first, middle))
                first = middle
        return path[::-1]

    def consistency(self, old: int) -> list[bytes]:
        """Prove that the first `old` leaves are those of the tree of that size: RFC 6962, section 2.1.2.

        Raises:
            BadInput: the tree is smaller than that.
            Fault: a stored hash is missing.

        """
        if not 0 <= old <= self.size:
            raise BadInput("The tree is smaller than that.")
        path: list[bytes] = []
        first, end = 0, self.size
        while old and old != end:
            middle = first + _split(end - first)
            if old <= middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(first, middle))
                first = middle
        if first:
            path.append(self._range(first, end))
        return path[::-1]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Check an inclusion proof of a leaf's hash: RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for node in proof:
        if not last:
            return False
        if at & 1 or at == last:
            found = node_hash(node, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    return not last and found == root


def extends(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Check that a tree extends an older one: RFC 9162, section 2.1.4.2. From an empty tree the proof is empty."""
    if not 0 <= old <= size:
        return False
    if old in {0, size}:
        return not proof and (old_root == root if old == size else old_root == EMPTY_ROOT)
    path = [old_root, *proof] if not old & (old - 1) else list(proof)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for node in path[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, node)
        at, last = at >> 1, last >> 1
    return not last and before == old_root and after == root
