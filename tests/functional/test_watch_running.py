"""An installation that people use, and all that watches it: logs, figures and traces know none of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moiety.drill import household
from moiety.drill.ground import Ground
from moiety.drill.scratch import scratch
from moiety.drill.watchers import Watchers
from moiety.watch import KEYS
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.cli.samples import Samples
    from moiety.drill.drill import Obtained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ALWAYS = {"time", "level", "logger", "event", "withheld"}


class Life:
    """What watched an installation in which everything was done."""

    def __init__(self, photos: Samples, weak: dict[Role, str]) -> None:
        drill = Watchers()
        with scratch() as folder, Ground(folder, photos) as ground:
            with ground.weakened(weak):
                self.obtained: Obtained = drill.attack(ground)
            self.logs = {path.stem: path.read_text().splitlines() for path in ground.made.logs.iterdir()}
        self.traces = drill.sent


def test_req_42_what_watches_an_installation_knows_nobody_however_careless_its_lines_are(photos: Samples) -> None:
    """The drill `watchers` shows the same of lines as they are."""
    life = Life(photos, {Role.GATE: "weak_gate:careless"})
    assert life.obtained.count == 0, life.obtained.what
    # Every line of every log is one of ours, with keys that have a shape.
    assert set(life.logs) == set(Role)
    read = {part: [json.loads(line) for line in written] for part, written in life.logs.items()}
    assert {key for written in read.values() for line in written for key in line} <= ALWAYS | set(KEYS)
    reveals = [line for line in read["vault-b"] if "revealed" in line["event"]]
    assert {line["field_class"] for line in reveals} == {"label", "field"}
    routes = {line["route"] for line in read["gate"] if "route" in line}
    assert {"/v1/galleries/{gallery}/identify", "/v1/galleries/{gallery}/subjects"} <= routes
    assert sum(line.get("withheld", 0) for line in read["gate"]) > 0, "what was blurted out was counted"
    # The traces are there, of every part that answers, and know nobody either.
    together = b"".join(life.traces)
    assert household.find_words(life.traces, household.words()) == []
    for part in Role:
        assert f"moiety-{part}".encode() in together, part
    assert b"moiety.kind" in together
    assert b"/v1/galleries/{gallery}/identify" in together
    assert b"sub_" not in together
