"""Somebody has everything that watches an installation: its logs at debug, its figures, what it says of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from moiety.drill import household
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.drill.ground import Ground


class Watchers(Drill):
    """Reads what is made for those who run the machines, and may see nobody."""

    name = "watchers"
    tried = (
        "took everybody's logs at debug, the gate's figures and what it says of its parts, after a life of enrolling, "
        "searching, showing, erasing and failing; looked for names, numbers, reasons, tokens and ids of people"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:careless_and_unsieved"}

    def attack(self, ground: Ground) -> Obtained:
        """Let the installation do all it can do, then read what watches it."""
        home = household.move_in(ground)
        with ground.owner() as line:
            figures = line.http.get("/metrics").content
            said = line.http.get("/v1/parts").content
            people = line.ask("GET", f"galleries/{home.gallery}/subjects")["subjects"]
        logs = [path.read_bytes() for path in ground.made.logs.iterdir()]
        ids = [str(one["id"]) for one in people]
        wanted = [*household.words(), home.token, *ids]
        tally = Tally()
        for where, contents in (("logs", logs), ("figures", [figures]), ("words about parts", [said])):
            found = household.find_words(contents, wanted)
            size = sum(map(len, contents))
            tally.add(len(found), f"{len(found)} of {len(wanted)} secret words and ids in {size} bytes of {where}")
        # Who looks into an empty room finds nobody: the control's count is then no measure of the attack's.
        if not ids or b"moiety_part_answers_total" not in figures or not any(logs):
            tally.add(1, "there was nothing to look at")
        return tally.obtained()
