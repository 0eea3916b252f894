"""Somebody steals one vault: its whole folder and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from moiety.drill import crowd, loot
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.noise import AUC_MARGIN, CHANCE, P_LEAST, correlation, likeness, linkage, uniformity
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.drill.ground import Ground

    Numbers = NDArray[np.float64]

# A seed's 32 numbers reach 0.65 by chance among 640,000 comparisons; the beginning of a template is 1.
SHORT_CHANCE = 0.9
FILES_FOR = 3


class _StolenVault(Drill):
    """What is common to both halves."""

    role: ClassVar[Role]

    def attack(self, ground: Ground) -> Obtained:
        """Enrol a crowd, steal the vault, look for faces and for order in all that it holds."""
        people = crowd.settle(ground)
        stolen = loot.steal(ground, self.role)
        half = loot.half_of(stolen, self.role, people.gallery)
        templates = people.templates.astype(np.float64)
        tally = Tally()
        self._order(tally, half)
        self._faces(tally, half, templates)
        self._files(tally, stolen, templates[-FILES_FOR:])
        return tally.obtained()

    @staticmethod
    def _order(tally: Tally, half: loot.Half) -> None:
        """Look for bytes that are not noise, and for vectors that tell one face's from others'."""
        p_lanes, p_raw = uniformity(half.lanes.tobytes()), uniformity(half.raw.tobytes())
        tally.add(min(p_lanes, p_raw) < P_LEAST, f"chance of such bytes in noise {min(p_lanes, p_raw):.2g}")
        pairs = crowd.OF_ONE * (crowd.OF_ONE - 1) // 2
        told = [linkage(numbers, crowd.OF_ONE) for numbers in (half.numbers, half.raw.view(np.int8).astype(np.float64))]
        worst = max(told, key=lambda one: abs(one - 0.5))
        tally.add(abs(worst - 0.5) > AUC_MARGIN, f"AUC of linking {pairs} pairs of enrolments of one face {worst:.4f}")

    @staticmethod
    def _faces(tally: Tally, half: loot.Half, templates: Numbers) -> None:
        """Hold the half of every row against every template, as one who knows the faces already."""
        found = np.abs(likeness(half.numbers, templates)).max(axis=1) > CHANCE
        width = half.raw.shape[1]
        if width < templates.shape[1]:
            short = likeness(half.raw.view(np.int8).astype(np.float64), templates[:, :width])
            found |= np.abs(short).max(axis=1) > SHORT_CHANCE
        tally.add(found.sum(), f"{found.sum()} of {len(found)} rows show the face that they are of")

    @staticmethod
    def _files(tally: Tally, stolen: Path, templates: Numbers) -> None:
        """Slide known templates over every file that was stolen."""
        files = [path for path in stolen.rglob("*") if path.is_file()]
        seen = [path for path in files if correlation(path.read_bytes(), templates).max() > CHANCE]
        tally.add(len(seen), f"{len(seen)} of {len(files)} files hold a face that he knows")


class StealA(_StolenVault):
    """Vault A is stolen."""

    name = "steal-a"
    tried = "took vault A's folder and keys; looked for noise that is none, known faces, two enrolments of one face"
    role = Role.VAULT_A
    weakness: ClassVar[Mapping[Role, str]] = {Role.EYE: "weak_eye:rows_without_mask"}


class StealB(_StolenVault):
    """Vault B is stolen."""

    name = "steal-b"
    tried = "took vault B's folder and keys; opened every seed and looked for the same"
    role = Role.VAULT_B
    weakness: ClassVar[Mapping[Role, str]] = {Role.EYE: "weak_eye:seeds_from_templates"}
