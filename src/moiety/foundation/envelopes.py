"""Sealed things: AES-256-GCM at rest, HPKE (RFC 9180) to a vault, and the folder in which a role keeps its keys.

Nothing here invents cryptography; it fixes one way of calling `cryptography`.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moiety.foundation.disk import PRIVATE, SYSTEM_DISK
from moiety.foundation.errors import Fault, Unverified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moiety.foundation.disk import Disk

KEY_BYTES = 32
NONCE_BYTES = 12

# RFC 9180, section 7: the mandatory-to-implement KEM and KDF with AES-256-GCM.
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def pack(*parts: bytes | str | int) -> bytes:
    """Join parts into one unambiguous string: each behind its length (u32, big-endian); integers as u64."""
    out = bytearray()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part.to_bytes(8, "big") if isinstance(part, int) else part
        out += len(raw).to_bytes(4, "big") + raw
    return bytes(out)


def unpack(packed: bytes) -> list[bytes]:
    """Take apart what `pack` joined.

    Raises:
        Unverified: it does not end where its lengths say.

    """
    parts, at = [], 0
    while at < len(packed):
        end = at + 4 + int.from_bytes(packed[at : at + 4], "big")
        if at + 4 > len(packed) or end > len(packed):
            raise Unverified("A packed record is cut short.")
        parts.append(packed[at + 4 : end])
        at = end
    return parts


def seal(key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """AES-256-GCM under a 32-byte `key` with a random 96-bit nonce in front; `bound` is authenticated, not kept."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound)


def unseal(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        Unverified: the key, the bytes or what they were bound to differ.

    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise Unverified("A sealed record does not open: it was altered, moved or belongs to another key.") from None


def seal_to(public_key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """HPKE single-shot to a raw X25519 `public_key` (32 bytes); `bound` is the info string of RFC 9180, section 5.1."""
    return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), bound)


def unseal_from(private_key: X25519PrivateKey, sealed: bytes, bound: bytes) -> bytes:
    """Open what `seal_to` made.

    Raises:
        Unverified: it was not sealed to this key for this purpose.

    """
    try:
        return _SUITE.decrypt(sealed, private_key, bound)
    except (InvalidTag, ValueError):
        raise Unverified("A sealed message does not open: it was altered or meant for somebody else.") from None


def write_durably(path: Path, content: bytes, mode: int = PRIVATE, disk: Disk = SYSTEM_DISK) -> None:
    """Write a whole file so that after a crash it is the old one or the new one, never a part."""
    disk.write(path, content, mode)


class KeyRing:
    """The folder with one role's own keys: made at first use, readable by the owner alone, apart from the data.

    The register, a file that lies with the data, lists which keys were made. One that is listed and is not there is
    lost: it is not made anew, because what the lost one sealed or signed would stay shut without a word.
    """

    def __init__(self, folder: Path, disk: Disk = SYSTEM_DISK, register: Path | None = None) -> None:
        """Use `folder`, creating it with mode 0700 where no key was made yet.

        Raises:
            Fault: others than the owner may enter it, or it is gone.

        """
        self._register = register
        if not folder.exists() and self._listed():
            raise Fault(
                f"The key folder {folder.name!r} is gone: restore it from its copy, or mount the disk on which it lies."
            )
        disk.folder(folder)
        if folder.stat().st_mode & 0o077:
            raise Fault(f"The key folder {folder.name!r} can be read by others; make it private (chmod 700).")
        self._folder = folder
        self._disk = disk

    def path(self, name: str) -> Path:
        """Where the key called `name` lies."""
        return self._folder / name

    def names(self) -> list[str]:
        """List the keys that are stored."""
        return sorted(path.name for path in self._folder.iterdir() if path.is_file() and path.suffix != ".new")

    def keep(self, name: str, content: bytes) -> None:
        """Store what is called `name`, whole."""
        self._disk.write(self.path(name), content)

    def _listed(self) -> list[str]:
        """Read which keys were made; a missing list is that of a new folder."""
        if self._register is None or not self._register.exists():
            return []
        try:
            return [str(name) for name in json.loads(self._register.read_bytes())]
        except (ValueError, TypeError):
            raise Fault(f"The list of keys {self._register.name!r} is damaged; restore it from a backup.") from None

    def _list(self, names: list[str]) -> None:
        """Write which keys were made."""
        if self._register is not None:
            self._disk.folder(self._register.parent)
            self._disk.write(self._register, json.dumps(sorted(names)).encode())

    def _keep(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return the stored bytes, or make and store them."""
        path, listed = self.path(name), self._listed()
        if not path.exists():
            if name in listed:
                raise Fault(
                    f"The key {name!r} is missing from the key folder {self._folder.name!r}: restore that folder from "
                    "its copy. What the key opens stays shut without it, so no new one was made."
                )
            self.keep(name, make())
        if name not in listed:
            # A crash before this leaves a key that is not listed; the next use lists it.
            self._list([*listed, name])
        return path.read_bytes()

    def secret(self, name: str) -> bytes:
        """Return the 32 random bytes called `name`.

        Raises:
            Fault: it was lost, or the file is not 32 bytes long.

        """
        raw = self._keep(name, lambda: os.urandom(KEY_BYTES))
        if len(raw) != KEY_BYTES:
            raise Fault(f"The key {name!r} is damaged ({len(raw)} bytes, {KEY_BYTES} expected).")
        return raw

    def signing_key(self, name: str) -> Ed25519PrivateKey:
        """Return the Ed25519 key called `name`."""
        return Ed25519PrivateKey.from_private_bytes(self.secret(name))

    def sealing_key(self, name: str) -> X25519PrivateKey:
        """Return the X25519 key called `name`."""
        return X25519PrivateKey.from_private_bytes(self.secret(name))

    def forget(self, name: str) -> None:
        """Destroy the key called `name`: overwrite, sync, unlink."""
        listed = self._listed()
        if name in listed:
            # A crash after this leaves a key that is not listed; whoever forgets it does so again at its start.
            self._list([one for one in listed if one != name])
        self._disk.shred(self.path(name))
