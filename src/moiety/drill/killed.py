"""The kill switch is pressed, and everybody who held a key goes on."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import httpx

from moiety.drill import keeper
from moiety.drill.colleague import CALL_SECONDS, Browser, administrator, hired, invited
from moiety.drill.device import Camera, Question
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.hacked import take_over
from moiety.drill.hacked_questions import VAULTS
from moiety.drill.stopped import restart
from moiety.foundation.errors import Fault
from moiety.vault.policy import Needs
from moiety.warrants.proofs import by_device
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moiety.drill.ground import Ground
    from moiety.drill.hacked import Thief
    from moiety.storage import Gallery

LOOK_SECONDS = 0.5
WHY = {"reason": "a drill"}
OPEN = "/v1/galleries"


class Killed(Drill):
    """Everything that opened something before the kill switch was pressed, after it."""

    name = "killed"
    tried = (
        "held a session of an officer's and one of an administrator's, the machine's own session at the console, an "
        "API key, the link of an invitation and a door's device; used all of them a minute after kill was pressed"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:kills_nothing"}
    # Safeguard 57.
    patience = 60.0

    def control(self, ground: Ground) -> Obtained:
        """Do the same where nothing is revoked, and need not wait a minute for that."""
        self.patience = LOOK_SECONDS
        return super().control(ground)

    def attack(self, ground: Ground) -> Obtained:
        """Count what still opens something; the drill's own keepers are its owner, who lets go afterwards."""
        door, tally = _Door(), Tally()
        try:
            if take_over(ground, door.ask).count != len(VAULTS):
                raise Fault("The drill's device is not answered before kill was pressed.")
            took, alive, of = self._press(ground)
            tally.add(len(alive), f"{len(alive)} of {of} keys to the gate open it {took:.1f} s after")
            tally.add(got := take_over(ground, door.ask).count, f"{got} answers of {len(VAULTS)} vaults to a device")
        finally:
            restart(ground, let_go=True)
        return tally.obtained()

    def _press(self, ground: Ground) -> tuple[float, list[str], int]:
        """Press, and look until nothing opens any more; gives after how long, what opens still, and of how many."""
        console = httpx.Client(base_url=ground.url, trust_env=False, timeout=CALL_SECONDS)
        # Invited first: an only operator's proposals are confirmed by the owner of the machine.
        with administrator(ground) as (ada, _), console, contextlib.ExitStack() as stack:
            way = invited(ground, ada, "guard")
            keys = _keys(ground, (ada, stack.enter_context(hired(ground, ada, "officer"))), console, way)
            if shut := [name for name, opens in keys.items() if not opens()]:
                raise Fault(f"Before kill was pressed the drill's {shut[0]} opens nothing; nothing would be proved.")
            if not ada.ask("POST", "/v1/emergencies/kill", json=WHY).is_success:
                raise Fault("The drill's administrator cannot press the kill switch.")
            began = time.monotonic()
            while True:
                alive = [name for name, opens in keys.items() if opens()]
                took = time.monotonic() - began
                if not alive or took >= self.patience:
                    return took, alive, len(keys)
                time.sleep(LOOK_SECONDS)


def _keys(
    ground: Ground, people: tuple[Browser, Browser], console: httpx.Client, way: str
) -> dict[str, Callable[[], bool]]:
    """Give each key to the gate, as a question whether it opens it."""
    ada, officer = people
    with ground.owner() as line:
        console.get(line.ask("POST", "tickets")["path"])
        made = line.ask("POST", "keys", json={"name": "door", "scopes": ["gallery:manage:list"], "days": 1})
    token = {"authorization": f"Bearer {made['token']}"}
    door, guest = (
        httpx.Client(base_url=ground.url, headers=token, trust_env=False, timeout=CALL_SECONDS),
        Browser(ground.url),
    )
    return {
        "officer's session": lambda: officer.ask("GET", OPEN).is_success,
        "administrator's session": lambda: ada.ask("GET", OPEN).is_success,
        "machine's session": lambda: console.get(OPEN).is_success,
        "API key": lambda: door.get(OPEN).is_success,
        "link of an invitation": lambda: guest.ask("POST", "/v1/join/begin", json={"code": way}).is_success,
    }


@dataclass
class _Door:
    """A gallery whose questions a device signs, and the device."""

    camera: Camera = field(default_factory=Camera)
    gallery: Gallery | None = None
    version: int = 0

    async def ask(self, thief: Thief) -> Obtained:
        """Ask once, under a new signature of the device; the first time the gallery is opened and the device seated."""
        if self.gallery is None:
            self.gallery = await thief.gallery("killed")
            await thief.enrol(self.gallery)
            await keeper.seat(thief.ground, {}, None, (self.camera.on_roster(self.gallery.id),))
            self.version = (await keeper.set_policy(thief.ground, self.gallery.id, asks=Needs.DEVICE)).version
        picture = thief.ground.photos.probe.read_bytes()
        slip = self.camera.slip(picture, thief.house.desk.clock.now())
        got = await Question(thief, self.gallery, self.version).ask(picture, slip, lambda _: by_device(slip))
        return Obtained(got, "")
