"""Restoring a part's folder: unpacked beside it, checked, then put in its place; a start sees either folder or neither.

DATA/<role>.restore      while it lies there a restore is under way or was interrupted: no part starts on the folder
DATA/<role>.restoring/   what is being unpacked
DATA/<role>.before/      what was there before, until the restored part serves
KEYS/<role>/before-…     keys that were there before, as long
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moiety.archive.holdings import OWN_FILES, SEEDS, SITE_FILES, STATE
from moiety.archive.packing import in_our_words
from moiety.archive.reading import Unpacking
from moiety.foundation.errors import AlreadyThere, BadInput, Fault, Unverified
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from moiety.archive.age_keys import Identity
    from moiety.archive.manifest import Manifest
    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk

MARK = "restored.json"
TOMBSTONES = "tombstones.json"
BEFORE_KEY = "before-"
# What an introduction or a start puts into a folder that holds nothing yet.
_OF_ANY_START = {*OWN_FILES, TOMBSTONES, "peers.json", "local.sock", "book"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a backup must be to go into a folder: of this installation (any, where None), by one of these keys (hex)."""

    tenant: str | None
    signers: Collection[str]

    def check(self, about: Manifest, role: Role) -> None:
        """Hold a manifest against it.

        Raises:
            BadInput: it is another role's or another installation's.
            Unverified: somebody else signed it.

        """
        if about.role != role:
            raise BadInput(f"This is a backup of {about.role}, not of {role}.")
        if self.tenant is not None and about.tenant != self.tenant:
            raise BadInput(
                f"This backup is of the installation {about.tenant}, the folder of {self.tenant}; nothing changed."
            )
        if self.signers and about.signer not in self.signers:
            raise Unverified("The backup was not signed by this part's own key; nothing was changed.")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where one role's restore works."""

    data: Path
    keys: Path
    role: Role

    @property
    def own(self) -> Path:
        """The part's folder."""
        return self.data / self.role

    @property
    def mark(self) -> Path:
        """Says that a restore is under way."""
        return self.data / f"{self.role}.restore"

    @property
    def fresh(self) -> Path:
        """What is being unpacked."""
        return self.data / f"{self.role}.restoring"

    @property
    def before(self) -> Path:
        """What was there before."""
        return self.data / f"{self.role}.before"

    def holds_something(self) -> bool:
        """Whether the part's folder holds more than any start makes, or keys that no other copy may replace."""
        return self.own.is_dir() and any(path.name not in _OF_ANY_START for path in self.own.iterdir())


def refuse_interrupted(data: Path, role: Role) -> None:
    """Let no part start on a folder whose restore was interrupted.

    Raises:
        Fault: it was.

    """
    if Folders(data, data, role).mark.exists():
        raise Fault(f"A restore of {role} was interrupted; repeat it: moiety restore {role} …")


def restore(
    folders: Folders,
    files: Sequence[tuple[Path, Identity]],
    expected: Expected,
    clock: Clock,
    disk: Disk,
    *,
    replace: bool = False,
    tombstones: bytes | None = None,
) -> list[Manifest]:
    """Put what backup files of one run hold into the place of a stopped part.

    Raises:
        AlreadyThere: the folder holds something, and `replace` was not said.
        BadInput, Unverified: the files are not what is expected, or do not belong together; nothing was changed.
        DiskFull: there is no room; nothing was changed.

    """
    repeated = folders.mark.exists()
    if folders.holds_something() and not (replace or repeated):
        raise AlreadyThere(f"The folder of {folders.role} is not empty; stop the part and say --replace.")
    _clear(folders.fresh)
    if not folders.holds_something():
        # From here a crash leaves a folder with nothing in it: no start may take it for a new one.
        disk.write(folders.mark, b"")
    try:
        with Unpacking(folders.fresh, disk) as unpacking:
            disk.folder(folders.fresh)
            for path, key in files:
                expected.check(unpacking.add(path, key), folders.role)
            _belong_together(unpacking.manifests, folders.role)
            unpacking.finish()
            keys, site, manifests = dict(unpacking.keys), dict(unpacking.site), list(unpacking.manifests)
        _mark(folders.fresh, manifests, clock, disk)
        if tombstones is not None:
            disk.write(folders.fresh / TOMBSTONES, tombstones)
        _keys_may_be_written(folders, keys, replace=replace or repeated)
    except BaseException as failed:  # noqa: BLE001 - it is raised again, in our words
        _clear(folders.fresh)
        if not repeated:
            disk.remove(folders.mark)
        raise in_our_words(failed) from None
    _put_in_place(folders, keys, site, disk)
    return manifests


