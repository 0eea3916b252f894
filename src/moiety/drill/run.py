"""All drills, in the order in which they run, and running them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.drill.altered import AlteredRow
from moiety.drill.copies import Ransom, StealBackups
from moiety.drill.device import SwapPicture
from moiety.drill.epochs import OldSeeds
from moiety.drill.forged import Forge, OnePerson, Replay
from moiety.drill.ground import Ground
from moiety.drill.hacked_questions import Enumerate, InventProbe, LoudProbe, SwapProbe, TwoQuestions
from moiety.drill.hacked_records import Enrol, Erase, Loosen, ReadBeyond
from moiety.drill.insider import Insider
from moiety.drill.killed import Killed
from moiety.drill.ledger import ChangedLedger
from moiety.drill.lookers import Scraper, Stalker
from moiety.drill.scratch import scratch
from moiety.drill.staff import Administrator, Password, StolenSession
from moiety.drill.steal import StealA, StealB
from moiety.drill.steal_gate import StealGate
from moiety.drill.stopped import GoOn
from moiety.drill.sweep import Ports, Strays
from moiety.drill.sweep_routes import Routes
from moiety.drill.tamper_rows import TamperRows
from moiety.drill.tampering import LyingMint, TamperMessages
from moiety.drill.together import StolenTogether
from moiety.drill.traces import LooseEnds, Traces
from moiety.drill.watchers import Watchers
from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moiety.cli.samples import Samples
    from moiety.drill.drill import Drill, Obtained

# Those that need the gate's own process stand together, and those that take its place: parts are restarted less. The
# last one's control leaves nothing behind.
DRILLS: tuple[type[Drill], ...] = (
    Ports,
    Strays,
    Routes,
    Password,
    StolenSession,
    Administrator,
    Scraper,
    Stalker,
    StealGate,
    StealBackups,
    StolenTogether,
    Traces,
    LooseEnds,
    Watchers,
    Insider,
    AlteredRow,
    ChangedLedger,
    StealA,
    StealB,
    OldSeeds,
    TamperRows,
    OnePerson,
    SwapPicture,
    Enumerate,
    TwoQuestions,
    SwapProbe,
    InventProbe,
    LoudProbe,
    Enrol,
    ReadBeyond,
    Erase,
    Loosen,
    GoOn,
    Killed,
    Replay,
    Forge,
    LyingMint,
    TamperMessages,
    Ransom,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What one drill found. `held`: the attack got nothing, and its control something."""

    name: str
    tried: str
    attack: Obtained
    control: Obtained
    seconds: float

    @property
    def held(self) -> bool:
        """Whether the installation held and the drill is one."""
        return self.attack.count == 0 and self.control.count > 0


def chosen(names: Sequence[str]) -> list[Drill]:
    """Give the drills of these names, or all.

    Raises:
        BadInput: there is no drill of a name.

    """
    known = {kind.name: kind for kind in DRILLS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(f"There is no drill called {unknown[0]!r}; there are: {', '.join(known)}.")
    return [kind() for name, kind in known.items() if not names or name in names]


def run(drills: Sequence[Drill], photos: Samples, say: Callable[[str], None]) -> Iterator[Report]:
    """Start an installation, attack it in every way while it is sound, then run each control.

    Raises:
        Fault: a drill could not do what it tries.

    """
    with scratch() as folder, Ground(folder, photos) as ground:
        attacks = []
        for drill in drills:
            began = time.monotonic()
            found = drill.attack(ground)
            attacks.append((found, time.monotonic() - began))
            say(f"{drill.name}: {_got(found)}; its control follows")
        for drill, (found, seconds) in zip(drills, attacks, strict=True):
            began = time.monotonic()
            control = drill.control(ground)
            yield Report(drill.name, drill.tried, found, control, round(seconds + time.monotonic() - began, 1))


def _got(found: Obtained) -> str:
    """Say in a word whether an attack got something."""
    return f"obtained {found.count}" if found.count else "obtained nothing"
