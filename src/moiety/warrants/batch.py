"""Many rows at once, equal byte for byte to what `statement` says of one: commitments, nonces of pads, and a batch."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.envelopes import pack
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.warrants.statement import row_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SALT_BYTES = 32
NONCE_BYTES = 12
BATCH_MAX = 4096
_ID, _SALT = struct.Struct(f"{ROW_ID_BYTES}s"), struct.Struct(f"{SALT_BYTES}s")
# Stands for a row id where a label is taken apart; no label holds it by itself.
_HOLE = b"\xff" * ROW_ID_BYTES


def commit_rows(
    at: tuple[str, str, int], ids: NDArray[np.uint8], salts: NDArray[np.uint8], lanes: NDArray[np.uint16]
) -> list[bytes]:
    """Give c of rows, as `commit_row`: ids u8[n, 16], salts u8[n, 32], lanes u16[n, d].

    `at` is (tenant, gallery, epoch). What all rows share is packed once.
    """
    tenant, gallery, epoch = at
    size = 2 * lanes.shape[1]
    before = pack("moiety/commit/1", tenant, gallery) + ROW_ID_BYTES.to_bytes(4, "big")
    between = pack(epoch) + SALT_BYTES.to_bytes(4, "big")
    behind = size.to_bytes(4, "big")
    sha, join = hashlib.sha256, b"".join
    pieces: Iterator[tuple[tuple[bytes], tuple[bytes], tuple[bytes]]] = zip(
        _ID.iter_unpack(ids.tobytes()),
        _SALT.iter_unpack(salts.tobytes()),
        struct.iter_unpack(f"{size}s", lanes.reshape(-1).view(np.uint8).data),
        strict=True,
    )
    # SHA-256 in C; what Python adds is the joining.
    return [sha(join((before, row_id, between, salt, behind, lane))).digest() for (row_id,), (salt,), (lane,) in pieces]


def row_nonces(at: tuple[str, str, int], ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the nonces u8[n, 12] of rows' pads, as `kernel.nonce_of(row_label(…))`; `at` is (tenant, gallery, epoch)."""
    tenant, gallery, epoch = at
    before, behind = row_label(tenant, gallery, _HOLE, epoch).split(_HOLE)
    sha = hashlib.sha256
    made = b"".join([sha(before + row_id + behind).digest() for (row_id,) in _ID.iter_unpack(ids.tobytes())])
    return np.frombuffer(made, np.uint8).reshape(-1, 32)[:, :NONCE_BYTES].copy()


def commit_batch(ids: bytes, commitments: bytes) -> bytes:
    """Commit to the rows of a batch in their order: SHA-256 over their joined ids and their joined c."""
    return hashlib.sha256(pack("moiety/batch/1", ids, commitments)).digest()


def pictures_of_batch(pictures: bytes) -> bytes:
    """Name the pictures of a batch: SHA-256 over their joined SHA-256."""
    return hashlib.sha256(pack("moiety/batch-pictures/1", pictures)).digest()
