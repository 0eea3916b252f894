"""Keepers: their key files, and the books with which the vaults of an installation begin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.envelopes import KEY_BYTES, KeyRing, write_durably
from moiety.foundation.errors import AlreadyThere, BadInput
from moiety.vault.book import begin, has_book
from moiety.vault.endorsed import Endorsed
from moiety.vault.policy import FIRST_VERSION, Standing
from moiety.vault.roster import Keeper, Roster
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.installation import Installation
    from moiety.foundation.clock import Clock

KEEPER = "keeper"
VAULTS = (Role.VAULT_A, Role.VAULT_B)


def keeper_key(keys: Path) -> Ed25519PrivateKey:
    """Open the keeper's key of a one-machine installation, making it where it is missing."""
    return KeyRing(keys / KEEPER).signing_key("keeper.key")


def own_key(keys: Path) -> Ed25519PrivateKey:
    """Open the keeper's key that a one-machine installation made for itself.

    Raises:
        BadInput: there is none here.

    """
    path = keys / KEEPER / "keeper.key"
    if not path.exists():
        raise BadInput("Name a keeper's key file with --key; this installation has none of its own.")
    return read_key_file(path)


def new_key_file(path: Path) -> Ed25519PrivateKey:
    """Make a keeper's private key in a new file that only its owner can read.

    Raises:
        AlreadyThere: the file is there.
        BadInput: it cannot be written.

    """
    if path.exists():
        raise AlreadyThere(f"The file {path.name!r} is there already; a key is never overwritten.")
    try:
        write_durably(path, os.urandom(KEY_BYTES))
    except OSError as error:
        raise BadInput(f"The file {path.name!r} cannot be written: {error.strerror}.") from None
    return read_key_file(path)


def read_key_file(path: Path) -> Ed25519PrivateKey:
    """Read a keeper's private key.

    Raises:
        BadInput: it cannot be read, is no key, or others can read it.

    """
    try:
        raw = path.read_bytes()
        shared = path.stat().st_mode & 0o077
    except OSError as error:
        raise BadInput(f"The key file {path.name!r} cannot be read: {error.strerror}.") from None
    if len(raw) != KEY_BYTES:
        raise BadInput(f"The file {path.name!r} is no keeper's key.")
    if shared:
        raise BadInput(f"The key file {path.name!r} can be read by others; make it private (chmod 600).")
    return Ed25519PrivateKey.from_private_bytes(raw)


def begin_book(
    at: Installation, role: Role, keeper: tuple[str, Ed25519PrivateKey], clock: Clock, *, service_opens: bool
) -> None:
    """Begin a vault's book with one keeper, no people, no devices, and a standing policy.

    Raises:
        AlreadyThere: the vault has a book.

    """
    name, key = keeper
    public = key.public_key().public_bytes_raw()
    roster = Roster(at.tenant, FIRST_VERSION, 1, "", "", (Keeper(name, public),))
    standing = Standing(at.tenant, FIRST_VERSION, int(service_opens))
    first, bounds = (Endorsed(record.encode()).by(key) for record in (roster, standing))
    begin(at.folder(role), at.identity(role, clock).signing, first, bounds, clock)


def begin_books(at: Installation, clock: Clock) -> None:
    """Begin the books of both vaults on one machine, where they are missing: the gate may open `service` galleries."""
    for role in VAULTS:
        if not has_book(at.folder(role)):
            begin_book(at, role, (KEEPER, keeper_key(at.keys)), clock, service_opens=True)
