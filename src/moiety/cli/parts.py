"""Builds each role's part from its folders: the wiring of the house.

A part answers frames from its peers (`handlers`) and words from commands on its own machine (`words`).
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moiety.cli.backup.reviving import revive
from moiety.cli.backup.taking import Taking
from moiety.cli.standing import Standing, local_server
from moiety.cli.wired import BACKGROUND, Wired
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from moiety.cli.places import Place
    from moiety.wire.local import LocalServer

# A process loads the module of its own role alone: the witness needs no compiled arithmetic, the mint no vault.
_ROOMS: Final = {
    Role.MINT: "mint",
    Role.WITNESS: "witness",
    Role.EYE: "eye",
    Role.VAULT_A: "vaults",
    Role.VAULT_B: "vaults",
}


def wire(at: Place) -> Wired:
    """Put the part of a role together from its folder."""
    made: Wired = importlib.import_module(f"moiety.cli.roles.{_ROOMS[at.role]}").wire(at)
    return made


@dataclass(frozen=True, slots=True)
class Serving:
    """A part that runs."""

    server: Server
    local: LocalServer
    standing: Standing

    async def close(self) -> None:
        """Stop answering."""
        await self.local.close()
        await self.standing.close()
        await self.server.close()


async def begin(at: Place, wired_by: Callable[[Place], Wired] = wire) -> tuple[Wired, Standing]:
    """Put a part together, once its restored folder is up to date, with what every part answers and does by itself."""
    await revive(at)
    wired, taking = wired_by(at), Taking(at)
    standing = Standing(at, wired.more)
    handlers = {Kind.PING: standing.ping, Kind.COUNTS: standing.counts} | wired.handlers | taking.handlers()
    BACKGROUND.add(asyncio.create_task(taking.follow()))
    return replace(wired, handlers=handlers, words={"backup": taking.backup, **wired.words}), standing


async def serve(at: Place, listener: socket.socket) -> Serving:
    """Start the part of a role on a listening socket, and its local socket."""
    wired, standing = await begin(at)
    server = Server(at.identity, at.peers, wired.handlers, at.network, wired.streams, at.counts)
    serving = Serving(server, local_server(at, standing, wired.words), standing)
    await serving.server.start(listener)
    await serving.local.start()
    return serving
