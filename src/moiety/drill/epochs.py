"""Somebody steals vault B today and vault A after the next refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from moiety.drill import crowd, loot
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.noise import AUC_MARGIN, CHANCE, P_LEAST, likeness, linkage, uniformity
from moiety.foundation.errors import Fault
from moiety.kernel import expand, nonce_of
from moiety.vault.policy import EPOCH_FIRST
from moiety.warrants.statement import row_label
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from moiety.drill.ground import Ground


class OldSeeds(Drill):
    """Halves of two epochs."""

    name = "steal-a-now-b-before"
    tried = (
        "took vault B's folder and keys, waited for a refresh, then took vault A's; joined A's rows with B's pads, and "
        "with what B's old seeds make in the new epoch"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.VAULT_B: "weak_vaults:seeds_kept"}

    def attack(self, ground: Ground) -> Obtained:
        """Steal B, refresh, steal A, join."""
        people = crowd.settle(ground)
        before = loot.half_of(loot.steal(ground, Role.VAULT_B), Role.VAULT_B, people.gallery)
        line = LocalClient(ground.made.folder(Role.VAULT_A) / NAME, Role.VAULT_A)
        (done,) = line.ask_now("refresh", {"gallery": people.gallery})["galleries"]
        if done["rows"] != len(people.templates) or done["epoch"] != EPOCH_FIRST + 1:
            raise Fault("The gallery was not refreshed; the drill would prove nothing.")
        now = loot.half_of(loot.steal(ground, Role.VAULT_A), Role.VAULT_A, people.gallery)
        place = {row_id: at for at, row_id in enumerate(before.row_ids)}
        order = [place[row_id] for row_id in now.row_ids]
        tries = {
            "B's old pads": before.lanes[order],
            "B's old seeds in the new epoch": self._again(ground, people.gallery, now.row_ids, before.raw[order]),
        }
        tally = Tally()
        for what, pads in tries.items():
            self._look(tally, what, now.lanes + pads, people.templates.astype(np.float64))
        return tally.obtained()

    @staticmethod
    def _again(ground: Ground, gallery: str, row_ids: list[bytes], seeds: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Expand seeds as if they were those of the next epoch."""
        labels = [row_label(ground.made.tenant, gallery, row_id, EPOCH_FIRST + 1) for row_id in row_ids]
        nonces = np.frombuffer(b"".join(map(nonce_of, labels)), np.uint8).reshape(len(row_ids), -1)
        ((dim,),) = ground.read(Role.GATE, "SELECT dim FROM gallery WHERE id = ?", gallery)
        return expand(np.ascontiguousarray(seeds), nonces, int(dim))

    @staticmethod
    def _look(tally: Tally, what: str, joined: NDArray[np.uint16], templates: NDArray[np.float64]) -> None:
        """Look for templates, or for anything but noise."""
        numbers = joined.view(np.int16).astype(np.float64)
        found = int((np.abs(likeness(numbers, templates)).max(axis=1) > CHANCE).sum())
        p, auc = uniformity(joined.tobytes()), linkage(numbers, crowd.OF_ONE)
        tally.add(found, f"with {what}: {found} of {len(joined)} templates rebuilt")
        tally.add(p < P_LEAST, f"chance of such bytes in noise {p:.2g}")
        tally.add(abs(auc - 0.5) > AUC_MARGIN, f"AUC of linking {auc:.4f}")
