"""Somebody alters what passes between the parts: the vaults' messages, the mint's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from moiety.drill.drill import Drill, Obtained
from moiety.drill.hacked import THIEF, Thief, take_over
from moiety.drill.hacked_questions import VAULTS
from moiety.drill.tap import Tap
from moiety.foundation.errors import CanaryFailed, ExchangeAborted, Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.drill.ground import Ground
    from moiety.storage import Gallery

QUESTIONS = 8
CANARIES = 2
AHEAD_MAX = 60


class TamperMessages(Drill):
    """Sits on the line between the vaults."""

    name = "tamper-messages"
    tried = (
        "sat on the line between the vaults with both ends' stolen link keys and turned a bit in each round of the "
        "sign test; counted the questions that were answered all the same"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:exchange_unchecked")

    def attack(self, ground: Ground) -> Obtained:
        """Ask while bits are turned."""
        ground.arrange()
        with Tap(ground) as tap, ground.detour(Role.VAULT_A, Role.VAULT_B, tap.address):
            return take_over(ground, lambda thief: self._ask(thief, tap))

    @staticmethod
    async def _ask(gate: Thief, tap: Tap) -> Obtained:
        """Ask as an honest gate."""
        gallery = await gate.gallery("tapped")
        await gate.enrol(gallery)
        if not await _finds(gate, gallery):
            raise Fault("Nobody was found over a line that only listens; the drill would prove nothing.")
        tap.turning = True
        got = 0
        for _ in range(QUESTIONS):
            try:
                await _finds(gate, gallery)
                got += 1
            except ExchangeAborted:
                continue
        if not tap.turned:
            raise Fault("No message passed the tap; the drill would prove nothing.")
        return Obtained(got, f"{got} of {QUESTIONS} questions answered with {tap.turned} messages altered")


class LyingMint(Drill):
    """The mint deals words that are not true."""

    name = "lying-mint"
    tried = (
        "took over the mint and had it deal false words; counted the wrong answers that were believed after the "
        "gate's next round of questions with known answers"
    )

    def attack(self, ground: Ground) -> Obtained:
        """Ask after the canaries were asked."""
        return self._lie(ground, canaries=True)

    def control(self, ground: Ground) -> Obtained:
        """Ask where no canary is asked."""
        return self._lie(ground, canaries=False)

    def _lie(self, ground: Ground, *, canaries: bool) -> Obtained:
        """Let the mint lie."""
        with ground.weakened({Role.MINT: "weak_mint:false_words"}):
            return take_over(ground, lambda gate: self._ask(gate, canaries=canaries))

    @staticmethod
    async def _ask(gate: Thief, *, canaries: bool) -> Obtained:
        """Ask about somebody who is enrolled; nobody, or somebody else, is a wrong answer."""
        gallery = await gate.gallery("minted")
        await gate.enrol(gallery)
        await gate.house.canaries.plant(gallery, CANARIES)
        # Words that were dealt ahead are true; the first wrong answer shows that they are used up.
        for _ in range(AHEAD_MAX):
            if not await _finds(gate, gallery):
                break
        else:
            raise Fault("The mint's false words changed no answer; the drill would prove nothing.")
        if canaries:
            await gate.house.canaries.check(gallery)
        wrong = 0
        for _ in range(QUESTIONS):
            try:
                wrong += not await _finds(gate, gallery)
            except CanaryFailed:
                continue
        return Obtained(wrong, f"{wrong} of {QUESTIONS} questions answered wrongly and believed")


async def _finds(gate: Thief, gallery: Gallery) -> bool:
    """Ask who is in a photo of the one person who is enrolled; says whether that person is the answer."""
    answers = await gate.house.identifier.identify(gallery, gate.ground.photos.probe.read_bytes(), THIEF)
    return len(answers[0].candidates) == 1 and not answers[0].too_many
