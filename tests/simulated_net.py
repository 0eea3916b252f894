"""A network in memory: frames travel as bytes over links that are cut, slow, silent, or carry a frame twice.

A link keeps its order, as TCP does; two links between the same parts do not keep any between them. A part that dies
takes its links with it; the other end is told at once, or not before it says something.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

from moiety.wire.frames import HEADER, Sort
from moiety.wire.kinds import Kind, Role
from moiety.wire.network import READ_AHEAD_BYTES, Link
from simulated_time import NOBODY

if TYPE_CHECKING:
    import random
    import socket
    from collections import Counter
    from collections.abc import Awaitable, Callable, Iterable

    from moiety.wire.cards import Card, Peers
    from moiety.wire.identity import Identity
    from simulated_time import Process, Trace, VirtualLoop

    Pieces = Iterable[bytes | bytearray | memoryview]
    Armed = tuple[Role, Kind, str]

# What may become of a question, and of an answer.
FATES = ("before", "after", "cut", "half", "twice", "again", "slow")
ANSWER_FATES = ("before", "half", "twice", "slow")
# A search alone asks some forty times, an enrolment a few.
OFTEN = 0.08
SELDOM = {Kind.ROUND: 0.004, Kind.DEAL: 0.02, Kind.HELLO: 0.05, Kind.BEGIN: 0.04, Kind.FINISH: 0.04}
# What OpenSSL seals is another every time; all other bytes of a run are the same whenever it is run.
_SEALED = {
    (Kind.PROBE, Sort.ANSWER),
    (Kind.TEMPLATE, Sort.ANSWER),
    (Kind.CANARY_PROBE, Sort.ANSWER),
    (Kind.CANARY_TEMPLATE, Sort.ANSWER),
    (Kind.SEARCH, Sort.ASK),
    (Kind.PREPARE, Sort.ASK),
}
# Questions that carry a warrant, which opens one thing once.
WARRANTED = (Kind.SEARCH, Kind.PREPARE, Kind.ERASE, Kind.POLICY_SET)
SILENT_CONNECT_SECONDS = 5.0
# The system finds a line dead on which bytes are lost, at both ends (moiety.wire.network's keep-alive).
KEEPALIVE_SECONDS = 30.0


@dataclass
class Weather:
    """Decides at each frame what becomes of it."""

    dice: random.Random
    seen: Counter[str]
    bad: bool = False
    # The fate of the next question of a kind to a part, whatever the weather, and what is armed after it.
    armed: Armed | None = None
    then: Armed | None = None

    def fate(self, to: Role, kind: Kind, sort: Sort) -> str | None:
        """Look at the sky, for one frame."""
        if self.armed and sort is Sort.ASK and self.armed[:2] == (to, kind):
            fate, self.armed, self.then = self.armed[2], self.then, None
            self.seen[fate] += 1
            return fate
        if not self.bad or self.dice.random() >= SELDOM.get(kind, OFTEN) / (1 if sort is Sort.ASK else 2):
            return None
        fate = self.dice.choice(FATES if sort is Sort.ASK else ANSWER_FATES)
        self.seen[fate] += 1
        return fate


@dataclass
class Said:
    """A question with a warrant that went over a link: for whoever wants to say it once more."""

    to: Role
    kind: Kind
    raw: bytes
    answers: int = 0


@dataclass
class _Door:
    """Where a part listens."""

    process: Process
    peers: Peers
    card: Card
    accept: Callable[[Link], Awaitable[None]]


@dataclass
class Fabric:
    """All links of a site."""

    loop: VirtualLoop
    dice: random.Random
    trace: Trace
    weather: Weather
    doors: dict[str, _Door] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    # Pairs of parts between which nothing passes, and nobody is told so.
    walls: set[frozenset[Role]] = field(default_factory=set)

    cards: dict[Role, Card] = field(default_factory=dict)

    def card(self, identity: Identity) -> Card:
        """Give a part's card; making one takes a signature, and it never changes."""
        if identity.role not in self.cards:
            self.cards[identity.role] = identity.card()
        return self.cards[identity.role]

    def latency(self) -> float:
        """Draw how long a frame is under way, in seconds."""
        return self.dice.uniform(0.0001, 0.002)

    def end_of(self, process: Process) -> None:
        """Break all links of a process that died."""
        for end in self.ends:
            if end.process is process:
                end.cut(told=self.dice.random() < 0.5)
        self.ends = [end for end in self.ends if not end.closed]
        for name, door in list(self.doors.items()):
            if door.process is process:
                del self.doors[name]


