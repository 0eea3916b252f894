"""A vault's folder with a book in it, and what keepers sign for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import HandClock
from moiety.vault.book import Book, begin
from moiety.vault.endorsed import Endorsed
from moiety.vault.policy import Standing
from moiety.vault.roster import Keeper, Roster
from vault_samples import KEEPER, TENANT, policy, roster

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.vault.policy import GalleryPolicy

SECOND, STRANGER, VAULT = (Ed25519PrivateKey.generate() for _ in range(3))
FIRST = roster()
TWO_KEEPERS = (*FIRST.keepers, Keeper("second", SECOND.public_key().public_bytes_raw()))
STANDING = Standing(TENANT, 1, service_opens=1)
POLICY = policy()


def signed(record: Roster | Standing | GalleryPolicy, *keys: Ed25519PrivateKey) -> Endorsed:
    made = Endorsed(record.encode())
    for key in keys or (KEEPER,):
        made = made.by(key)
    return made


class Shelf:
    """A vault's folder with a book in it."""

    def __init__(self, folder: Path, first: Roster = FIRST, *keys: Ed25519PrivateKey) -> None:
        self.folder = folder / "vault-a"
        self.clock = HandClock()
        begin(self.folder, VAULT, signed(first, *keys), signed(STANDING, *keys), self.clock)
        self.book = self.again()

    def again(self) -> Book:
        """Read it as the next process would."""
        return Book(self.folder, TENANT, VAULT, self.clock)

    def two_keepers(self, quorum: int = 1) -> None:
        self.book.put_roster(signed(replace(FIRST, version=2, keepers=TWO_KEEPERS, quorum=quorum)))

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.folder / "book").iterdir())}
