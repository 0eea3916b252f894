"""Somebody steals the gate's database, the ledger in it and every log, but no keys."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, ClassVar

from moiety.drill import faces, household, matters
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.noise import CHANCE, correlation
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from moiety.drill.ground import Ground
    from moiety.drill.household import Household

FACE_BYTES = 512
# Shorter values are states, dates and names of columns.
VALUE_BYTES = 12
TELLING = "Barack Obama"
STRANGER = "Joe Biden"


class StealGate(Drill):
    """The gate's own store is stolen, and all that is written down anywhere."""

    name = "steal-gate"
    tried = (
        "took the gate's database, ledger and everybody's logs; looked for names, numbers, reasons, releases, "
        "guardians, PINs, colleagues, approvals, breaches, reports, pictures, known faces, and for what two enrolments "
        "of one person have in common"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:all_in_the_clear"}

    def attack(self, ground: Ground) -> Obtained:
        """Let the installation do all it can do, then take what it has written."""
        home = household.move_in(ground)
        second = self._elsewhere(ground)
        made = ground.made
        with matters.worked(ground) as told:
            stolen = ground.steal(made.folder(Role.GATE), made.logs, made.run)
        contents = [path.read_bytes() for path in stolen.rglob("*") if path.is_file()]
        tally = Tally()
        wanted = [*household.words(), *told.secrets]
        words = household.find_words(contents, wanted)
        found = f"{len(words)} of {len(wanted)} secret words{matters.kinds(words)}"
        tally.add(len(words), f"{found} in {len(contents)} files")
        pictures = household.find_pictures(contents, home.pictures)
        tally.add(pictures, f"pieces of pictures in {pictures} files")
        self._faces(tally, contents, ground, home)
        self._links(tally, stolen / Role.GATE / "gate.sqlite", (home.gallery, second))
        return tally.obtained()

    @staticmethod
    def _elsewhere(ground: Ground) -> str:
        """Enrol the same pictures under the same names in another gallery."""
        name = ground.name("elsewhere")
        with ground.owner() as line:
            line.ask("POST", "galleries", json={"name": name, "purpose": household.PURPOSE})
            for person in (TELLING, STRANGER):
                picture = ground.photos.enrol[person][0].read_bytes()
                household.enrol(line, name, picture, household.NAMES[person])
        return name

    @staticmethod
    def _faces(tally: Tally, contents: list[bytes], ground: Ground, home: Household) -> None:
        """Slide what only the eye had over every file."""
        wanted = faces.known(ground, home.gallery, home.pictures[:: len(household.QUALITIES) + 1])
        seen = [raw for raw in contents if len(raw) >= FACE_BYTES and correlation(raw, wanted).max() > CHANCE]
        tally.add(len(seen), f"{len(seen)} files in which a known face shows")

    @staticmethod
    def _links(tally: Tally, database: Path, galleries: tuple[str, str]) -> None:
        """Look for values that one person has in both galleries and the other has not."""
        with sqlite3.connect(database) as db:
            values = [_values_by_place(db, gallery) for gallery in galleries]
        db.close()
        shared = {(i, j) for i, one in enumerate(values[0]) for j, other in enumerate(values[1]) if one & other}
        tally.add(len(shared), f"{len(shared)} subjects of two galleries with a value in common")


def _values_by_place(db: sqlite3.Connection, gallery: str) -> list[set[object]]:
    """Collect for each subject of a gallery every value that stands in a row about it, but not what all have."""
    query = (
        "SELECT s.id, s.expires_at, f.name, f.wrapped_key, f.ciphertext, f.blind, t.photo_id, t.row_id, t.binding, "
        "t.photo_mark FROM subject s JOIN gallery g ON g.id = s.gallery_id LEFT JOIN subject_field f "
        "ON f.subject_id = s.id LEFT JOIN template t ON t.subject_id = s.id WHERE g.name = ?"
    )
    found: dict[str, set[object]] = {}
    for row in db.execute(query, (gallery,)):
        found.setdefault(row[0], set()).update(
            value for value in row if isinstance(value, str | bytes) and len(value) >= VALUE_BYTES
        )
    return list(found.values())
