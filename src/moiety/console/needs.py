"""What needs its reader now, by what they may: each need is one sentence and the place where something is done."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from moiety.access import Permission, spares
from moiety.api.entrance import Via
from moiety.console import alarms
from moiety.console.marking import N_
from moiety.console.needing import Need
from moiety.foundation.errors import Forbidden
from moiety.foundation.ids import GalleryId, OperatorId
from moiety.ledger.checkpointing import Witnessing
from moiety.matching.parked import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moiety.console.frame import Frame
    from moiety.matching.parked import Question

DAY_SECONDS: Final = 86_400
SOON_DAYS: Final = 14
# Up to so many who wait for the written release are counted in each gallery.
MANY: Final = 1000


async def passkeys(frame: Frame) -> list[Need]:
    """Ask for the second passkey, and say from the first day what ends without it."""
    visitor = frame.visit.visitor
    if visitor is None or visitor.via is not Via.DEVICE:
        return []
    operators = frame.visit.gate.staff.operators
    made = await asyncio.to_thread(operators.passkeys, OperatorId(visitor.caller.key_id))
    until = spares.enough_until(made)
    if until is None:
        return []
    days = math.ceil((until - frame.visit.gate.house.desk.clock.now()) / DAY_SECONDS)
    words = frame.say(N_("You have one passkey. Whoever loses the only one needs two colleagues to come back."))
    hint = frame.say(N_("Until there is a second one, you approve, invite and reveal nothing."))
    if days > 0:
        hint = frame.say_many(
            "In %(num)s day you can no longer approve, invite or reveal, until there is a second one.",
            "In %(num)s days you can no longer approve, invite or reveal, until there is a second one.",
            days,
        )
    kind = "warn" if days > 0 else "bad"
    return [Need(words, "/access", frame.say(N_("Add a second passkey")), kind, hint)]


async def approvals(frame: Frame) -> list[Need]:
    """Say what waits for the reader's signature, and what they may carry out now."""
    if not frame.may(Permission.APPROVAL_READ):
        return []
    staff, me = frame.visit.gate.staff.approvals, frame.caller
    to_sign, to_do = await asyncio.to_thread(staff.for_me, me)
    found = []
    if to_sign:
        words = frame.say_many(
            "%(num)s proposal waits for your signature", "%(num)s proposals wait for your signature", to_sign
        )
        found.append(Need(words, "/approvals", frame.say(N_("Read and sign"))))
    if to_do:
        words = frame.say_many(
            "%(num)s of your proposals is signed: carry it out", "%(num)s of your proposals are signed", to_do
        )
        found.append(Need(words, "/approvals", frame.say(N_("Carry out"))))
    return found


async def alerts(frame: Frame) -> list[Need]:
    """Say what the reader, as another unit, has to look into, and who is locked."""
    if not frame.may(Permission.ALERT_READ):
        return []
    desk = frame.visit.gate.house.desk

    def read() -> tuple[int, int]:
        with desk.store.read() as tx:
            counts, locks = tx.alerts.counts(), tx.alerts.locks()
        return sum(number for (_, seen), number in counts.items() if not seen), len(locks)

    unseen, locked = await asyncio.to_thread(read)
    told = []
    if unseen:
        words = frame.say_many(
            "%(num)s alert about who looks at people waits for somebody",
            "%(num)s alerts about who looks at people wait for somebody",
            unseen,
        )
        told.append(Need(words, "/alerts", frame.say(N_("Look into it")), "bad"))
    if locked:
        words = frame.say_many(
            "%(num)s account is locked by an alarm", "%(num)s accounts are locked by an alarm", locked
        )
        told.append(Need(words, "/alerts", frame.say(N_("See which"))))
    return told


async def questions(frame: Frame) -> list[Need]:
    """Say how many questions wait for a signature that the reader may give."""

    def mine(one: Question) -> bool:
        if one.state is not State.WAITING or one.waiting.signed >= one.waiting.wanted:
            return False
        try:
            frame.caller.require(Permission(one.owner.permission), GalleryId(one.owner.gallery))
        except Forbidden:
            return False
        return True

    count = sum(mine(one) for one in frame.visit.gate.house.parked.list())
    if not count:
        return []
    words = frame.say_many("%(num)s question waits to be signed", "%(num)s questions wait to be signed", count)
    return [Need(words, "/identify", frame.say(N_("Look at them")))]


