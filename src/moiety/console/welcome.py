"""The way of a new organisation from the first passkey to the first match, read off from what is there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.access import Permission
from moiety.console.marking import N_
from moiety.storage import GalleryState, OperatorState
from moiety.storage.ledger_entries import Wanted

if TYPE_CHECKING:
    from moiety.console.frame import Frame
    from moiety.storage import Transaction

QUESTIONS: Final = ("identify", "verify")


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `command` is what the owner of the machine types where no page does it; `open_to` who does it."""

    words: str
    hint: str
    address: str
    action: str
    open_to: Permission | None
    command: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """All steps, each with whether it is done; `now` is the number of the first that is not."""

    steps: tuple[tuple[Step, bool], ...]

    @property
    def now(self) -> int:
        """Give the number of the step that is to be done, counted from 0; past the end when all are."""
        return next((number for number, (_, done) in enumerate(self.steps) if not done), len(self.steps))


STEPS: Final = (
    Step(
        N_("Make the first passkey"),
        N_("Whoever opens the link that this prints is the first to work here, and invites the others."),
        "",
        "",
        None,
        "moiety operator first",
    ),
    Step(
        N_("Invite a second person"),
        N_("Two people stand behind whoever comes in and behind every act that asks for two."),
        "/operators",
        N_("Invite somebody"),
        Permission.OPERATOR_MANAGE,
    ),
    Step(
        N_("Open a gallery"),
        N_("A gallery says what its people are there for. Nobody is looked for outside of that purpose."),
        "/galleries",
        N_("Open a gallery"),
        Permission.GALLERY_CREATE,
    ),
    Step(
        N_("Put it into use"),
        N_("Name the impact assessment and the day of its review; another administrator or an examiner signs."),
        "/galleries",
        N_("Put a gallery into use"),
        Permission.GALLERY_CREATE,
    ),
    Step(
        N_("Say what it asks of people"),
        N_("A registrar sets basis, consent, controller and term; what a record does not say is taken from there."),
        "/galleries",
        N_("Set the rule"),
        Permission.RULES_SET,
    ),
    Step(
        N_("Enrol the first person"),
        N_("A registrar does this, with the person's release where the gallery asks for one."),
        "/enrol",
        N_("Enrol somebody"),
        Permission.SUBJECT_ENROL,
    ),
    Step(
        N_("Ask the first question"),
        N_("An examiner, officer or guard shows a picture and says why they ask."),
        "/identify",
        N_("Ask who this is"),
        Permission.PROBE_IDENTIFY,
    ),
)


async def path(frame: Frame) -> Path | None:
    """Say how far the organisation is; None when every step is done."""
    desk = frame.visit.gate.house.desk

    def read() -> tuple[bool, ...]:
        with desk.store.read() as tx:
            return _done(tx)

    # What was done once stays done: the ledger is not searched again for it.
    state = frame.request.app.state
    if getattr(state, "welcomed", False):
        return None
    found = Path(tuple(zip(STEPS, await asyncio.to_thread(read), strict=True)))
    state.welcomed = found.now == len(found.steps)
    return None if state.welcomed else found


def _done(tx: Transaction) -> tuple[bool, ...]:
    """Say for each step whether it is done."""
    people = [one for one in tx.operators.list() if one.state is not OperatorState.DISABLED]
    galleries = [one for one in tx.galleries.list() if one.state is GalleryState.OPEN]
    active = sum(one.state is OperatorState.ACTIVE for one in people)
    used = any(tx.deployments.get(one.id) for one in galleries)
    ruled = any(tx.rules.get(one.id) for one in galleries)
    enrolled = any(tx.subjects.page(one.id, limit=1) for one in galleries)
    asked = enrolled and any(tx.ledger.search(Wanted(act=act), before=None, limit=1) for act in QUESTIONS)
    return active > 0, active > 1, bool(galleries), used, ruled, enrolled, asked
