"""Both vaults from their folders."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from moiety.cli.wired import BACKGROUND, Wired
from moiety.foundation import settings
from moiety.foundation.errors import Refusal
from moiety.kernel import warm_up
from moiety.mint.dealer import shared_key
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
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from typing import Any

    from moiety.cli.places import Place
    from moiety.vault.halves import Halves

ROTATION_CHECK_SECONDS = 600.0


def wire(at: Place) -> Wired:
    """Wire vault A or vault B."""
    return _vault_a(at) if at.role is Role.VAULT_A else _vault_b(at)


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


def _vault_a(at: Place) -> Wired:
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
    BACKGROUND.add(asyncio.create_task(upkeep.run()))
    vault = VaultA(parts, asking, upkeep)
    return Wired(vault.handlers(), vault.words(), lambda: _galleries(parts.cabinet) | {"since": upkeep.since()})


def _vault_b(at: Place) -> Wired:
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
    BACKGROUND.add(asyncio.create_task(_turn_keys_daily(store_key, seeds)))
    comparing = Comparing(parts.cabinet, seeds, parts.turns, parts.changes)
    renewing = Renewing(journal, parts.cabinet, seeds, at.clock, parts.turns, parts.changes)
    vault = VaultB(parts, answering, personal, comparing, renewing)
    return Wired(vault.handlers(), vault.words(), lambda: _galleries(parts.cabinet), answering.streams())


def _tell_the_witness(at: Place, journal: Journal) -> None:
    """Carry a vault's tombstones to the witness, where it is known."""
    if Role.WITNESS in at.addresses:
        BACKGROUND.add(asyncio.create_task(Burial(journal, at.client(Role.WITNESS)).run()))


async def _turn_keys_daily(store_key: StoreKey, seeds: SeedStore) -> None:
    """Turn each of B's keys that is a day old, so that what was erased under it can be read no more."""
    while True:
        with contextlib.suppress(Refusal, OSError):  # a full disk: tried again in ten minutes
            if store_key.due():
                await asyncio.to_thread(store_key.rotate)
            for of in seeds.due():
                await asyncio.to_thread(seeds.turn, of)
        await asyncio.sleep(ROTATION_CHECK_SECONDS)
