"""One record per seed: sealed for its row under the key of its generation, with the commitment in clear behind it."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import numpy as np
from cryptography.exceptions import InvalidTag

from moiety.foundation.envelopes import NONCE_BYTES, pack
from moiety.vault.halves import COMMITMENT_BYTES, SEED_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from numpy.typing import NDArray

    from moiety.vault.generations import Generation

TAG_BYTES = 16
SEALED_BYTES = NONCE_BYTES + SEED_BYTES + TAG_BYTES
RECORD_BYTES = SEALED_BYTES + COMMITMENT_BYTES
# Pieces of records, cut out in C: these loops run over millions.
_NAME, _NONCE, _SEED = (struct.Struct(f"{size}s") for size in (48, NONCE_BYTES, SEED_BYTES))
_RECORD = struct.Struct(f"{NONCE_BYTES}s{SEED_BYTES + TAG_BYTES}s{COMMITMENT_BYTES}x")


def _bound(of: Generation) -> bytes:
    """Give what a seed is bound to, before the row's id and commitment."""
    return pack("moiety/seed/1", of.gallery, of.epoch)


def sealed(
    cipher: AESGCM, of: Generation, ids: NDArray[np.uint8], seeds: NDArray[np.uint8], commitments: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Seal seeds u8[n, 32], each for its row: records u8[n, 92] of nonce ‖ ciphertext ‖ tag ‖ commitment."""
    head, encrypt = _bound(of), cipher.encrypt
    nonces = os.urandom(NONCE_BYTES * len(ids))
    names = np.concatenate([ids, commitments], axis=1).tobytes()
    pieces = zip(_NONCE.iter_unpack(nonces), _SEED.iter_unpack(seeds.tobytes()), _NAME.iter_unpack(names), strict=True)
    made = b"".join([encrypt(nonce, seed, head + name) for (nonce,), (seed,), (name,) in pieces])
    records = np.empty((len(ids), RECORD_BYTES), np.uint8)
    records[:, :NONCE_BYTES] = np.frombuffer(nonces, np.uint8).reshape(-1, NONCE_BYTES)
    records[:, NONCE_BYTES:SEALED_BYTES] = np.frombuffer(made, np.uint8).reshape(-1, SEED_BYTES + TAG_BYTES)
    records[:, SEALED_BYTES:] = commitments
    return records


def unsealed(
    cipher: AESGCM, of: Generation, ids: NDArray[np.uint8], records: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Open records u8[n, 92]: the seeds u8[n, 32], zeros where one does not open, and which those are."""
    head, decrypt = _bound(of), cipher.decrypt
    names = np.concatenate([ids, records[:, SEALED_BYTES:]], axis=1).tobytes()
    pieces = zip(_RECORD.iter_unpack(records.tobytes()), _NAME.iter_unpack(names), strict=True)
    wrong = np.zeros(len(ids), np.bool_)
    try:
        opened = [decrypt(nonce, content, head + name) for (nonce, content), (name,) in pieces]
    except InvalidTag:
        pieces = zip(_RECORD.iter_unpack(records.tobytes()), _NAME.iter_unpack(names), strict=True)
        opened = [_or_nothing(decrypt, nonce, content, head + name) for (nonce, content), (name,) in pieces]
        wrong[:] = [not seed for seed in opened]
        opened = [seed or bytes(SEED_BYTES) for seed in opened]
    return np.frombuffer(b"".join(opened), np.uint8).reshape(-1, SEED_BYTES), wrong


def _or_nothing(decrypt: Callable[[bytes, bytes, bytes], bytes], nonce: bytes, content: bytes, bound: bytes) -> bytes:
    """Open one record; nothing when it was altered."""
    try:
        return decrypt(nonce, content, bound)
    except InvalidTag:
        return b""
