"""Somebody who can write the gate's database points rows and fields at other people."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, ClassVar

from moiety.drill import household
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.foundation.errors import Fault, Refusal
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.cli.gateway import Gate
    from moiety.drill.ground import Ground

VICTIM, INTRUDER = "Barack Obama", "Joe Biden"
# What is done to two subjects (v, i); the photo that is shown afterwards is the victim's.
CHANGES = {
    "a row pointed at another subject": "UPDATE template SET subject_id = :i WHERE subject_id = :v",
    "two rows swapped": (
        "UPDATE template SET subject_id = CASE subject_id WHEN :v THEN :i ELSE :v END WHERE subject_id IN (:v, :i)"
    ),
    "a name moved to another subject": (
        "UPDATE subject_field SET (ciphertext, wrapped_key) = "
        "(SELECT ciphertext, wrapped_key FROM subject_field WHERE subject_id = :i AND name = 'reference') "
        "WHERE subject_id = :v AND name = 'reference'"
    ),
}


class AlteredRow(Drill):
    """The gate's database is changed past the gate."""

    name = "altered-row"
    tried = (
        "wrote into the gate's database: pointed the row of one person at another, swapped two, moved a name; then "
        "showed the first person's photo and looked whose name came"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:binding_unchecked"}

    def attack(self, ground: Ground) -> Obtained:
        """Change, then ask."""
        tally = Tally()
        with ground.owner() as line:
            for what, change in CHANGES.items():
                gallery = ground.name("altered")
                line.ask("POST", "galleries", json={"name": gallery, "purpose": household.PURPOSE})
                who = {person: self._enrol(ground, line, gallery, person) for person in (VICTIM, INTRUDER)}
                _alter(ground, change, {"v": who[VICTIM], "i": who[INTRUDER]})
                wrong = household.NAMES[INTRUDER] in self._asked(ground, line, gallery)
                tally.add(wrong, f"{what}: {'taken for the other' if wrong else 'not believed'}")
        return tally.obtained()

    @staticmethod
    def _enrol(ground: Ground, line: Gate, gallery: str, person: str) -> str:
        """Enrol somebody under a secret name."""
        picture = ground.photos.enrol[person][0].read_bytes()
        return str(household.enrol(line, gallery, picture, household.NAMES[person])["subject_id"])

    @staticmethod
    def _asked(ground: Ground, line: Gate, gallery: str) -> str:
        """Show the victim's photo; gives all that is said."""
        files = {"image": ("picture", ground.photos.probe.read_bytes())}
        try:
            told = line.ask(
                "POST", f"galleries/{gallery}/identify", data={"reason": "x", "reveal": "true"}, files=files
            )
        except Refusal as refusal:
            return str(refusal)
        return json.dumps(told, ensure_ascii=False)


def _alter(ground: Ground, change: str, about: dict[str, Any]) -> None:
    """Write into the database past the gate."""
    with sqlite3.connect(ground.made.folder(Role.GATE) / "gate.sqlite", timeout=10) as db:
        changed = db.execute(change, about).rowcount
    db.close()
    if not changed:
        raise Fault("Nothing was altered; the drill would prove nothing.")
