"""Checks a ledger as somebody outside does, from its tiles and bundles alone, and copies them.

Nothing here needs the gate, its database or its keys: a folder with a copy and the public keys are enough.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from moiety.foundation.envelopes import unpack
from moiety.foundation.errors import BadInput, Unverified
from moiety.ledger.leaves import DOMAIN
from moiety.tlog.asking import EntryProof
from moiety.tlog.checkpoints import Checkpoint, cosigned_at, opened
from moiety.tlog.merkle import TILE_WIDTH, Frontier, fold, included, leaf_hash
from moiety.tlog.notes import Note
from moiety.tlog.tiles import Tile, bundles_of, tiles_of, unbundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from moiety.tlog.notes import VerifierKey

CHECKPOINT, KEYS = "checkpoint", "keys"
HASH_BYTES = 32
_SEQ, _TIME, _KIND, _BEFORE, _PARTS = 1, 2, 3, 11, 12


class Source(Protocol):
    """Where a ledger's files are read from, by their paths below its prefix."""

    def read(self, path: str) -> bytes:
        """Give a file.

        Raises:
            Unverified: it is not there.

        """
        ...


class Folder:
    """A copy on disk."""

    def __init__(self, folder: Path) -> None:
        """Read below `folder`."""
        self._folder = folder

    def read(self, path: str) -> bytes:
        """Give a file.

        Raises:
            Unverified: it is not there.

        """
        try:
            return self._folder.joinpath(path).read_bytes()
        except OSError:
            raise Unverified(f"The copy is not whole: {path} is missing.") from None


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count: the ledger's own, and all of these witnesses'."""

    log: VerifierKey
    witnesses: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a sound ledger holds; times in seconds since 1970 UTC, `kinds` counts the entries of each kind."""

    checkpoint: Checkpoint
    cosigned_at: int | None
    first_at: float | None
    last_at: float | None
    kinds: dict[str, int]


@dataclass(frozen=True, slots=True)
class Proved:
    """An entry that is in a ledger, and when it and the checkpoint were made; seconds since 1970 UTC."""

    seq: int
    checkpoint: Checkpoint
    cosigned_at: int | None
    at: float


@dataclass(slots=True)
class _Walk:
    """What a walk through all entries has seen so far."""

    edge: Frontier = field(default_factory=Frontier)
    before: bytes = bytes(HASH_BYTES)
    times: list[int] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    # The root at each size at which an older checkpoint wants to know it.
    wanted: dict[int, bytes] = field(default_factory=dict)

    def leaf(self, leaf: bytes) -> bytes:
        """Take the next entry; gives its hash.

        Raises:
            Unverified: it does not follow the one before.

        """
        seq = self.edge.size + 1
        parts = unpack(leaf)
        whole = len(parts) == _PARTS and parts[0] == DOMAIN.encode()
        if not whole or parts[_SEQ] != seq.to_bytes(8, "big") or parts[_BEFORE] != self.before:
            raise Unverified(f"The ledger was altered: entry {seq} does not follow the one before.")
        self.before = leaf_hash(leaf)
        self.edge.add(self.before)
        at = int.from_bytes(parts[_TIME], "big")
        self.times = [self.times[0] if self.times else at, at]
        self.kinds[parts[_KIND].decode(errors="replace")] += 1
        if seq in self.wanted:
            self.wanted[seq] = self.edge.root()
        return self.before


def _cosigned(note: Note, trust: Trust) -> int | None:
    """Give the time of the oldest of the witnesses' newest signatures.

    Raises:
        Unverified: one of them did not sign.

    """
    found = [cosigned_at(note.text, note.signatures, witness) for witness in trust.witnesses]
    if None in found:
        raise Unverified("The checkpoint does not bear the signature of the witness.")
    return min((at for at in found if at is not None), default=None)


def _older(raw: Sequence[bytes], trust: Trust, newest: Checkpoint) -> list[Checkpoint]:
    """Open older checkpoints of the same ledger.

    Raises:
        Unverified: one is not the ledger's, or tells of more entries than there are now.

    """
    found = [opened(Note.parse(one), trust.log) for one in raw]
    for one in found:
        if one.size > newest.size:
            raise Unverified(f"Entries were cut off: there are {newest.size} now and were {one.size} before.")
    return found


def _must_match(source: Source, tile: Tile, made: Sequence[bytes]) -> None:
    """Check a tile of hashes against those made of the entries.

    Raises:
        Unverified: they differ; the message names the first entry where it shows.

    """
    raw = source.read(tile.path())
    if raw != b"".join(made):
        told = [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]
        pairs = zip(made, told, strict=False)
        first = next(
            (number for number, (ours, theirs) in enumerate(pairs) if ours != theirs), min(len(made), len(told))
        )
        seq = (tile.first + first) * TILE_WIDTH ** (tile.level or 0) + 1
        raise Unverified(f"The ledger was altered: entry {seq} is not what was written, or is missing.")


