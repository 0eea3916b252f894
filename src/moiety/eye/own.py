"""Templates that stay with their person: sealed by the eye, and once more to the person's key; kept nowhere else.

ISO/IEC 24745, section 6: stored with the person is the sealed template; what opens it is the gallery's rotation, which
never leaves the eye. A gallery that is gone, or another tenant's, opens none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.envelopes import pack, seal, seal_to, unseal
from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moiety.eye.halver import Halver, Setting
    from moiety.eye.rotations import Rotations

KEY_BYTES = 32
DOMAIN = "moiety/own/1"


class OwnTemplates:
    """Makes and opens them; remembers none."""

    def __init__(self, rotations: Rotations, halver: Halver, cosines: Sequence[float]) -> None:
        """Measure as `halver` does; `cosines` are the least ones of the bands for two pictures, ascending."""
        self._rotations = rotations
        self._halver = halver
        self._cosines = cosines

    def make(self, setting: Setting, subject: str, embedding: NDArray[np.float32], key: bytes) -> tuple[bytes, bytes]:
        """Seal f32[d] for its person; gives what the person keeps, and the SHA-256 by which it is known again.

        With a raw X25519 public `key` of 32 bytes it is sealed to that once more, by HPKE with the info string
        `moiety/own/1`; without one it lies as the eye sealed it on a card.

        Raises:
            BadInput: the key is none.
            NormOutOfRange: no rounding keeps the norm rule.

        """
        measured = self._halver.measure(setting, embedding).tobytes()
        card = seal(self._rotations.secret(setting.rotation, DOMAIN), measured, _bound(setting, subject))
        digest = hashlib.sha256(card).digest()
        if not key:
            return card, digest
        try:
            return seal_to(key, card, DOMAIN.encode()), digest
        except ValueError:
            raise BadInput("A person's key is a raw X25519 public key of 32 bytes.") from None

    def band(self, setting: Setting, subject: str, embedding: NDArray[np.float32], card: bytes) -> int:
        """Compare f32[d] with a card's template: how many bands it reaches, 0 for none. No score leaves.

        Raises:
            Unverified: the card is another subject's, gallery's, tenant's or model's, or was altered.

        """
        raw = unseal(self._rotations.secret(setting.rotation, DOMAIN), card, _bound(setting, subject))
        kept = np.frombuffer(raw, np.int8).astype(np.float32)
        shown = self._halver.measure(setting, embedding).astype(np.float32)
        cosine = float(kept @ shown) / float(np.linalg.norm(kept) * np.linalg.norm(shown))
        return sum(cosine >= least for least in self._cosines)


def _bound(setting: Setting, subject: str) -> bytes:
    return pack(DOMAIN, setting.tenant, setting.gallery, subject, setting.model)
