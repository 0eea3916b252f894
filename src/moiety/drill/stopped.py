"""The stop button is pressed, and somebody who has taken over the gate goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.hacked import Thief, answered, take_over
from moiety.drill.hacked_questions import REFUSED, VAULTS
from moiety.foundation.errors import Fault, Halted
from moiety.vault.emergency import NAME
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.drill.ground import Ground
    from moiety.storage import Gallery


class GoOn(Drill):
    """Searches although matching was stopped."""

    name = "hacked-stopped"
    ASKED = 4
    tried = (
        "owned the gate of an installation whose stop button was pressed, which its own database does not know of: "
        "told the vaults that it is let go, had them start again, and searched under good warrants"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:stop_unasked")

    def attack(self, ground: Ground) -> Obtained:
        """Go on; the drill's own keepers are its owner, who takes the switch away afterwards."""
        try:
            before = take_over(ground, self._press_and_go_on)
            restart(ground)
            after = take_over(ground, self._go_on)
        finally:
            restart(ground, let_go=True)
        return Obtained(before.count + after.count, f"{before.what}; after a start {after.what}")

    async def _press_and_go_on(self, thief: Thief) -> Obtained:
        """Show that searching works, press, and search."""
        gallery = await thief.gallery("stopped")
        await thief.enrol(gallery)
        if await _searched(thief, gallery) != len(VAULTS):
            raise Fault("The drill's own search was not answered before the stop button was pressed.")
        for words in ({"stop": True}, {"stop": False}, {"stop": False, "kill": False, "version": 0}):
            answered(await thief.ask(Kind.EMERGENCY, words, words, [], []), *REFUSED)
        return await self._go_on(thief)

    async def _go_on(self, thief: Thief) -> Obtained:
        """Count the vaults' answers."""
        tally = Tally()
        gallery = next(one for one in await thief.house.galleries.list() if one.name.startswith("stopped"))
        got = sum([await _searched(thief, gallery) for _ in range(self.ASKED)])
        tally.add(got, f"{got} answers to {self.ASKED} searches")
        return tally.obtained()


def restart(ground: Ground, *, let_go: bool = False) -> None:
    """Let both vaults start again, without what was pressed where the drill is over."""
    ground.arrange(gate_runs=False, down=VAULTS)
    for role in VAULTS if let_go else ():
        (ground.made.folder(role) / "book" / f"{NAME}.kept").unlink(missing_ok=True)
    ground.arrange(gate_runs=False)


async def _searched(thief: Thief, gallery: Gallery) -> int:
    """Search as the gate does, and count the vaults that answer."""
    to_a, to_b = thief.face(gallery, await thief.probe(gallery))
    return answered(await thief.search(gallery, to_a, to_b), *REFUSED, Halted)