def check(
    source: Source, trust: Trust, older: Sequence[bytes] = (), step: Callable[[int], None] = lambda _: None
) -> Found:
    """Check everything: signatures, every entry, every tile, the root, and that older checkpoints are its beginning.

    `older` are signed notes; `step` is told how many entries more were looked at.

    Raises:
        Unverified: something does not hold; the message says what, and where it shows.

    """
    note = Note.parse(source.read(CHECKPOINT))
    newest = opened(note, trust.log)
    signed_at = _cosigned(note, trust)
    before = _older(older, trust, newest)
    walk = _Walk(wanted={one.size: b"" for one in before})
    walk.wanted[0] = walk.edge.root()
    rows: list[list[bytes]] = [[]]
    for bundle in bundles_of(newest.size):
        leaves = unbundle(source.read(bundle.path()))
        if len(leaves) != bundle.width:
            raise Unverified(f"The ledger was altered: entries are missing behind number {walk.edge.size}.")
        hashes = [leaf_hash(leaf) for leaf in leaves]
        _must_match(source, Tile(0, bundle.number, bundle.width), hashes)
        for leaf in leaves:
            walk.leaf(leaf)
        if bundle.width == TILE_WIDTH:
            rows[0].append(fold(hashes))
        step(bundle.width)
    _check_above(source, newest.size, rows)
    if walk.edge.root() != newest.root:
        raise Unverified("The entries are not those whose checkpoint was signed: they were written anew.")
    for one in before:
        if walk.wanted[one.size] != one.root:
            raise Unverified(f"The ledger was written anew: its first {one.size} entries are not those of before.")
    first, last = (walk.times[0] / 1e6, walk.times[-1] / 1e6) if walk.times else (None, None)
    return Found(newest, signed_at, first, last, dict(sorted(walk.kinds.items())))


def check_entry(leaf: bytes, proof: bytes, trust: Trust) -> Proved:
    """Check that an entry is in the ledger: its bytes, and a c2sp.org/tlog-proof of them.

    Raises:
        Unverified: a signature, a hash or the entry itself does not hold.

    """
    told = EntryProof.parse(proof)
    checkpoint = opened(told.note, trust.log)
    signed_at = _cosigned(told.note, trust)
    if not included(leaf_hash(leaf), told.index, checkpoint.size, told.hashes, checkpoint.root):
        raise Unverified("The proof is not of this entry, or the entry is not in this ledger.")
    parts = unpack(leaf)
    if len(parts) != _PARTS or parts[0] != DOMAIN.encode() or parts[_SEQ] != (told.index + 1).to_bytes(8, "big"):
        raise Unverified("The entry is none of this ledger's.")
    return Proved(told.index + 1, checkpoint, signed_at, int.from_bytes(parts[_TIME], "big") / 1e6)


def _check_above(source: Source, size: int, rows: list[list[bytes]]) -> None:
    """Check the tiles above the entries' own.

    Raises:
        Unverified: one of them is another.

    """
    for tile in tiles_of(size):
        if not tile.level:
            continue
        if tile.level > len(rows):
            below = rows[-1]
            full = len(below) - len(below) % TILE_WIDTH
            rows.append([fold(below[at : at + TILE_WIDTH]) for at in range(0, full, TILE_WIDTH)])
        _must_match(source, tile, rows[tile.level - 1][tile.first : tile.first + tile.width])


def copy(
    source: Source, folder: Path, keys: Sequence[VerifierKey], step: Callable[[int], None] = lambda _: None
) -> int:
    """Write a copy into a new or empty folder; gives the number of entries. The checkpoint comes last.

    Raises:
        BadInput: the folder is not empty, or cannot be written.
        Unverified: the source has no checkpoint.

    """
    note = source.read(CHECKPOINT)
    size = Checkpoint.parse(Note.parse(note).text).size
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadInput(f"The folder {folder.name!r} is not empty.")
        for tile in (*bundles_of(size), *tiles_of(size)):
            path = folder / tile.path()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read(tile.path()))
            step(1)
        # What an outsider should get from the people who run the parts, and not from here; it is a convenience.
        folder.joinpath(KEYS).write_text("".join(f"{key.encode()}\n" for key in keys))
        # The checkpoint is last: what a crash leaves before it, no audit takes for a ledger.
        folder.joinpath(CHECKPOINT).write_bytes(note)
    except OSError as error:
        raise BadInput(f"The folder {folder.name!r} cannot be written: {error.strerror}.") from None
    return size
