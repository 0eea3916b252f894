"""Somebody has taken over the gate, with its memory and keys, and asks the vaults what he should not be told."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.hacked import Thief, answered, take_over
from moiety.drill.two_questions import DIM, norm_breakers, read_template
from moiety.foundation.envelopes import seal_to
from moiety.foundation.errors import ExchangeAborted, Refusal, WarrantRefused
from moiety.kernel import quantise
from moiety.warrants import targets
from moiety.warrants.statement import Statement
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from moiety.drill.ground import Ground
    from moiety.storage import Gallery

VAULTS = (Role.VAULT_A, Role.VAULT_B)
REFUSED = (WarrantRefused, ExchangeAborted)
HOUR_SECONDS = 3600


class Enumerate(Drill):
    """Asks for as many faces as he can."""

    name = "hacked-enumerate"
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:budgets_off")
    BUDGET = 2_000
    PROBES = 10_000
    CONTROL_PROBES = 2_560
    BATCH = 250
    tried = (
        f"owned the gate and sent {PROBES} probes to a gallery whose documented budget is {BUDGET} an hour; "
        "counted the answers beyond it"
    )

    def attack(self, ground: Ground) -> Obtained:
        """Send them all."""
        return take_over(ground, lambda thief: self._send(thief, self.PROBES))

    def control(self, ground: Ground) -> Obtained:
        """Send a few more than the budget where it is off."""
        with ground.weakened(self.weakness):
            return take_over(ground, lambda thief: self._send(thief, self.CONTROL_PROBES))

    async def _send(self, thief: Thief, count: int) -> Obtained:
        """Ask in batches, and count what both vaults answer."""
        gallery = await thief.gallery("enumerate", probes_per_hour=self.BUDGET)
        await thief.enrol(gallery)
        began = int(time.time()) // HOUR_SECONDS
        sent = got = 0
        while sent < count:
            size = min(self.BATCH, count - sent)
            to_a: list[bytes] = []
            to_b: list[bytes] = []
            for probe in await thief.made_up(gallery, size):
                face = thief.face(gallery, probe)
                to_a += face[0]
                to_b += face[1]
            both = answered(await thief.search(gallery, to_a, to_b), *REFUSED)
            got += size if both else 0
            sent += size
        hours = int(time.time()) // HOUR_SECONDS - began + 1
        beyond = max(0, got - hours * self.BUDGET)
        return Obtained(beyond, f"{got} of {sent} probes were answered, {beyond} beyond the budget of {hours} h")


class TwoQuestions(Drill):
    """Asks A one thing and B another."""

    name = "hacked-two-questions"
    tried = (
        "owned the gate and the eye's signing key; sent q to vault A and q + c e_k to vault B and read the template "
        "from the bits; sent different pictures to both; asked one vault alone"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:exchange_unchecked")

    def attack(self, ground: Ground) -> Obtained:
        """Ask in every way that differs."""
        return take_over(ground, self._ask)

    @staticmethod
    async def _ask(thief: Thief) -> Obtained:
        """Count what is answered, and the numbers of a template that it gives away."""
        gallery = await thief.gallery("two", probes_per_hour=20_000)
        await thief.enrol(gallery)
        tally = Tally()
        numbers, likeness = await read_template(thief, gallery)
        tally.add(numbers, f"{numbers} of {DIM} numbers of a template read (cosine to it {likeness:.2f})")
        mine = await thief.probe(gallery)
        other = await thief.probe(gallery, thief.ground.photos.enrol["Joe Biden"][0].read_bytes())
        got = answered(
            await thief.search(gallery, thief.face(gallery, mine)[0], thief.face(gallery, other)[1]), *REFUSED
        )
        tally.add(got, f"{got} answers about two pictures")
        alone = await thief.probe(gallery)
        meta = {"request": os.urandom(16).hex(), "gallery": gallery.id}
        line = thief.house.desk.links.a.call(Kind.SEARCH, meta, thief.face(gallery, alone)[0])
        got = answered(await asyncio.gather(line, return_exceptions=True), *REFUSED)
        tally.add(got, f"{got} answers of one vault asked alone")
        picks = await _different_picks(thief, gallery)
        tally.add(picks, f"{picks} answers about different positions")
        return tally.obtained()


async def _different_picks(thief: Thief, gallery: Gallery) -> int:
    """Search honestly, then ask for the higher bands of other positions at A than at B."""
    await thief.enrol(gallery, "Joe Biden")
    meta = {"request": os.urandom(16).hex(), "gallery": gallery.id}
    to_a, to_b = thief.face(gallery, await thief.probe(gallery))
    found = await thief.ask(Kind.SEARCH, meta, meta, to_a, to_b)
    if any(isinstance(one, Refusal) for one in found):
        return 0
    one: dict[str, Any] = {"request": os.urandom(16).hex(), "parent": meta["request"], "picks": [[0, [0]]]}
    return answered(await thief.ask(Kind.BANDS, one, one | {"picks": [[0, [1]]]}, [], []), *REFUSED)


def _chosen() -> NDArray[np.int8]:
    """Draw a probe that no eye has made."""
    drawn = np.random.default_rng().standard_normal(DIM)
    return quantise((drawn / np.linalg.norm(drawn)).astype(np.float32))


class SwapProbe(Drill):
    """Has a signed warrant, and puts another probe under it."""

    name = "hacked-swap-probe"
    tried = (
        "owned the gate, took a warrant and statement that were signed for one face and sealed other probes to the "
        "vaults under it: chosen numbers, another picture's, the two vaults' mixed up"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:commitments_unchecked")

    def attack(self, ground: Ground) -> Obtained:
        """Swap."""
        return take_over(ground, self._swap)

    @staticmethod
    async def _swap(thief: Thief) -> Obtained:
        """Count the answers about swapped probes."""
        gallery = await thief.gallery("swap")
        await thief.enrol(gallery)
        at = thief.ground.place(Role.GATE)
        tally = Tally()
        probe = await thief.probe(gallery)
        to_a, to_b = thief.face(gallery, probe)
        nonce, chosen = Statement.decode(probe.statement).nonce, bytes(32) + _chosen().tobytes()
        sealed = [seal_to(at.sealing(role), chosen, targets.sealing_bound(role[-1], nonce)) for role in VAULTS]
        got = answered(await thief.search(gallery, [*to_a[:3], sealed[0]], [*to_b[:3], sealed[1]]), *REFUSED)
        tally.add(got, f"{got} answers about chosen numbers under the eye's own statement")
        other = await thief.probe(gallery, thief.ground.photos.enrol["Joe Biden"][0].read_bytes())
        for what, pair in (
            ("another picture's probe", (other.to_a, other.to_b)),
            ("halves of two pictures", (probe.to_a, other.to_b)),
            ("halves mixed up", (probe.to_b, probe.to_a)),
        ):
            got = answered(await thief.search(gallery, [*to_a[:3], pair[0]], [*to_b[:3], pair[1]]), *REFUSED)
            tally.add(got, f"{got} about {what}")
        return tally.obtained()


class InventProbe(Drill):
    """Makes statements of his own."""

    name = "hacked-invent-probe"
    tried = "owned the gate and asked about chosen probes, with statements that he signed himself in the eye's place"
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:statements_unsigned")
    ASKED = 8

    def attack(self, ground: Ground) -> Obtained:
        """Invent."""
        return take_over(ground, self._invent)

    async def _invent(self, thief: Thief) -> Obtained:
        """Count the answers."""
        gallery = await thief.gallery("invent")
        await thief.enrol(gallery)
        forger = thief.forger(gallery, with_eye=False)
        got = 0
        for _ in range(self.ASKED):
            face = forger.face(_chosen())
            got += answered(await forger.each([face], [face]), *REFUSED)
        return Obtained(got, f"{got} answers about {self.ASKED} invented probes")


class LoudProbe(Drill):
    """Breaks the norm rule, so that scores wrap round the ring."""

    name = "hacked-loud-probe"
    tried = "owned the gate and the eye's signing key; asked about probes that are too long or too short"
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:norms_unchecked")

    def attack(self, ground: Ground) -> Obtained:
        """Shout and whisper."""
        return take_over(ground, self._shout)

    @staticmethod
    async def _shout(thief: Thief) -> Obtained:
        """Count the answers."""
        gallery = await thief.gallery("loud")
        await thief.enrol(gallery)
        forger = thief.forger(gallery, with_eye=True)
        got = 0
        for probe in norm_breakers():
            face = forger.face(probe)
            got += answered(await forger.each([face], [face]), *REFUSED)
        return Obtained(got, f"{got} answers about {len(norm_breakers())} probes of forbidden lengths")
