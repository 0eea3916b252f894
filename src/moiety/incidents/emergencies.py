"""Stop and kill: pressed by one person, at once and for every part; lifted by two, and at the vaults by their keepers.

The gate keeps what is pressed in its database and tells the vaults again and again; each of them keeps it for itself.
A gate that forgets, is restored or is taken over lets nothing go on at a vault.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moiety.access import kinds
from moiety.access.papers import Fact
from moiety.foundation.errors import AlreadyThere, BadInput, Forbidden, Refusal
from moiety.foundation.ids import new_id
from moiety.ledger import Kind as Record
from moiety.ledger.log import REASON_CHARS_MAX
from moiety.storage import Pressed, Switch
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.access import Caller, Staff
    from moiety.access.approvals import Proposal
    from moiety.access.papers import Content
    from moiety.ledger import Ledger
    from moiety.people.house import House
    from moiety.storage import Store, Transaction
    from moiety.wire.links import Client

_log = logging.getLogger(__name__)

PURPOSE: Final = "emergency"
TELL_SECONDS: Final = 5.0
# What is pressed is told again at this pace, so that a vault that was away or restored has it before it answers much.
CARRY_SECONDS: Final = 2.0
SWITCH, PRESSES = "switch", "pressed"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is pressed at the gate and, where a vault answers, what is at the vaults: `stopped`, `killed`, `version`."""

    stop: Pressed | None
    kill: Pressed | None
    vaults: dict[str, dict[str, Any] | None]


def press(store: Store, ledger: Ledger, switch: Switch, actor: str, reason: str) -> int:
    """Press a switch in the gate's database, with its ledger entry; gives how many API keys it revoked.

    Each pressing counts: a kill ends the sessions that were opened since the last one.

    Raises:
        BadInput: there is no reason, or it is too long.

    """
    if not reason.strip() or len(reason) > REASON_CHARS_MAX:
        raise BadInput(f"A reason has 1 to {REASON_CHARS_MAX} characters.")
    now = store.clock.now()
    with store.begin() as tx:
        # A crash before the commit leaves nothing pressed, and no entry that says so.
        made = Pressed(new_id("emg"), switch.value, actor, now)
        tx.emergencies.put(made)
        revoked = tx.emergencies.revoke(now) if switch is Switch.KILL else 0
        ledger.append(
            tx,
            Record.ALTERATION,
            f"{switch}-press",
            actor=actor,
            purpose=PURPOSE,
            reason=reason,
            emergency=made.id,
            keys_revoked=revoked,
        )
    return revoked


class Emergencies:
    """The switches of one gate."""

    def __init__(self, house: House, staff: Staff) -> None:
        """Press in the gate's database and at its vaults; let `staff`'s approvals lift."""
        self._desk = house.desk
        self._parked = house.parked
        self._staff = staff
        staff.approvals.carry_out_with(kinds.LIFT.name, self._lifted)

    # ---- pressing ----

    async def press(self, switch: Switch, actor: str, reason: str) -> Standing:
        """Press, tell both vaults, and end the questions that wait; raises as `press`.

        The caller ends the sessions (`Entrance.follow`). A vault that is away is told when it is back.
        """
        await asyncio.to_thread(press, self._desk.store, self._desk.ledger, switch, actor, reason)
        _log.critical("gate: an emergency switch was pressed")
        await self._parked.close()
        return await self.carry()

    def pressed(self) -> tuple[Pressed | None, Pressed | None]:
        """Say which pressings of stop and of kill stand."""
        with self._desk.store.read() as tx:
            return tx.emergencies.on(Switch.STOP), tx.emergencies.on(Switch.KILL)

    def history(self) -> Sequence[Pressed]:
        """Give the newest pressings, newest first."""
        with self._desk.store.read() as tx:
            return tx.emergencies.list()

    async def carry(self) -> Standing:
        """Tell both vaults what is pressed, and hear what is pressed there."""
        stop, kill = await asyncio.to_thread(self.pressed)
        wanted = {"stop": stop is not None, "kill": kill is not None}
        links = self._desk.links
        lines = {Role.VAULT_A.value: links.a, Role.VAULT_B.value: links.b}
        heard = await asyncio.gather(*(_tell(line, wanted) for line in lines.values()))
        return Standing(stop, kill, dict(zip(lines, heard, strict=True)))

    async def run(self) -> None:
        """Tell the vaults again and again while something is pressed."""
        while True:
            try:
                if any(await asyncio.to_thread(self.pressed)):
                    await self.carry()
            except Refusal as refusal:
                _log.warning("gate: cannot tell the vaults of an emergency: %(slug)s", {"slug": refusal.slug})
            await asyncio.sleep(CARRY_SECONDS)

    # ---- lifting ----

    def propose_lift(self, switch: Switch, caller: Caller, reason: str) -> Proposal:
        """Lay before a second person that a switch is let go.

        Raises:
            AlreadyThere: it is not pressed.

        """
        with self._desk.store.read() as tx:
            standing = tx.emergencies.standing(switch)
        if not standing:
            raise AlreadyThere("This switch is not pressed at the gate.")
        facts = [Fact(SWITCH, switch.value), Fact(PRESSES, str(standing))]
        return self._staff.approvals.propose(kinds.LIFT, caller, facts, reason)

    def _lifted(self, tx: Transaction, content: Content) -> dict[str, str]:
        """Let go what two people looked at, and nothing that was pressed since."""
        switch = Switch(content.fact(SWITCH))
        if str(tx.emergencies.standing(switch)) != content.fact(PRESSES):
            raise AlreadyThere("It was pressed again or lifted since this was proposed; propose it anew.")
        self._lift(tx, switch, content.proposer, content.id)
        return {SWITCH: switch.value}

    def lift_alone(self, switch: Switch, actor: str, reason: str) -> None:
        """Let go at the word of the machine's owner, where nobody works here and so no second person can be.

        Raises:
            Forbidden: people work here.
            AlreadyThere: it is not pressed.

        """
        if self._staff.operators.anybody:
            raise Forbidden("People work here: two of them let it go, by an approval.")
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves it pressed.
            if not tx.emergencies.standing(switch):
                raise AlreadyThere("This switch is not pressed at the gate.")
            self._lift(tx, switch, actor, "owner", reason)

    def _lift(self, tx: Transaction, switch: Switch, actor: str, by: str, reason: str | None = None) -> None:
        tx.emergencies.lift(switch, by, self._desk.clock.now())
        self._desk.ledger.append(
            tx, Record.ALTERATION, f"{switch}-lift", actor=actor, purpose=PURPOSE, reason=reason, approval=by
        )


async def _tell(line: Client, wanted: dict[str, bool]) -> dict[str, Any] | None:
    """Press at one vault; None for one that does not answer."""
    try:
        return (await line.call(Kind.EMERGENCY, wanted, (), TELL_SECONDS)).meta
    except Refusal:
        return None
