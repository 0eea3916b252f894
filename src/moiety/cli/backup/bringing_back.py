"""Restoring a part on its own machine: which files, whose keys, and whether the halves will fit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moiety.archive import age_keys, places
from moiety.archive.holdings import SEEDS, Holdings
from moiety.archive.reading import key_of
from moiety.archive.restoring import Expected, Folders, restore
from moiety.archive.writing import remembered
from moiety.cli import installation
from moiety.cli.backup import tombstones
from moiety.cli.backup.asking import standing_still
from moiety.cli.files import read as read_file
from moiety.foundation.clock import SystemClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import BadInput, Fault
from moiety.foundation.settings import folder as setting_folder
from moiety.wire.cards import Peers
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.archive.manifest import Manifest
    from moiety.cli.installation import Installation

_OTHER = {Role.VAULT_A: Role.VAULT_B, Role.VAULT_B: Role.VAULT_A}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be restored from where."""

    role: Role
    state: Path
    seeds: Path | None
    keys: Path | None
    identity: Path
    keys_from: Path | None
    tombstones: Path | None
    backups: tuple[Path, ...]
    replace: bool
    old_pair: bool


def bring_back(data: Path, wish: Wish) -> list[Manifest]:
    """Restore a part into its folder.

    Raises:
        BadInput, Unverified, AlreadyThere: nothing was changed; the message says why.

    """
    made = _open_or_new(data)
    with standing_still(made, wish.role):
        operators = age_keys.operator(wish.identity)
        files = _files(wish)
        pairs = [(path, key_of(path, operators, wish.keys_from)) for path in files]
        _must_fit(made, wish)
        known = installation.exists(data)
        expected = Expected(made.tenant if known else None, _signers(made, wish.role))
        raw = read_file(wish.tombstones) if wish.tombstones else None
        if raw is not None and known:
            tombstones.decode(raw, made.tenant)
        folders = Folders(data, made.keys / wish.role, wish.role)
        return restore(folders, pairs, expected, SystemClock(), SYSTEM_DISK, replace=wish.replace, tombstones=raw)


def _open_or_new(data: Path) -> Installation:
    """Open the installation, or prepare an empty folder for one."""
    if installation.exists(data):
        return installation.load(data)
    keys = setting_folder("MOIETY_KEYS") or data / "keys"
    SYSTEM_DISK.folder(data / "run")
    return installation.Installation(data, keys, "")


def _files(wish: Wish) -> list[Path]:
    """List the files in the order in which they are taken apart; B's seeds are looked for where they belong."""
    seeds = wish.seeds
    if wish.role is Role.VAULT_B and seeds is None:
        seeds = _seeds_of(wish.state)
    return [wish.state, *([seeds] if seeds else []), *([wish.keys] if wish.keys else [])]


def _seeds_of(state: Path) -> Path:
    """Find the seeds of the same run.

    Raises:
        BadInput: they are not there.

    """
    run = getattr(getattr(places.read(places.beside(state)), "about", None), "run", None)
    for one in places.found_in([state.parent]):
        if one.about.part == SEEDS and one.about.run == run and one.path.exists():
            return one.path
    raise BadInput("The seeds of this run are not beside it: give them with --seeds FILE, or take a later backup.")


def _signers(made: Installation, role: Role) -> set[str]:
    """Give the keys that may have signed: the part's own, as it or any other part here knows it; none where unknown."""
    found = set()
    for other in Role:
        try:
            found.add(Peers.load(made.folder(other) / "peers.json")[role].signing)
        except Fault:
            continue
    return found


def _must_fit(made: Installation, wish: Wish) -> None:
    """Hold the epochs of a vault's backup against those of the other vault, where it is on this machine.

    Raises:
        BadInput: they differ; the last pair that fits is named.

    """
    note = places.read(places.beside(wish.state))
    other = _OTHER.get(wish.role)
    if other is None or note is None or wish.old_pair:
        return
    with Holdings(other, made.folder(other), made.keys / other).frozen() as frozen:
        theirs = {gallery: mark.epoch for gallery, mark in frozen.galleries().items()}
    mine = note.about.epochs()
    differ = sorted(gallery for gallery in mine.keys() & theirs.keys() if mine[gallery] != theirs[gallery])
    if differ:
        gallery = differ[0]
        raise BadInput(
            f"The halves would not fit: this backup holds epoch {mine[gallery]} of {gallery}, {other} epoch "
            f"{theirs[gallery]}; the other half of the old epoch is gone. {_last_pair(made, wish)}"
        )


def _last_pair(made: Installation, wish: Wish) -> str:
    """Offer the last backups of both vaults that fit each other."""
    known = [Path(told["to"]) for role in _OTHER if (told := remembered(made.folder(role))) and "to" in told]
    pairs = places.pairs(places.found_in({*wish.backups, wish.state.parent, *known}))
    if not pairs:
        return "No pair of backups that fit was found; name their folders with --backups DIR."
    a, b = pairs[0].a, pairs[0].b
    return (
        f"The last verified pair is {a.path.name} and {b.path.name} ({_when(a.about.at)}, {_when(b.about.at)}): "
        "restore both with --old-pair; whoever was enrolled later has to be enrolled again."
    )


def _when(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def lines_of(found: Sequence[Manifest], role: Role) -> list[str]:
    """Say what was restored, and what comes next."""
    first = found[0]
    rows = sum(mark.rows for mark in first.galleries.values())
    book = ["its roster and policies are those of that time: look at them before it is asked"] if role in _OTHER else []
    return [
        f"restored {role} as it was at {_when(first.at)}: {len(first.galleries)} galleries, {rows} rows",
        "start it: before it serves it asks the witness who was erased since, and forgets them",
        *book,
        "then `moiety reconcile` says who was enrolled since and is not whole any more",
    ]
