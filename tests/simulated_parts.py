"""All parts of an installation as simulated processes: they share a loop, a network and a disk, and die one by one."""

from __future__ import annotations

import asyncio
import errno
import functools
import shutil
import socket
from typing import TYPE_CHECKING, Any

import sqlalchemy

from moiety.cli import gate, installation, parts
from moiety.cli.backup.reviving_gate import revive_gate
from moiety.cli.backup.taking import Taking
from moiety.cli.places import Place
from moiety.cli.wired import Wired
from moiety.foundation.clock import HandClock, SystemClock
from moiety.foundation.errors import DiskFull, PartDown, WireBroken
from moiety.kernel import warm_up
from moiety.storage import Store, engine
from moiety.vault.journal import Journal
from moiety.vault.service import Vault
from moiety.wire.frames import Sort, read_frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import CALL_SECONDS, Server
from moiety.witness.heads import Heads
from moiety.witness.tombstones import Tombstones
from parts_in_process import DIM, SERVED, PaintedSight, painted_eye
from simulated_disk import SimulatedDisk
from simulated_net import SimulatedNetwork
from simulated_time import START, Died, Gone, Process, VirtualClock, seeded

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.standing import Words
    from moiety.eye.service import Eye
    from moiety.people.house import House
    from simulated_disk import Steps
    from simulated_net import Fabric, Said
    from simulated_time import VirtualLoop

# Every process proves its kernel once at its start; here all parts are one process.
setattr(parts, "warm_up", functools.cache(warm_up))  # noqa: B010 - the name is imported there, not exported
# A gate that starts again finds the same engine, and with it the statements that were compiled before.
setattr(engine, "create_engine", functools.cache(sqlalchemy.create_engine))  # noqa: B010 - as above
# Parts are found by the names of their roles.
ADDRESSES = {role: (role.value, 0) for role in Role}
# Handed to servers, which want one; nobody connects to it.
_SOCKET = socket.socket()


def lay_out(folder: Path) -> None:
    """Make a new installation: keys, introductions, and the empty tables of every part."""
    with seeded(0):
        made = installation.create(folder)
        made.introduce()
        Store(made.folder(Role.GATE) / "gate.sqlite", HandClock(START)).close()
        for half in (Role.VAULT_A, Role.VAULT_B):
            Journal(made.folder(half) / "journal.sqlite").close()
        Tombstones(made.folder(Role.WITNESS) / "tombstones.sqlite", HandClock(START)).close()
        Heads(made.folder(Role.WITNESS) / "checkpoints.sqlite").close()


class Site:
    """The parts, and what is outside of them: the sky, the power, the clocks."""

    def __init__(self, template: Path, folder: Path, loop: VirtualLoop, fabric: Fabric, steps: Steps) -> None:
        """Begin in a copy of `template`."""
        shutil.copytree(template, folder)
        self.installation = installation.load(folder)
        self.loop, self.fabric, self.steps = loop, fabric, steps
        self.sight = PaintedSight(DIM, fabric.dice.getrandbits(32))
        self.wrong: dict[Role, float] = {}
        self.processes: dict[Role, Process] = {}
        self.vaults: dict[Role, Vault] = {}
        self.words: dict[Role, Words] = {}
        self.places: dict[Role, Place] = {}
        self.house: House
        self.eye: Eye

    def place(self, role: Role, process: Process) -> Place:
        """Give a new process of a role what is passed in."""
        made, disk = self.installation, SimulatedDisk(process, self.steps)
        # Certificates are of the real today: they were made with the template, and none is renewed in a run.
        identity = made.identity(role, SystemClock(), disk)
        clock = VirtualClock(self.loop, self.wrong.get(role, 0.0))
        network = SimulatedNetwork(self.fabric, process)
        return Place(made, role, identity, made.peers(role), ADDRESSES, clock, disk, network)

    async def start(self, role: Role) -> None:
        """Start a part with what is on its disk.

        Raises:
            Gone: it died over it.

        """
        process = self.processes[role] = Process(self.loop, role.value)
        try:
            await process.do(self._begin(role, process))
        except Died:
            raise Gone(role.value) from None

    async def _begin(self, role: Role, process: Process) -> None:
        """Do what a part's process does first."""
        at = self.places[role] = self.place(role, process)
        if role is Role.GATE:
            self.house = gate.house(at)
            self.words[role] = {"backup": Taking(at).backup}
            await revive_gate(at, self.house.desk)
            process.at_death.append(functools.partial(self.loop.call_soon, _close, self.house.desk.store))
            return
        wired, _ = await parts.begin(at, self._painted_eye if role is Role.EYE else parts.wire)
        self.words[role] = wired.words
        vault = getattr(wired.handlers.get(Kind.ROWS), "__self__", None)
        if isinstance(vault, Vault):
            self.vaults[role] = vault
        await Server(at.identity, at.peers, wired.handlers, at.network).start(_SOCKET)

    def _painted_eye(self, at: Place) -> Wired:
        """Wire an eye that sees what was painted."""
        self.eye, handlers = painted_eye(at, self.sight, DIM)
        return Wired(handlers)

    async def ask(self, role: Role, word: str, **given: Any) -> dict[str, Any]:
        """Ask a part as a command on its own machine does.

        Raises:
            PartDown: it does not run.
            Gone: it died over it.

        """
        if role in self.down():
            raise PartDown(f"{role} does not run on this machine.")

        async def whole() -> dict[str, Any]:
            return await self.words[role][word](given)

        try:
            return await self.processes[role].do(whole())
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            # As the local socket says it.
            raise DiskFull from None

    def kill(self, role: Role) -> None:
        """End a part's process at once."""
        self.processes[role].die()

    def now(self, role: Role) -> float:
        """Read a part's clock."""
        return VirtualClock(self.loop, self.wrong.get(role, 0.0)).now()

    def down(self) -> list[Role]:
        """Say which parts do not live."""
        return [role for role in (*SERVED, Role.GATE) if role not in self.processes or not self.processes[role].alive]

    async def revive(self) -> None:
        """Start whatever is down, again and again if it dies at once; on a full disk nothing starts."""
        no_room: set[Role] = set()
        while down := [role for role in self.down() if role not in no_room]:
            for role in down:
                try:
                    await self.start(role)
                except Gone:
                    continue
                except (DiskFull, OSError):
                    self.kill(role)
                    if role.value in self.steps.full:
                        no_room.add(role)

    async def gate(self, work: Any) -> Any:
        """Let the gate do something.

        Raises:
            Gone: it died over it.

        """
        return await self.processes[Role.GATE].do(work)

    async def say_again(self, said: Said) -> bool | None:
        """Send a question once more as the gate, over a link of its own; whether it was accepted, if that was told."""
        at = self.places[Role.GATE]

        async def again() -> bool:
            link = await at.network.connect(at.identity, at.peers, ADDRESSES[said.to])
            link.writer.writelines([said.raw])
            async with asyncio.timeout(CALL_SECONDS):
                reply = await read_frame(link.reader)
            link.writer.close()
            return reply.sort is Sort.ANSWER

        try:
            accepted: bool = await self.gate(again())
        except (OSError, EOFError, WireBroken):
            return None
        return accepted


def _close(store: Store) -> None:
    """Give up the database of a gate that died."""
    store.close()
