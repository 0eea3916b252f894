"""Backups of a simulated site, and disks that are lost: parts come back from their copies, and die over that too."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moiety.archive import age_keys, places
from moiety.archive.holdings import STATE
from moiety.archive.reading import key_of
from moiety.archive.restoring import Expected, Folders, restore
from moiety.cli.backup.reconciling_gate import Reconciling
from moiety.wire.kinds import Role
from simulated_disk import SimulatedDisk
from simulated_time import Gone, Process, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moiety.archive.places import Backup
    from simulated_parts import Site

VAULTS = (Role.VAULT_A, Role.VAULT_B)
# Whoever knows people; the others' disks hold keys and tombstones.
COPIED = (Role.GATE, *VAULTS)
DAYS, SEEDS_DAYS = 30, 7


def copies_beside(data: Path) -> Path:
    """Say where the copies of a site lie: on no disk of its own."""
    return data.parent / f"{data.name}-copies"


@dataclass(frozen=True)
class Copy:
    """One run of a part's backups; `people` are those who were enrolled all the while: their subjects and photos."""

    role: Role
    files: tuple[Path, ...]
    people: dict[int, tuple[Any, tuple[Any, ...]]]


@dataclass
class Copies:
    """The shelf on which all operators keep their backups, and their keys."""

    site: Site
    taken: list[Copy] = field(default_factory=list)

    @property
    def _shelf(self) -> Path:
        return copies_beside(self.site.installation.data)

    def _operator(self, role: Role) -> Path:
        """Give the file with an operator's secret key, which lies on no part's disk."""
        self._shelf.mkdir(exist_ok=True)
        path = self._shelf / f"{role}.key"
        if not path.exists():
            age_keys.new_operator(path)
        return path

    async def take(self, role: Role, people: dict[int, tuple[Any, tuple[Any, ...]]]) -> Copy:
        """Let a part back itself up; `people` are enrolled now.

        Raises:
            Refusal, Gone: nothing was taken.

        """
        to = self._shelf / role
        given = {"to": str(to), "seeds_to": str(to / "seeds"), "keys_to": str(to / "keys")}
        recipient = str(age_keys.operator(self._operator(role))[0].to_public())
        kept = {"days": DAYS, "seeds_days": SEEDS_DAYS, "with_keys": False, "if_behind": False}
        told = await self.site.ask(role, "backup", **given, recipient=recipient, **kept)
        made = Copy(role, tuple(self._shelf / one["path"] for one in told["files"]), people)
        self.taken.append(made)
        return made

    def fitting(self, role: Role) -> Copy | None:
        """Find the last copy of a part that can still be opened, and at a vault is of the other's epoch."""
        for copy in reversed(self.taken):
            if copy.role is role and (files := self._open(copy)) and self._fits(role, files):
                return copy
        return None

    @staticmethod
    def _open(copy: Copy) -> list[Backup]:
        """Read the notes of a copy; nothing where one of its files or keys was destroyed since."""
        found = [places.read(places.beside(path)) for path in copy.files]
        return [one for one in found if one] if all(one and one.opens for one in found) else []

    def _fits(self, role: Role, files: Sequence[Backup]) -> bool:
        """Hold a vault's copy against the epochs of the other vault."""
        if role not in VAULTS:
            return True
        other = self.site.vaults[VAULTS[1 - VAULTS.index(role)]]._cabinet
        epochs = {policy.gallery: other.epoch(policy.gallery) for policy in other.policies}
        return next(one for one in files if one.about.part == STATE).about.epochs() == epochs

    async def bring_back(self, copy: Copy) -> None:
        """Restore a part whose disk was lost, however often whoever does it dies."""
        site, role = self.site, copy.role
        site.kill(role)
        while True:
            process = Process(site.loop, role.value)
            disk = SimulatedDisk(process, site.steps)
            try:
                await process.do(asyncio.to_thread(self._restore, copy, disk))
            except Gone:
                continue
            finally:
                process.die()
            return

    def _restore(self, copy: Copy, disk: SimulatedDisk) -> None:
        """Do what `moiety restore --replace` does."""
        made = self.site.installation
        operators = age_keys.operator(self._operator(copy.role))
        files = sorted(self._open(copy), key=lambda one: one.about.part != STATE)
        pairs = [(one.path, key_of(one.path, operators, None)) for one in files]
        folders = Folders(made.data, made.keys / copy.role, copy.role)
        clock = VirtualClock(self.site.loop)
        restore(folders, pairs, Expected(made.tenant, ()), clock, disk, replace=True)

    async def reconcile(self) -> set[Any]:
        """Do what `moiety reconcile --apply` does at the gate and at both vaults; gives who lost the last photo.

        Raises:
            Refusal, Gone: it is to be done again.

        """
        site = self.site
        reconciling = Reconciling(site.places[Role.GATE], site.house)
        told = await site.gate(reconciling.reconcile({"apply": True}))
        if told["plan"]:
            for role in VAULTS:
                await site.ask(role, "drop", plan=told["plan"])
        return {subject for gallery in told["galleries"] for subject in gallery["photo_lost"]}
