"""What a backup says of itself: inside it the signed manifest, beside it the same without names of files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import BadInput, Unverified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = 1
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
PARTS = ("state", "seeds", "keys")


@dataclass(frozen=True, slots=True)
class GalleryMark:
    """Which rows a part held of one gallery: so many, of this epoch (0 where the part knows none), in this order."""

    epoch: int
    rows: int
    order: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file of one run: `part` is state, seeds or keys; times in seconds since 1970; `signer` a raw key in hex.

    `files` maps what the file holds to (bytes, SHA-256 in hex); `names` of people stand nowhere.
    """

    tenant: str
    role: str
    part: str
    run: str
    at: int
    days: int
    signer: str
    galleries: Mapping[str, GalleryMark] = field(default_factory=dict)
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def expires(self) -> int:
        """When this backup is to be destroyed."""
        return self.at + self.days * 86_400

    def epochs(self) -> dict[str, int]:
        """Give the epoch of each gallery."""
        return {gallery: mark.epoch for gallery, mark in self.galleries.items()}

    def outside(self) -> Self:
        """Give what may stand beside the file in the clear."""
        return replace(self, files={})

    def encode(self) -> bytes:
        """Write canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, raw: bytes | str | dict[str, Any]) -> Self:
        """Read what `encode` wrote; unknown keys of a file beside it are passed over.

        Raises:
            BadInput: a newer program wrote it.
            Unverified: it is no manifest.

        """
        try:
            found = raw if isinstance(raw, dict) else json.loads(raw)
            form = int(found["format"])
            if form > FORMAT:
                raise BadInput(
                    f"This backup has format {form}; this program knows {FORMAT}. Restore it with a newer one."
                )
            return cls(
                tenant=str(found["tenant"]),
                role=str(found["role"]),
                part=str(found["part"]),
                run=str(found["run"]),
                at=int(found["at"]),
                days=int(found["days"]),
                signer=str(found["signer"]),
                galleries={name: GalleryMark(**mark) for name, mark in found["galleries"].items()},
                files={name: (int(size), str(digest)) for name, (size, digest) in found["files"].items()},
                format=form,
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Unverified("The backup has no manifest that can be understood.") from None


def _signed(raw: bytes) -> bytes:
    return pack("moiety/backup/1", raw)


def sign(raw: bytes, key: Ed25519PrivateKey) -> bytes:
    """Sign an encoded manifest with the part's own key."""
    return key.sign(_signed(raw))


def verify(raw: bytes, signature: bytes, signer: str) -> None:
    """Check that `signer` (raw Ed25519 key in hex) made this manifest.

    Raises:
        Unverified: it did not.

    """
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer)).verify(signature, _signed(raw))
    except (InvalidSignature, ValueError):
        raise Unverified("The backup's manifest is not signed by the part that it names.") from None