class End:
    """One end of a link, with which its part writes."""

    other: End

    def __init__(self, fabric: Fabric, process: Process, role: Role) -> None:
        """Belong to `process`, which plays `role`."""
        self.fabric = fabric
        self.process = process
        self.role = role
        self.reader = asyncio.StreamReader(limit=READ_AHEAD_BYTES, loop=fabric.loop)
        self.closed = False
        self.heard = 0
        self._lost = False
        self._ended = False
        self._arrives = 0.0
        self._unanswered: set[int] = set()
        self._asked: dict[int, Said] = {}

    # ---- what a part does with it ----

    def writelines(self, data: Pieces, /) -> None:
        """Send one frame."""
        if self.closed or not self.process.alive:
            return
        raw = b"".join(data)
        _, number, sort, frame_id, *_ = HEADER.unpack(raw[: HEADER.size])
        kind, sort = Kind(number), Sort(sort)
        fate = self.fabric.weather.fate(self.other.role, kind, sort)
        if sort is not Sort.ASK and frame_id in self._unanswered:
            fate = "before"
        shown = 0 if (kind, sort) in _SEALED else crc32(raw)
        self.fabric.trace.note(
            f"{self.fabric.loop.time():.6f} {self.role}>{self.other.role} {kind.name} {sort.name} {frame_id}"
            f" {len(raw)} {shown:08x} {fate}"
        )
        if sort is Sort.ASK and kind in WARRANTED:
            said = self.other._asked[frame_id] = Said(self.other.role, kind, raw)
            self.fabric.said.append(said)
        if sort is Sort.ANSWER and frame_id in self._asked:
            self._asked[frame_id].answers += 1
        self._send(raw, fate, frame_id)

    def _send(self, raw: bytes, fate: str | None, frame_id: int) -> None:
        """Let a frame meet its fate."""
        if fate == "before":
            self.cut()
            return
        if fate == "half":
            self._deliver(raw[: self.fabric.dice.randrange(len(raw))])
            self.cut()
            return
        if fate == "slow":
            self._arrives = max(self._arrives, self.fabric.loop.time()) + self.fabric.dice.uniform(0.5, 90.0)
        if fate == "after":
            self.other._unanswered.add(frame_id)
        self._deliver(raw)
        if fate == "twice":
            self._deliver(raw)
        elif fate == "again":
            later = self.fabric.loop.time() + self.fabric.dice.uniform(0.001, 20.0)
            self.fabric.loop.call_at(later, self._deliver, raw, context=NOBODY)
        elif fate == "cut":
            later = self.fabric.loop.time() + self.fabric.dice.choice((0.0, 0.002, 0.01, 0.05))
            self.fabric.loop.call_at(later, self.cut, context=NOBODY)

    async def drain(self) -> None:
        """Wait for nothing: the wires take everything."""
        if self.closed:
            raise ConnectionResetError

    def is_closing(self) -> bool:
        """Whether it was closed or broke."""
        return self.closed

    def close(self) -> None:
        """Hang up; what was said before still arrives."""
        if not self.closed:
            self._shut()
            self._later(self.other._hung_up)

    def moved(self) -> object:
        """Count what came."""
        return self.heard

    # ---- what the wires do ----

    def cut(self, *, told: bool = True) -> None:
        """Break the link; the other end hears of it a little later, or when it says something."""
        if not self.closed:
            self._shut()
            if told:
                self._later(self.other._broke)

    def _shut(self) -> None:
        """Let nobody read or write here any more."""
        self.closed = True
        if not self.reader.at_eof() and self.process.alive:
            self.reader.feed_eof()

    def _later(self, work: Callable[..., None], *given: object) -> None:
        """Do it when all that was sent before has arrived."""
        fabric = self.fabric
        self._arrives = max(self._arrives, fabric.loop.time() + fabric.latency())
        fabric.loop.call_at(self._arrives, work, *given, context=NOBODY)

    def _deliver(self, raw: bytes) -> None:
        """Put bytes on the wire."""
        if self._lost or frozenset((self.role, self.other.role)) in self.fabric.walls:
            # Nothing that comes after a lost byte is ever delivered on the same link.
            if not self._lost:
                self._lost = True
                for end in (self, self.other):
                    self.fabric.loop.call_later(KEEPALIVE_SECONDS, end._broke, context=NOBODY)
            return
        self._later(self._arrive, raw)

    def _arrive(self, raw: bytes) -> None:
        """Hand bytes over, if there is still somebody."""
        other = self.other
        if not other.process.alive:
            # Whoever lives at that address now knows nothing of this link, and says so.
            if other.role.value in self.fabric.doors:
                self._broke()
        elif other.closed:
            self._broke()
        elif not other._ended:
            other.heard += len(raw)
            other.reader.feed_data(raw)

    def _hung_up(self) -> None:
        """Let the reader know that nothing more comes."""
        if not self.closed and self.process.alive:
            self._ended = True
            self.reader.feed_eof()

    def _broke(self) -> None:
        """Learn that the link is broken."""
        if not self.closed and self.process.alive:
            self.closed = True
            self.reader.set_exception(ConnectionResetError())


