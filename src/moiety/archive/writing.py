"""Making a backup: sealed while it is read, then read again and checked before it counts."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moiety.archive import age_keys, places
from moiety.archive.holdings import KEYS, SEEDS
from moiety.archive.manifest import MANIFEST, SIGNATURE, Manifest, sign
from moiety.archive.packing import Member, Sums, in_our_words, member, seal_file, tarred, unseal_file
from moiety.archive.places import SEALED, UNFINISHED, Backup
from moiety.foundation.errors import BadInput, Unverified

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.archive.holdings import Frozen, Holdings
    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk

RECORD = "backups.json"
# A part's own keys say nothing about anybody, and are not copied with every run.
KEYS_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Order:
    """Where a backup goes, to whom it is sealed, and how long it is kept."""

    to: Path
    seeds_to: Path
    keys_to: Path
    recipient: str
    days: int
    seeds_days: int
    with_keys: bool = False

    def folder(self, part: str) -> Path:
        """Where a file of the run goes."""
        return self.seeds_to if part == SEEDS else self.to

    def kept(self, part: str) -> int:
        """How many days it is kept."""
        return {SEEDS: self.seeds_days, KEYS: KEYS_DAYS}.get(part, self.days)


@dataclass(frozen=True, slots=True, repr=False)
class Writer:
    """Whose backup it is, and what it is signed with."""

    tenant: str
    holdings: Holdings
    signing: Ed25519PrivateKey
    clock: Clock
    disk: Disk

    def take(self, order: Order) -> list[Backup]:
        """Write all files of one run, check each; the caller keeps writers away meanwhile.

        Raises:
            DiskFull: there is no room; nothing of this run is left, and nothing older was destroyed.
            BadInput: a folder is not there, or the recipient is none.

        """
        to = age_keys.recipient(order.recipient)
        run, made = secrets.token_hex(8), list[Backup]()
        try:
            for folder in (order.to, order.seeds_to, order.keys_to):
                self.disk.folder(folder)
            places.tidy({order.to, order.seeds_to}, order.keys_to, self.holdings.role, self.disk)
            with self.holdings.frozen() as frozen:
                for part in self.holdings.parts(with_keys=order.with_keys):
                    made.append(self._write(part, run, order, to, frozen))
            self._remember(order)
        except BaseException as failed:  # noqa: BLE001 - it is raised again, in our words
            for one in made:
                one.destroy(self.disk)
            raise in_our_words(failed) from None
        return made

    def _write(self, part: str, run: str, order: Order, to: age_keys.Recipient, frozen: Frozen) -> Backup:
        """Write one file: sealed, read again, then its key, its note, and last its name."""
        about = Manifest(
            tenant=self.tenant,
            role=self.holdings.role,
            part=part,
            run=run,
            at=int(self.clock.now()),
            days=order.kept(part),
            signer=self.signing.public_key().public_bytes_raw().hex(),
            galleries=frozen.galleries(),
        )
        path = order.folder(part) / f"{places.stem_of(about)}{SEALED}"
        if path.exists():
            raise BadInput(f"There is a backup {path.name!r} already; wait a second.")
        unfinished = path.with_name(path.name + UNFINISHED)
        key = age_keys.Identity.generate()
        sums = Sums()
        stream = tarred(frozen.members(part), sums, lambda done: self._closing(about, done))
        size, digest = seal_file(unfinished, stream, key, self.disk)
        made = Backup(path, about, size, digest, order.recipient, order.keys_to)
        try:
            check(unfinished, key, sums.files)
            # A crash before the rename leaves things that belong to no file; `tidy` of the next run removes them.
            self.disk.write(made.key, age_keys.wrap(key, to))
            made.write_beside(self.disk)
            self.disk.rename(unfinished, path)
        except BaseException:
            self.disk.remove(unfinished)
            made.destroy(self.disk)
            raise
        return made

    def _closing(self, about: Manifest, sums: Sums) -> list[Member]:
        """Make the signed manifest of what was written."""
        raw = replace(about, files=sums.files).encode()
        return [member(MANIFEST, raw), member(SIGNATURE, sign(raw, self.signing))]

    def _remember(self, order: Order) -> None:
        """Keep where backups go, to whom, and when: for the next run, the other vault's check, and the status."""
        told = {"to": str(order.to), "seeds_to": str(order.seeds_to), "keys_to": str(order.keys_to)}
        remember(self.holdings.folder, self.disk, **told, recipient=order.recipient, at=int(self.clock.now()))


def remember(folder: Path, disk: Disk, **told: Any) -> None:
    """Add to what a part keeps of its last backup."""
    disk.write(folder / RECORD, json.dumps({**remembered(folder), **told}, indent=1).encode())


def remembered(folder: Path) -> dict[str, Any]:
    """Read what a part keeps of its last backup: where it went, when, to whom, and which epochs both vaults have."""
    try:
        found = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class _Hashing:
    """Takes a backup apart only to hash it."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, str]] = {}
        self._name, self._size, self._digest = "", 0, hashlib.sha256()

    def begin(self, name: str, size: int) -> None:
        """Start a hash."""
        self._name, self._size, self._digest = name, size, hashlib.sha256()

    def piece(self, content: bytes) -> None:
        """Hash on."""
        self._digest.update(content)

    def end(self) -> None:
        """Keep the hash."""
        self.files[self._name] = (self._size, self._digest.hexdigest())


def check(path: Path, key: age_keys.Identity, files: Mapping[str, tuple[int, str]]) -> None:
    """Read a sealed file from the disk again and hold it against what was put in.

    Raises:
        Unverified: it is not what was written.

    """
    found = _Hashing()
    unseal_file(path, key, found)
    for own in (MANIFEST, SIGNATURE):
        found.files.pop(own, None)
    if found.files != dict(files):
        raise Unverified(f"The backup {path.name!r} is not what was written; the disk is not to be trusted.")
