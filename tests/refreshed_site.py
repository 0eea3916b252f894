"""A site whose galleries are refreshed: what both vaults hold, and refreshes that pause at a question."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.errors import Unavailable
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client

if TYPE_CHECKING:
    import pytest

    from moiety.storage import Gallery
    from moiety.vault.cabinet import Cabinet
    from parts_in_process import InProcess

VAULTS = (Role.VAULT_A, Role.VAULT_B)


def cabinet(site: InProcess, role: Role) -> Cabinet:
    return site.vault(role)._cabinet


def epochs(site: InProcess, gallery: Gallery) -> list[int]:
    return [cabinet(site, role).epoch(gallery.id) for role in VAULTS]


def held(site: InProcess, gallery: Gallery) -> list[list[int]]:
    return [sorted(cabinet(site, role).held(gallery.id)) for role in VAULTS]


def files(site: InProcess, role: Role) -> list[str]:
    folder = site.installation.folder(role) / ("rows" if role is Role.VAULT_A else "seeds")
    return sorted(path.name for path in folder.iterdir())


def templates(site: InProcess, gallery: Gallery) -> Any:
    a, b = (cabinet(site, role).shelf(gallery.id) for role in VAULTS)
    assert np.array_equal(a.ids, b.ids)
    return (a.lanes + b.lanes).view(np.int16).copy()


async def all_found(site: InProcess, gallery: Gallery, persons: list[Any]) -> bool:
    """Ask for everybody; stay under the hour's budget."""
    site.clock.move(3600)
    return all([len(await site.found(gallery, person)) == 1 for person in persons])


class Pause:
    """Stops A's line to B at a kind of question until told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        real = Client.call

        async def call(line: Client, asked: Kind, *given: Any, **named: Any) -> Answer:
            if asked is kind and not self.go_on.is_set():
                self.reached.set()
                await self.go_on.wait()
            return await real(line, asked, *given, **named)

        monkeypatch.setattr(Client, "call", call)


async def eventually_found(site: InProcess, gallery: Gallery, persons: list[Any]) -> bool:
    """Ask until the vaults have settled; a first question may be told to come again."""
    for _ in range(3):
        try:
            return await all_found(site, gallery, persons)
        except Unavailable:
            await asyncio.sleep(0.1)
    return await all_found(site, gallery, persons)