async def holds(frame: Frame) -> list[Need]:
    """Say which legal holds are to be reviewed."""
    found = await _galleries(frame, Permission.SUBJECT_HOLD)
    if not found:
        return []
    desk, now = frame.visit.gate.house.desk, frame.visit.gate.house.desk.clock.now()

    def read() -> tuple[int, int]:
        with desk.store.read() as tx:
            standing = tx.holds.standing(found)
        late = [one for one in standing if one.review_at <= now]
        soon = [one for one in standing if now < one.review_at <= now + SOON_DAYS * DAY_SECONDS]
        return len(late), len(soon)

    late, soon = await asyncio.to_thread(read)
    place, look = "/retention", frame.say(N_("See the calendar"))
    told = []
    if late:
        words = frame.say_many(
            "The review of %(num)s legal hold is overdue", "The reviews of %(num)s legal holds are overdue", late
        )
        told.append(Need(words, place, look, "bad"))
    if soon:
        words = frame.say_many(
            "%(num)s legal hold is to be reviewed within two weeks",
            "%(num)s legal holds are to be reviewed within two weeks",
            soon,
        )
        told.append(Need(words, place, look, "calm"))
    return told


async def releases(frame: Frame) -> list[Need]:
    """Say in which galleries people wait for the written release that the reader may take; nobody is read for it."""
    found = await _galleries(frame, Permission.SUBJECT_ENROL)
    if not found:
        return []
    desk = frame.visit.gate.house.desk

    def read() -> list[tuple[GalleryId, str, int]]:
        with desk.store.read() as tx:
            counts = tx.release_waits.counts(found, MANY + 1)
            return [(one.id, one.name, counts[one.id]) for one in tx.galleries.list() if one.id in counts]

    told = []
    for gallery, name, count in await asyncio.to_thread(read):
        words = frame.say_many(
            "%(num)s enrolment waits for the written release",
            "%(num)s enrolments wait for the written release",
            count,
        )
        if count > MANY:
            words = frame.say(N_("More than a thousand enrolments wait for the written release"))
        told.append(Need(words, f"/people/{gallery}/releases", frame.say(N_("Take the releases")), hint=name))
    return told


async def follow_ups(frame: Frame) -> list[Need]:
    """Say what the reader was told earlier and has to look at again, for a record was put right since."""
    count = len(await frame.visit.gate.house.registry.follow_ups.mine(frame.caller.key_id))
    if not count:
        return []
    words = frame.say_many(
        "%(num)s answer that you were given has changed since",
        "%(num)s answers that you were given have changed",
        count,
    )
    return [Need(words, "/told", frame.say(N_("Look at them again")))]


async def parts(frame: Frame) -> list[Need]:
    """Say which parts do not answer, and whether the witness signs the ledger."""
    if not frame.may(Permission.METRICS_READ):
        return []
    gate = frame.visit.gate
    down = [name for name, up in (await gate.parts.state()).items() if not up]
    place, look = "/status", frame.say(N_("See the status"))
    told = []
    if down:
        words = frame.say_many("%(num)s part does not answer", "%(num)s parts do not answer", len(down))
        told.append(Need(words, place, look, "bad", ", ".join(down)))
    stands = await asyncio.to_thread(gate.house.checkpointing.standing)
    if stands.state in {Witnessing.REFUSED, Witnessing.BROKEN}:
        words = frame.say(N_("The witness does not sign the ledger any more: entries may be missing or changed"))
        told.append(Need(words, place, look, "bad"))
    return told


async def _galleries(frame: Frame, permission: Permission) -> list[GalleryId]:
    """Give the galleries in which the reader has a permission."""
    if not frame.may(permission):
        return []
    known = [one.id for one in await frame.visit.gate.house.galleries.list()]
    return list(frame.caller.visible(permission, known))


# Whoever has something else that may need somebody adds it here, the most urgent first.
SOURCES: Final[tuple[Callable[[Frame], Awaitable[list[Need]]], ...]] = (
    alerts,
    alarms.pressed,
    alarms.incidents,
    parts,
    alarms.reports,
    approvals,
    questions,
    holds,
    releases,
    follow_ups,
    passkeys,
    alarms.drills,
)


async def needs(frame: Frame) -> list[Need]:
    """Give everything that needs the reader, the worst first."""
    found = [need for source in SOURCES for need in await source(frame)]
    order = ("bad", "warn", "calm")
    return sorted(found, key=lambda one: order.index(one.kind))
