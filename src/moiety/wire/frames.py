"""One frame format for all links: a typed header, a small JSON object, raw buffers.

    magic 'MOI1' | kind u16 | sort u16 | id u64 | meta length u32 | buffer count u32 |
    buffer lengths u32 each | meta | buffers

All integers are big-endian; buffers are opaque (arrays inside them are little-endian, as NumPy writes them).
Sizes are checked before a byte of content is read.
"""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import WireBroken
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"MOI1"
HEADER = struct.Struct(">4sHHQII")
META_BYTES_MAX = 4 << 20
BUFFERS_MAX = 1 << 16
FRAME_BYTES_MAX = 256 << 20
FRAME_SECONDS = 60.0  # from a header to the end of its message

Buffer = bytes | bytearray | memoryview


class Sort(IntEnum):
    """Whether a frame asks, answers or refuses."""

    ASK = 0
    ANSWER = 1
    REFUSAL = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One message; `buffers` hold what is too large or too secret for JSON."""

    kind: Kind
    sort: Sort = Sort.ASK
    id: int = 0
    meta: dict[str, Any] = field(default_factory=dict)
    buffers: Sequence[Buffer] = ()

    def __repr__(self) -> str:
        """Say what it is and how large, never what is in it."""
        return f"Frame({self.kind.name}, {self.sort.name}, id={self.id}, buffers={len(self.buffers)})"


def encode(frame: Frame) -> list[Buffer]:
    """Turn a frame into pieces to be written one after the other.

    Raises:
        WireBroken: it is larger than a receiver would take.

    """
    meta = json.dumps(frame.meta, separators=(",", ":")).encode()
    lengths = [memoryview(buffer).nbytes for buffer in frame.buffers]
    if len(meta) > META_BYTES_MAX or len(lengths) > BUFFERS_MAX or sum(lengths) > FRAME_BYTES_MAX:
        raise WireBroken("A message is larger than the wire allows.")
    head = HEADER.pack(MAGIC, frame.kind, frame.sort, frame.id, len(meta), len(lengths))
    return [head + struct.pack(f">{len(lengths)}I", *lengths) + meta, *frame.buffers]


@dataclass(frozen=True, slots=True)
class Head:
    """What a frame says of itself before its content comes."""

    kind: Kind
    sort: Sort
    id: int
    meta_length: int
    count: int


def head_of(raw: bytes) -> Head:
    """Read a header.

    Raises:
        WireBroken: it is none of ours, or announces more than the wire allows.

    """
    magic, kind, sort, number, meta_length, count = HEADER.unpack(raw)
    if magic != MAGIC or meta_length > META_BYTES_MAX or count > BUFFERS_MAX:
        raise WireBroken
    try:
        return Head(Kind(kind), Sort(sort), number, meta_length, count)
    except ValueError:
        raise WireBroken from None


def lengths_of(raw: bytes) -> tuple[int, ...]:
    """Read the lengths of a frame's buffers.

    Raises:
        WireBroken: together they are more than the wire allows.

    """
    lengths = struct.unpack(f">{len(raw) // 4}I", raw)
    if sum(lengths) > FRAME_BYTES_MAX:
        raise WireBroken("A message announces more than the wire allows.")
    return lengths


def meta_of(raw: bytes) -> dict[str, Any]:
    """Read the small JSON object.

    Raises:
        WireBroken: it is none.

    """
    try:
        meta = json.loads(raw)
    except (ValueError, RecursionError):
        raise WireBroken from None
    if not isinstance(meta, dict):
        raise WireBroken
    return meta


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read one whole frame.

    Raises:
        WireBroken: it is no frame of ours, too large, or only half a one came; the caller closes the link.
        asyncio.IncompleteReadError: the peer went away.

    """
    first = await reader.readexactly(HEADER.size)
    head = head_of(first)
    try:
        async with asyncio.timeout(FRAME_SECONDS):
            lengths = lengths_of(await reader.readexactly(4 * head.count))
            meta = meta_of(await reader.readexactly(head.meta_length))
            buffers = [await reader.readexactly(length) for length in lengths]
    except TimeoutError:
        raise WireBroken("The rest of a message did not come.") from None
    return Frame(head.kind, head.sort, head.id, meta, buffers)
