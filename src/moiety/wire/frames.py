"""One frame format for all links: a typed header, a small JSON object, raw buffers.

    magic 'MOI1' | kind u16 | sort u16 | id u64 | meta length u32 | buffer count u32 |
    buffer lengths u32 each | meta | buffers

All integers are big-endian; buffers are opaque (arrays inside them are little-endian, as NumPy writes them).
Sizes are checked before a byte of content is read.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import WireBroken
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

MAGIC = b"MOI1"
HEADER = struct.Struct(">4sHHQII")
META_BYTES_MAX = 4 << 20
BUFFERS_MAX = 1 << 16
FRAME_BYTES_MAX = 256 << 20

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


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read one whole frame.

    Raises:
        WireBroken: it is no frame of ours or too large; the caller closes the link.
        asyncio.IncompleteReadError: the peer went away.

    """
    magic, kind, sort, number, meta_length, count = HEADER.unpack(await reader.readexactly(HEADER.size))
    if magic != MAGIC or meta_length > META_BYTES_MAX or count > BUFFERS_MAX:
        raise WireBroken
    lengths = struct.unpack(f">{count}I", await reader.readexactly(4 * count))
    if sum(lengths) > FRAME_BYTES_MAX:
        raise WireBroken
    try:
        meta = json.loads(await reader.readexactly(meta_length))
        known = Kind(kind), Sort(sort)
    except (ValueError, RecursionError):
        raise WireBroken from None
    if not isinstance(meta, dict):
        raise WireBroken
    buffers = [await reader.readexactly(length) for length in lengths]
    return Frame(known[0], known[1], number, meta, buffers)
