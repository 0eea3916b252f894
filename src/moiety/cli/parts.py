"""Builds each role's part from its folders: the wiring of the house.

A part answers frames from its peers (`handlers`) and words from commands on its own machine (`words`).
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from moiety.cli.backup.reviving import revive
from moiety.cli.backup.taking import Taking
from moiety.cli.standing import Standing, local_server
from moiety.eye.canaries import MadeUp
from moiety.eye.halver import Halver
from moiety.eye.rotations import Rotations
from moiety.eye.service import Eye, Model
from moiety.foundation import settings
from moiety.foundation.errors import Refusal
from moiety.kernel import warm_up
from moiety.matching.thresholds import FMR_DEFAULT, SCORE_OF_ONE, bands
from moiety.mint.dealer import Dealer, shared_key
from moiety.tlog.names import log_key, witness_key
from moiety.vault.answering import Answering
from moiety.vault.attest import Attesting, Comparing
from moiety.vault.book import Book
from moiety.vault.burial import Burial
from moiety.vault.cabinet import Cabinet
from moiety.vault.dealings import Dealings
from moiety.vault.exchange import Asking, Parties
from moiety.vault.guard import Guard, Trust
from moiety.vault.journal import Journal
from moiety.vault.pace import Pace
from moiety.vault.personal import PersonalKeys
from moiety.vault.policies import Policies
from moiety.vault.questions import Questions
from moiety.vault.refresh import Refreshing
from moiety.vault.renewal import Renewing
from moiety.vault.rows import RowStore
from moiety.vault.seeds import SeedStore
from moiety.vault.service import Parts
from moiety.vault.service_a import VaultA
from moiety.vault.service_b import VaultB
from moiety.vault.sitting import Keys
from moiety.vault.store_key import StoreKey
from moiety.vault.transcript import pair_key
from moiety.vault.upkeep import Hours, Upkeep
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Server
from moiety.witness.cosigner import Cosigner
from moiety.witness.heads import Heads
from moiety.witness.service import Witness
from moiety.witness.tombstones import Tombstones

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from typing import Any

    from moiety.cli.places import Place
    from moiety.cli.standing import Words
    from moiety.vault.halves import Halves
    from moiety.wire.frames import Frame
    from moiety.wire.links import Answer
    from moiety.wire.local import LocalServer
    from moiety.wire.stream_server import StreamHandler

    Handlers = dict[Kind, Callable[[Frame], Awaitable[Answer]]]

ROTATION_CHECK_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Wired:
    """A part put together: what its peers may ask it, what commands on its own machine may, what `status` adds."""

    handlers: Handlers
    words: Words = field(default_factory=dict)
    more: Callable[[], dict[str, Any]] = dict
    streams: dict[Kind, StreamHandler] = field(default_factory=dict)


def mint(at: Place) -> Wired:
    """Wire the mint."""
    warm_up()
    keys = (
        shared_key(at.identity.sealing, at.sealing(role), at.installation.tenant, half)
        for role, half in ((Role.VAULT_A, "a"), (Role.VAULT_B, "b"))
    )
    dealer = Dealer(*keys)
    return Wired(dealer.handlers(), streams=dealer.streams())


def eye(at: Place) -> Wired:
    """Wire the eye."""
    from moiety.vision.eyesight import Eyesight, VisionOptions  # noqa: PLC0415 - only the eye loads the engines

    sight = Eyesight(
        VisionOptions(
            model=settings.setting("MOIETY_MODEL"),
            runtime=settings.setting("MOIETY_RUNTIME"),  # type: ignore[arg-type]  # the settings table allows no other
            threads=settings.number("MOIETY_THREADS"),
            detector=settings.setting("MOIETY_DETECTOR"),  # type: ignore[arg-type]  # as above
            liveness=settings.setting("MOIETY_LIVENESS") == "on",
            models_dir=settings.folder("MOIETY_MODELS"),
        )
    )
    card = sight.model
    cosines = tuple(score / SCORE_OF_ONE for score in bands(card.thresholds, FMR_DEFAULT).values())
    model = Model(card.name, bytes.fromhex(card.sha256), card.dim, card.thresholds, cosines)
    rotations = Rotations(at.identity.keys)
    vaults = (at.sealing(Role.VAULT_A), at.sealing(Role.VAULT_B))
    halver = Halver(rotations, at.identity.signing, vaults, at.clock)
    made_up = MadeUp(at.identity.keys.secret("canary.key"), model.sha256, model.dim, halver)
    return Wired({**Eye(sight, model, rotations, halver).handlers(), **made_up.handlers()})


def _parties(at: Place) -> Parties:
    return Parties(at.installation.tenant, at.public(Role.VAULT_A), at.public(Role.VAULT_B))


def _keys(at: Place, half: str, other: Role) -> Keys:
    """Agree on the keys that a vault shares with the mint and with the other vault."""
    tenant, own = at.installation.tenant, at.identity.sealing
    return Keys(shared_key(own, at.sealing(Role.MINT), tenant, half), pair_key(own, at.sealing(other), tenant))


def _parts(at: Place, half: str, journal: Journal, halves: Halves) -> Parts:
    """Put together what both halves have."""
    cabinet = Cabinet(journal, halves, at.clock)
    trust = Trust(at.installation.tenant, (at.public(Role.GATE),), at.public(Role.EYE))
    book = Book(at.installation.folder(at.role), at.installation.tenant, at.identity.signing, at.clock, at.disk)
    guard = Guard(journal, trust, at.clock, lambda: book.roster, lambda: book.emergencies.now)
    policies = Policies(book, cabinet)
    questions = Questions("A" if half == "a" else "B", half, cabinet, guard, at.identity.sealing)
    return Parts(half, cabinet, halves, guard, policies, questions, at.identity.sealing)


def _galleries(cabinet: Cabinet) -> dict[str, Any]:
    """Say of each gallery which epoch is in force, how many rows it has, and which are excluded."""
    told = {}
    for one in [policy.gallery for policy in cabinet.policies]:
        excluded = [row_id.hex() for row_id in cabinet.excluded(one)]
        told[one] = {"epoch": cabinet.epoch(one), "rows": len(cabinet.shelf(one)), "excluded": excluded}
    return {"galleries": told}


def vault_a(at: Place) -> Wired:
    """Wire vault A."""
    warm_up()
    folder = at.installation.folder(Role.VAULT_A)
    journal = Journal(folder / "journal.sqlite", at.disk)
    rows = RowStore(journal, folder / "rows", at.disk)
    parts = _parts(at, "a", journal, rows)
    _tell_the_witness(at, journal)
    keys = _keys(at, "a", Role.VAULT_B)
    asking = Asking(_parties(at), keys, at.client(Role.VAULT_B), at.streams(Role.VAULT_B))
    line = at.client(Role.VAULT_B)
    attesting = Attesting(parts.cabinet, rows, line, parts.turns, parts.changes)
    refreshing = Refreshing(journal, parts.cabinet, rows, line, parts.turns, parts.changes)
    hours = Hours(settings.number("MOIETY_SCRUB_HOURS"), settings.number("MOIETY_REFRESH_HOURS"))
    upkeep = Upkeep(parts.cabinet, journal, (attesting, refreshing), at.clock, hours)
    _BACKGROUND.add(asyncio.create_task(upkeep.run()))
    vault = VaultA(parts, asking, upkeep)
    return Wired(vault.handlers(), vault.words(), lambda: _galleries(parts.cabinet) | {"since": upkeep.since()})


def vault_b(at: Place) -> Wired:
    """Wire vault B."""
    warm_up()
    folder = at.installation.folder(Role.VAULT_B)
    journal = Journal(folder / "journal.sqlite", at.disk)
    store_key = StoreKey(journal, at.identity.keys, at.clock)
    seeds = SeedStore(journal, at.identity.keys, folder / "seeds", at.clock, at.disk)
    parts = _parts(at, "b", journal, seeds)
    _tell_the_witness(at, journal)
    stock = settings.number("MOIETY_MINT_STOCK_MB") << 20
    dealings = Dealings(at.client(Role.MINT), at.streams(Role.MINT), stock)
    answering = Answering(_parties(at), _keys(at, "b", Role.VAULT_A), dealings)
    blind = at.identity.keys.secret("blind.key")
    book = parts.policies.book
    personal = PersonalKeys(journal, store_key, blind, parts.guard, lambda: book.standing, Pace.of_settings())
    _BACKGROUND.add(asyncio.create_task(_turn_keys_daily(store_key, seeds)))
    comparing = Comparing(parts.cabinet, seeds, parts.turns, parts.changes)
    renewing = Renewing(journal, parts.cabinet, seeds, at.clock, parts.turns, parts.changes)
    vault = VaultB(parts, answering, personal, comparing, renewing)
    return Wired(vault.handlers(), vault.words(), lambda: _galleries(parts.cabinet), answering.streams())


_BACKGROUND: set[asyncio.Task[None]] = set()


def _tell_the_witness(at: Place, journal: Journal) -> None:
    """Carry a vault's tombstones to the witness, where it is known."""
    if Role.WITNESS in at.addresses:
        _BACKGROUND.add(asyncio.create_task(Burial(journal, at.client(Role.WITNESS)).run()))


