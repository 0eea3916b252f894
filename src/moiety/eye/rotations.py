"""The galleries' secret rotations: seeds in the eye's key folder, matrices in memory.

They make galleries unlinkable; they are no secrecy: about 512 known pairs invert one (shared protocol, "Numbers").
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import NotFound
from moiety.kernel import rotation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from moiety.foundation.envelopes import KeyRing

IN_MEMORY = 64


def id_of(seed: bytes) -> bytes:
    """Name a rotation by a hash of its seed (32 bytes)."""
    return hashlib.sha256(pack("moiety/rotation-id/1", seed)).digest()


class Rotations:
    """All rotations this eye knows."""

    def __init__(self, keys: KeyRing) -> None:
        """Keep seeds in `keys`."""
        self._keys = keys
        self._matrix = lru_cache(IN_MEMORY)(self._make)

    def _name(self, rotation_id: bytes) -> str:
        return f"rotation-{rotation_id.hex()}.key"

    def new(self) -> bytes:
        """Draw a rotation and return its id."""
        seed = os.urandom(32)
        # A crash leaves a rotation that no gallery uses; it does no harm.
        self._keys.keep(self._name(id_of(seed)), seed)
        return id_of(seed)

    def matrix(self, rotation_id: bytes, d: int) -> NDArray[np.float32]:
        """Give f32[d, d].

        Raises:
            NotFound: this eye does not know it.

        """
        return self._matrix(rotation_id, d)

    def secret(self, rotation_id: bytes, use: str) -> bytes:
        """Derive 32 bytes for another use of a gallery's rotation (HKDF, RFC 5869); they end with it.

        Raises:
            NotFound: this eye does not know it.

        """
        return HKDF(SHA256(), 32, None, use.encode()).derive(self._seed(rotation_id))

    def _make(self, rotation_id: bytes, d: int) -> NDArray[np.float32]:
        return rotation(self._seed(rotation_id), d)

    def _seed(self, rotation_id: bytes) -> bytes:
        path = self._keys.path(self._name(rotation_id))
        if not path.exists():
            raise NotFound("The eye does not have this gallery's rotation.")
        return path.read_bytes()
