"""Somebody who can write a vault's files moves a victim's template onto an intruder, or spoils what lies there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from moiety.drill import faces, loot
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.hacked import THIEF, Thief, take_over
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from moiety.drill.ground import Ground
    from moiety.storage import Gallery

VAULTS = (Role.VAULT_A, Role.VAULT_B)
VICTIM, INTRUDER = "Barack Obama", "Joe Biden"
# A record of B is a sealed seed and, at its end, the row's commitment.
COMMITMENT_BYTES = 32


class TamperRows(Drill):
    """Changes rows at A, seeds and commitments at B."""

    name = "tamper-rows"
    tried = (
        "wrote into the vaults' files: added the difference of two known templates to the victim's row at A, so that "
        "the intruder's face would find it, swapped two sealed seeds and changed a commitment at B; searched, and "
        "scrubbed what was changed under a running vault"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.VAULT_A: "weak_vaults:attest_off"}

    def attack(self, ground: Ground) -> Obtained:
        """Write while the vaults are down and while they run, then ask."""
        galleries: dict[str, Gallery] = {}
        take_over(ground, lambda gate: self._settle(gate, galleries))
        ground.arrange(down=VAULTS)
        _move(ground, galleries["moved"])
        _spoil(ground, galleries["spoiled"])
        tally = Tally()
        take_over(ground, lambda gate: self._ask(gate, galleries, tally))
        return tally.obtained()

    @staticmethod
    async def _settle(gate: Thief, galleries: dict[str, Gallery]) -> Obtained:
        """Enrol the victim alone, and two people."""
        for what, people in (("moved", [VICTIM]), ("running", [VICTIM]), ("spoiled", [VICTIM, INTRUDER])):
            galleries[what] = await gate.gallery(what)
            for person in people:
                await gate.enrol(galleries[what], person)
        return Obtained(0, "")

    @staticmethod
    async def _ask(gate: Thief, galleries: dict[str, Gallery], tally: Tally) -> Obtained:
        """Show the intruder's photo, and see which rows are still believed."""
        ground = gate.ground
        photo = ground.photos.enrol[INTRUDER][0].read_bytes()
        answers = await gate.house.identifier.identify(galleries["moved"], photo, THIEF)
        got = len(answers[0].candidates)
        tally.add(got, f"the intruder's face finds {got} people")
        believed = 2 - len(await _excluded(ground, galleries["spoiled"]))
        tally.add(believed, f"{believed} of 2 rows believed whose seed or commitment was changed")
        _move(ground, galleries["running"])
        believed = 1 - len(await _excluded(ground, galleries["running"]))
        tally.add(believed, f"{believed} of 1 row believed after a scrub that was changed under a running vault")
        return tally.obtained()


async def _excluded(ground: Ground, gallery: Gallery) -> list[str]:
    """Have a gallery scrubbed; gives the rows that are out of search then, as vault A names them."""
    line = LocalClient(ground.made.folder(Role.VAULT_A) / NAME, Role.VAULT_A)
    told = await line.ask("scrub", {"gallery": gallery.id})
    excluded: list[str] = told["galleries"][0]["excluded"]
    return excluded


def _move(ground: Ground, gallery: Gallery) -> None:
    """Add the difference of two templates to the only row, in the file where it lies."""
    photos = [ground.photos.enrol[person][0].read_bytes() for person in (VICTIM, INTRUDER)]
    victim, intruder = faces.known(ground, gallery.name, photos)[:2].astype(np.int16).view(np.uint16)
    row = loot.half_of(loot.copy(ground, Role.VAULT_A), Role.VAULT_A, gallery.id).lanes[0]
    _replace(ground.made.folder(Role.VAULT_A), row.tobytes(), (row + (intruder - victim)).tobytes())


def _replace(folder: Path, old: bytes, new: bytes) -> None:
    """Find bytes in the files of a folder and write others over them."""
    for path in folder.rglob("*"):
        if path.is_file() and (at := path.read_bytes().find(old)) >= 0:
            with path.open("r+b") as file:
                file.seek(at)
                file.write(new)
            return
    raise Fault("The row is not where it was; the drill would prove nothing.")


def _spoil(ground: Ground, gallery: Gallery) -> None:
    """Put one sealed seed in the place of another's, and change a commitment, in B's journal."""
    path = ground.made.folder(Role.VAULT_B) / "journal.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        query = "SELECT row_id, sealed FROM fresh WHERE gallery = ? ORDER BY row_id"
        (first, record), (second, other) = db.execute(query, (gallery.id,)).fetchall()
        swapped = other[:-COMMITMENT_BYTES] + record[-COMMITMENT_BYTES:]
        altered = other[:-1] + bytes([other[-1] ^ 1])
        db.executemany("UPDATE fresh SET sealed = ? WHERE row_id = ?", [(swapped, first), (altered, second)])
