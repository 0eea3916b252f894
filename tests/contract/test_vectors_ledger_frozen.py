"""Trees, proofs, tiles, notes and cosignatures are those of vectors/ledger.json, which the Go project's code wrote."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.tlog.checkpoints import Checkpoint, cosign, cosigned_at, opened
from moiety.tlog.merkle import EMPTY_ROOT, Frontier, Tree, extends, fold, included, leaf_hash
from moiety.tlog.notes import Note, VerifierKey, sign
from moiety.tlog.tiles import Tile, tiles_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FROZEN = json.loads((Path(__file__).parents[2] / "vectors" / "ledger.json").read_text())
SIZE = FROZEN["leaves"]
ROOTS = {int(size): bytes.fromhex(root) for size, root in FROZEN["roots"].items()}


def raw(hashes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in hashes]


@pytest.fixture(scope="module")
def levels() -> list[list[bytes]]:
    """Hash the entries, and full tiles above them."""
    rows = [[leaf_hash(b"entry %d" % number) for number in range(SIZE)]]
    while len(rows[-1]) >= 256:
        below = rows[-1]
        rows.append([fold(below[at : at + 256]) for at in range(0, len(below) - 255, 256)])
    return rows


@pytest.fixture
def hashes(levels: list[list[bytes]]) -> Any:
    return lambda level, first, count: levels[level][first : first + count]


def test_roots(levels: list[list[bytes]], hashes: Any) -> None:
    edge = Frontier()
    for leaf in levels[0]:
        edge.add(leaf)
        if edge.size in ROOTS:
            assert edge.root() == ROOTS[edge.size] == Tree(hashes, edge.size).root()
    assert Frontier().root() == Tree(hashes, 0).root() == EMPTY_ROOT == hashlib.sha256().digest()


def test_inclusion(levels: list[list[bytes]], hashes: Any) -> None:
    for told in FROZEN["inclusion"]:
        size, index, proof = told["size"], told["index"], raw(told["proof"])
        assert Tree(hashes, size).inclusion(index) == proof
        assert included(levels[0][index], index, size, proof, ROOTS[size])
        assert not included(levels[0][index], index, size, [*proof, bytes(32)], ROOTS[size])
        assert not included(levels[0][index ^ 1], index, size, proof, ROOTS[size])


def test_consistency(hashes: Any) -> None:
    for told in FROZEN["consistency"]:
        size, old, proof = told["size"], told["old"], raw(told["proof"])
        assert Tree(hashes, size).consistency(old) == proof
        assert extends(old, ROOTS[old], size, ROOTS[size], proof)
        assert not extends(old, bytes(32), size, ROOTS[size], proof)
        assert not extends(old, ROOTS[old], size, bytes(32), proof)
        assert not extends(old, ROOTS[old], size, ROOTS[size], [*proof, bytes(32)])
        if proof:
            assert not extends(old, ROOTS[old], size, ROOTS[size], proof[:-1])


def test_tiles(hashes: Any) -> None:
    found = {
        tile.path(): hashlib.sha256(b"".join(hashes(tile.level, tile.first, tile.width))).hexdigest()
        for tile in tiles_of(SIZE)
    }
    assert found == {f"tile/{path}": digest for path, digest in FROZEN["tiles_sha256"].items()}


def test_paths() -> None:
    for told, path in FROZEN["paths"].items():
        level, number, width = map(int, told.split())
        assert Tile(level, number, width).path() == f"tile/{path}"
        assert Tile.parse(f"tile/{path}") == Tile(level, number, width)


def test_notes_and_cosignatures() -> None:
    log, witness = VerifierKey.parse(FROZEN["log_key"]), VerifierKey.parse(FROZEN["witness_key"])
    assert (log.encode(), witness.encode()) == (FROZEN["log_key"], FROZEN["witness_key"])
    text = Checkpoint(FROZEN["origin"], SIZE, ROOTS[SIZE]).text()
    own = sign(text, FROZEN["origin"], Ed25519PrivateKey.from_private_bytes(bytes.fromhex(FROZEN["log_seed"])))
    assert Note(text, (own,)).encode() == FROZEN["signed"].encode()
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(FROZEN["witness_seed"]))
    both = Note(text, (own, cosign(text, FROZEN["witness"], key, FROZEN["time"])))
    assert both.encode() == FROZEN["cosigned"].encode()
    found = Note.parse(FROZEN["cosigned"].encode())
    assert found == both
    assert opened(found, log) == Checkpoint(FROZEN["origin"], SIZE, ROOTS[SIZE])
    assert cosigned_at(found.text, found.signatures, witness) == FROZEN["time"]
    assert cosigned_at(found.text, Note.parse(FROZEN["signed"].encode()).signatures, witness) is None