async def _turn_keys_daily(store_key: StoreKey, seeds: SeedStore) -> None:
    """Turn each of B's keys that is a day old, so that what was erased under it can be read no more."""
    while True:
        with contextlib.suppress(Refusal, OSError):  # a full disk: tried again in ten minutes
            if store_key.due():
                await asyncio.to_thread(store_key.rotate)
            for of in seeds.due():
                await asyncio.to_thread(seeds.turn, of)
        await asyncio.sleep(ROTATION_CHECK_SECONDS)


def witness(at: Place) -> Wired:
    """Wire the witness."""
    folder, tenant = at.installation.folder(Role.WITNESS), at.installation.tenant
    tombstones = Tombstones(folder / "tombstones.sqlite", at.clock, at.disk)
    cosigner = None
    if Role.GATE in at.peers:
        key = at.identity.signing
        name = witness_key(tenant, key.public_key().public_bytes_raw()).name
        heads = Heads(folder / "checkpoints.sqlite", at.disk)
        cosigner = Cosigner(heads, log_key(tenant, at.public(Role.GATE)), name, key, at.clock)
    service = Witness(tombstones, cosigner)
    return Wired(service.handlers(), service.words(), service.more)


SERVERS: dict[Role, Callable[[Place], Wired]] = {
    Role.MINT: mint,
    Role.WITNESS: witness,
    Role.EYE: eye,
    Role.VAULT_A: vault_a,
    Role.VAULT_B: vault_b,
}


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


async def begin(at: Place, wire: Callable[[Place], Wired]) -> tuple[Wired, Standing]:
    """Put a part together, once its restored folder is up to date, with what every part answers and does by itself."""
    await revive(at)
    wired, taking = wire(at), Taking(at)
    standing = Standing(at, wired.more)
    handlers = {Kind.PING: standing.ping, Kind.COUNTS: standing.counts} | wired.handlers | taking.handlers()
    _BACKGROUND.add(asyncio.create_task(taking.follow()))
    return replace(wired, handlers=handlers, words={"backup": taking.backup, **wired.words}), standing


async def serve(at: Place, listener: socket.socket) -> Serving:
    """Start the part of a role on a listening socket, and its local socket."""
    wired, standing = await begin(at, SERVERS[at.role])
    server = Server(at.identity, at.peers, wired.handlers, at.network, wired.streams, at.counts)
    serving = Serving(server, local_server(at, standing, wired.words), standing)
    await serving.server.start(listener)
    await serving.local.start()
    return serving