class SimulatedNetwork:
    """What one process sees of the network."""

    def __init__(self, fabric: Fabric, process: Process) -> None:
        """Use the links of `fabric` for `process`."""
        self._fabric = fabric
        self._process = process
        process.at_death.append(lambda: fabric.end_of(process))

    async def connect(self, identity: Identity, peers: Peers, address: tuple[str, int]) -> Link:
        """Connect to a part by its role's name."""
        fabric = self._fabric
        await asyncio.sleep(2 * fabric.latency())
        door = fabric.doors.get(address[0])
        if frozenset((identity.role, Role(address[0]))) in fabric.walls:
            await asyncio.sleep(SILENT_CONNECT_SECONDS)
            raise TimeoutError
        if door is None:
            raise ConnectionRefusedError
        here, there = End(fabric, self._process, identity.role), End(fabric, door.process, Role(address[0]))
        here.other, there.other = there, here
        fabric.ends += [here, there]
        caller = _known(door.peers, fabric.card(identity))
        # The loop keeps the task.
        door.process.spawn(_coroutine(door.accept(Link(there.reader, there, caller, there.moved))))
        return Link(here.reader, here, _known(peers, door.card), here.moved)

    async def listen(
        self,
        identity: Identity,
        peers: Peers,
        listener: socket.socket,
        accept: Callable[[Link], Awaitable[None]],
        take: object = None,
    ) -> Closing:
        """Stand in a part's door; sockets are not needed, and streams that threads would have are not there."""
        del listener, take
        self._fabric.doors[identity.role.value] = _Door(self._process, peers, self._fabric.card(identity), accept)
        return Closing()


class Closing:
    """Parts of a simulation never close their doors: they die."""

    def close(self) -> None:
        """Do nothing."""


def _known(peers: Peers, card: Card) -> Role | None:
    """Say whose card it is, among those that a part knows."""
    return card.role if peers[card.role] == card else None


async def _coroutine(work: Awaitable[None]) -> None:
    """Make a task's body of anything that can be awaited."""
    await work