def _clear(folder: Path) -> None:
    """Remove what an earlier restore left."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _belong_together(manifests: Sequence[Manifest], role: Role) -> None:
    """Check that nothing is missing and all is of one moment."""
    parts = {about.part: about for about in manifests}
    if len(parts) != len(manifests):
        raise BadInput("The same part of a backup was given twice.")
    if STATE not in parts and role is not Role.MINT:
        raise BadInput(f"The state of {role} is missing: give its file with --from.")
    if role is Role.VAULT_B and SEEDS not in parts:
        raise BadInput("Vault B needs the seeds of the same run: give them with --seeds.")
    if SEEDS in parts and parts[SEEDS].run != parts[STATE].run:
        raise BadInput("These seeds are of another run than the state; take both files with the same time.")


def _mark(folder: Path, manifests: Sequence[Manifest], clock: Clock, disk: Disk) -> None:
    """Let the next start know that it must ask for tombstones before it serves."""
    first = manifests[0]
    told = {"run": first.run, "of": min(about.at for about in manifests), "restored": int(clock.now())}
    disk.write(folder / MARK, json.dumps(told).encode())


def marked(folder: Path) -> dict[str, Any] | None:
    """Read the mark of a restored folder; None where it was not restored, or has served since."""
    try:
        found: dict[str, Any] = json.loads((folder / MARK).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise Fault("The mark of a restore is damaged; restore again.") from None
    return found


def _keys_may_be_written(folders: Folders, keys: dict[str, bytes], *, replace: bool) -> None:
    """Let no key that another copy of may be missing be overwritten by accident."""
    other = [name for name, content in keys.items() if _differs(folders.keys / name, content)]
    if other and not replace:
        raise AlreadyThere(f"The keys of {folders.role} on this machine are others; say --replace.")


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() != content


def _put_in_place(folders: Folders, keys: dict[str, bytes], site: dict[str, bytes], disk: Disk) -> None:
    """Change the folders over. A crash at any step leaves the mark, no part starts, and the restore is repeated."""
    disk.write(folders.mark, b"")
    disk.folder(folders.keys)
    for name, content in keys.items():
        path = folders.keys / name
        if _differs(path, content):
            disk.rename(path, path.with_name(BEFORE_KEY + name))
        disk.write(path, content)
    if folders.own.exists():
        if folders.holds_something() and not folders.before.exists():
            disk.rename(folders.own, folders.before)
        else:
            # Nothing but what a start makes, or what an interrupted restore has put there.
            _clear(folders.own)
    disk.rename(folders.fresh, folders.own)
    for name in SITE_FILES:
        if name in site and not (folders.data / name).exists():
            disk.write(folders.data / name, site[name])
    disk.remove(folders.mark)


def end(folders: Folders, disk: Disk) -> None:
    """After tombstones were applied, let go of what was there before, and of the mark last."""
    _clear(folders.before)
    for path in folders.keys.glob(f"{BEFORE_KEY}*"):
        disk.shred(path)
    disk.remove(folders.own / TOMBSTONES)
    # A crash before this line replays the tombstones again, which changes nothing.
    disk.remove(folders.own / MARK)
