"""Keys of backups, all in the age format (age-encryption.org/v1): operators' own, and one for each backup.

A backup is sealed to a key of its own. That key lies beside it, sealed to the operator's recipient, in a small file
that can be destroyed: with it ends the backup, on whatever medium copies of it lie.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import pyrage

from moiety.foundation.errors import AlreadyThere, BadInput, Unverified

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Identity: TypeAlias = pyrage.x25519.Identity
Recipient: TypeAlias = pyrage.x25519.Recipient

_SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - the first letters of every secret key, no key
_PUBLIC = "age1"


def new_operator(path: Path) -> str:
    """Make an operator's key in the new file `path` (mode 0600) and return its recipient.

    Raises:
        AlreadyThere: there is a file of that name; no key is ever overwritten.
        BadInput: the file cannot be made.

    """
    made = Identity.generate()
    text = f"# public key: {made.to_public()}\n{made}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AlreadyThere(f"The file {path.name!r} exists; a key is never overwritten.") from None
    except OSError as error:
        raise BadInput(f"The file {path.name!r} cannot be made: {error.strerror}.") from None
    with os.fdopen(descriptor, "w") as file:
        # A crash before the sync may leave an empty file, which `operator` refuses and nobody has used yet.
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return str(made.to_public())


def _lines(path: Path) -> list[str]:
    """Read the lines of a key file that are no remarks."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"The key file {path.name!r} cannot be read.") from None
    return [line for line in lines if line and not line.startswith("#")]


def operator(path: Path) -> list[Identity]:
    """Read the secret keys of an operator's file.

    Raises:
        BadInput: it cannot be read, or holds no such key.

    """
    try:
        found = [Identity.from_str(line) for line in _lines(path)]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise BadInput(f"The file {path.name!r} holds no secret key of age ({_SECRET}…).")
    return found


def recipient(text: str) -> Recipient:
    """Read a recipient (`age1…`).

    Raises:
        BadInput: it is none.

    """
    try:
        return Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise BadInput(f"A recipient is a public X25519 key of age ({_PUBLIC}…).") from None


def recipient_in(path: Path) -> str:
    """Read the one recipient of a file.

    Raises:
        BadInput: it cannot be read, or holds none or several.

    """
    lines = _lines(path)
    if len(lines) != 1:
        raise BadInput(f"The file {path.name!r} must hold one recipient ({_PUBLIC}…).")
    return str(recipient(lines[0]))


def wrap(key: Identity, to: Recipient) -> bytes:
    """Seal a backup's own key to the operator."""
    wrapped: bytes = pyrage.encrypt(f"{key}\n".encode(), [to])
    return wrapped


def unwrap(wrapped: bytes, operators: Sequence[Identity]) -> Identity:
    """Open a backup's own key.

    Raises:
        Unverified: none of the operator's keys opens it, or it was changed.

    """
    try:
        return Identity.from_str(pyrage.decrypt(wrapped, list(operators)).decode().strip())
    except (pyrage.DecryptError, pyrage.IdentityError, OSError, UnicodeDecodeError):
        raise Unverified(
            "This key does not open the backup: it is another operator's, or the file was changed."
        ) from None
