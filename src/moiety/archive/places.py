"""The folders in which backups lie: what is there, what belongs together, what is to be destroyed.

DIR/<stem>.age              the sealed file
DIR/<stem>.json             beside it in the clear: role, time, epochs, counts, digests; no names
DIR/keys/<stem>.key.age     the file's own key, sealed to the operator (or in the folder that `--keys-to` names)
DIR/seeds/…                 the same for vault B's seeds (or in the folder that `--seeds-to` names)
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from moiety.archive.holdings import SEEDS, STATE
from moiety.archive.manifest import Manifest
from moiety.foundation.errors import Refusal
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from moiety.foundation.disk import Disk

PREFIX = "moiety-"
SEALED, BESIDE, WRAPPED, UNFINISHED = ".age", ".json", ".key.age", ".part"
HALF_WRITTEN = ".new"


@dataclass(frozen=True, slots=True)
class Backup:
    """One sealed file and what stands beside it."""

    path: Path
    about: Manifest
    size: int
    sha256: str
    recipient: str
    keys: Path

    @property
    def key(self) -> Path:
        """Where its own key lies, sealed to the operator."""
        return self.keys / f"{self.path.name.removesuffix(SEALED)}{WRAPPED}"

    @property
    def opens(self) -> bool:
        """Whether the file and its key are both there."""
        return self.path.exists() and self.key.exists()

    def write_beside(self, disk: Disk) -> None:
        """Write what may stand beside it in the clear."""
        told = {**asdict(self.about.outside()), "bytes": self.size, "sha256": self.sha256}
        told |= {"recipient": self.recipient, "keys": str(self.keys), "expires": self.about.expires}
        disk.write(beside(self.path), json.dumps(told, sort_keys=True, indent=1).encode())

    def destroy(self, disk: Disk) -> None:
        """Destroy its key, then the file, then the note; what a crash leaves of it is destroyed by the next run."""
        disk.shred(self.key)
        disk.remove(self.path)
        note = beside(self.path)
        for half in (self.key, note):
            # What a full disk left of a file that was to be written whole.
            disk.remove(half.with_name(half.name + HALF_WRITTEN))
        disk.remove(note)


def beside(path: Path) -> Path:
    """Name the note beside a sealed file."""
    return path.with_name(path.name.removesuffix(SEALED) + BESIDE)


def stem_of(about: Manifest) -> str:
    """Name a backup: moiety-ROLE[-PART]-TIME[-eFIRST[-LAST]]."""
    part = "" if about.part == STATE else f"-{about.part}"
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(about.at))
    epochs = sorted({epoch for epoch in about.epochs().values() if epoch})
    span = f"-e{epochs[0]}" + (f"-{epochs[-1]}" if len(epochs) > 1 else "") if epochs else ""
    return f"{PREFIX}{about.role}{part}-{at}{span}"


def read(note: Path) -> Backup | None:
    """Read one note; None where it is none of ours or of a newer program."""
    try:
        told = json.loads(note.read_bytes())
        about = Manifest.decode(told)
        keys = note.parent / told["keys"]
        sealed = note.with_name(note.name.removesuffix(BESIDE) + SEALED)
        own_keys = keys if keys.is_dir() else note.parent / "keys"
        return Backup(sealed, about, int(told["bytes"]), str(told["sha256"]), str(told["recipient"]), own_keys)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Refusal):
        return None


def found_in(folders: Iterable[Path]) -> list[Backup]:
    """List the backups of folders and of the folders in them, oldest first; one that lies in two is listed once."""
    notes = {
        note.resolve()
        for folder in folders
        for pattern in (f"{PREFIX}*{BESIDE}", f"*/{PREFIX}*{BESIDE}")
        for note in folder.glob(pattern)
    }
    found = [backup for backup in map(read, sorted(notes)) if backup]
    return sorted(found, key=lambda one: (one.about.at, one.path.name))


def due(backups: Sequence[Backup], days: int, now: float) -> list[Backup]:
    """Choose what is older than it was to become, or than `days` allows today."""
    return [one for one in backups if now >= min(one.about.expires, one.about.at + days * 86_400)]


def tidy(folders: Iterable[Path], keys: Path, role: Role, disk: Disk) -> None:
    """Remove what a crash in an earlier backup of this role left: parts of files, keys and notes without a file."""
    for folder in folders:
        for left in [*folder.glob(f"{PREFIX}{role}-*{UNFINISHED}"), *folder.glob(f"{PREFIX}{role}-*{HALF_WRITTEN}")]:
            disk.remove(left)
        for note in folder.glob(f"{PREFIX}{role}-*{BESIDE}"):
            one = read(note)
            if one and not one.path.exists():
                one.destroy(disk)
    have = {one.key for one in found_in(folders)}
    for key in keys.glob(f"{PREFIX}{role}-*{WRAPPED}"):
        if key not in have and not any((f / key.name.replace(WRAPPED, SEALED)).exists() for f in folders):
            disk.shred(key)


@dataclass(frozen=True, slots=True)
class Pair:
    """Backups of both vaults that fit each other: of the same epoch of every gallery that both know."""

    a: Backup
    b: Backup
    seeds: Backup


def pairs(backups: Sequence[Backup]) -> list[Pair]:
    """Find all pairs that can be opened, the latest first."""
    usable = [one for one in backups if one.opens]
    of_a = [one for one in usable if (one.about.role, one.about.part) == (Role.VAULT_A, STATE)]
    of_b = [one for one in usable if (one.about.role, one.about.part) == (Role.VAULT_B, STATE)]
    seeds = {one.about.run: one for one in usable if one.about.part == SEEDS}
    found = [
        Pair(a, b, seeds[b.about.run]) for a in of_a for b in of_b if b.about.run in seeds and fit(a.about, b.about)
    ]
    return sorted(found, key=lambda pair: (min(pair.a.about.at, pair.b.about.at), pair.b.about.at), reverse=True)


def fit(one: Manifest, other: Manifest) -> bool:
    """Whether two vaults' backups are of one installation and of the same epochs."""
    mine, theirs = one.epochs(), other.epochs()
    return one.tenant == other.tenant and all(mine[g] == theirs[g] for g in mine.keys() & theirs.keys())
