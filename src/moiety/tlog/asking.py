"""What a log sends to a witness (c2sp.org/tlog-witness, add-checkpoint), and the portable proof of one entry.

The proof is c2sp.org/tlog-proof: index, hashes from the leaf upwards, and the checkpoint with its signatures.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from moiety.foundation.errors import Unverified
from moiety.tlog.checkpoints import decimal
from moiety.tlog.merkle import HASH_BYTES
from moiety.tlog.notes import Note, plain_base64

if TYPE_CHECKING:
    from collections.abc import Sequence

HASHES_MAX = 63
_PROOF = "c2sp.org/tlog-proof@v1"


def _lines(hashes: Sequence[bytes]) -> str:
    return "".join(base64.b64encode(one).decode() + "\n" for one in hashes)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    found = tuple(plain_base64(line) for line in lines)
    if len(found) > HASHES_MAX or any(len(one) != HASH_BYTES for one in found):
        raise Unverified("A proof holds something that is no hash.")
    return found


def _parted(raw: bytes) -> tuple[list[str], Note]:
    """Part the lines before the first empty one from the note behind it."""
    head, gap, note = raw.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Unverified("A proof is damaged.") from None
    if not gap:
        raise Unverified("A proof is cut short.")
    return lines, Note.parse(note)


def _word(line: str, word: str) -> int:
    name, _, number = line.partition(" ")
    if name != word:
        raise Unverified("A proof is damaged.")
    return decimal(number)


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A new checkpoint, and a proof that it extends the one of size `old`."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def encode(self) -> bytes:
        """Write the request's body."""
        return f"old {self.old}\n{_lines(self.proof)}\n".encode() + self.note.encode()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a request's body; nothing is verified.

        Raises:
            Unverified: it is none.

        """
        lines, note = _parted(raw)
        return cls(_word(lines[0], "old"), _hashes(lines[1:]), note)


@dataclass(frozen=True, slots=True)
class EntryProof:
    """That an entry (`index` from 0) is in the tree of a checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    note: Note

    def encode(self) -> bytes:
        """Write the proof."""
        return f"{_PROOF}\nindex {self.index}\n{_lines(self.hashes)}\n".encode() + self.note.encode()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a proof; nothing is verified.

        Raises:
            Unverified: it is none.

        """
        lines, note = _parted(raw)
        rest = lines[1:]
        if lines[0] != _PROOF or not rest:
            raise Unverified("That is no proof of an entry.")
        if rest[0].startswith("extra "):
            rest = rest[1:]
        return cls(_word(rest[0] if rest else "", "index"), _hashes(rest[1:]), note)
