"""A refresh that meets a full disk, a vault that dies or an old copy of one leaves one whole epoch."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from forged_faces import filled
from moiety.foundation.errors import DiskFull, ExchangeAborted, HalvesApart, OutOfStep, PartDown
from moiety.vault import refresh
from moiety.vault.rows import RowStore
from moiety.vault.seeds import SeedStore
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client
from parts_in_process import InProcess
from refreshed_site import VAULTS, all_found, epochs, eventually_found, files, held, templates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as made:
        yield made


def full(*_: object) -> None:
    """Find no room."""
    raise OSError(errno.ENOSPC, "full")


async def test_a_full_disk_leaves_the_old_epoch_and_nothing_of_the_new(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, persons = await filled(site, 4)
    before = {role: files(site, role) for role in VAULTS}
    for victim in VAULTS:
        with monkeypatch.context() as patched:
            if victim is Role.VAULT_A:
                patched.setattr(RowStore, "write", full)
            else:
                patched.setattr(SeedStore, "flat", _full_flat(SeedStore.flat))
            with pytest.raises(DiskFull):
                await site.upkeep.refresh(gallery.id)
        assert epochs(site, gallery) == [1, 1]
        assert held(site, gallery) == [[1], [1]]
        assert {role: files(site, role) for role in VAULTS} == before
        assert await all_found(site, gallery, persons)
    # There is room again.
    await site.upkeep.refresh(gallery.id)
    assert await all_found(site, gallery, persons)


def _full_flat(real: Callable[..., Any]) -> Callable[..., Any]:
    class Full:
        def __init__(self, flat: Any) -> None:
            self._flat = flat

        def __getattr__(self, name: str) -> Any:
            return getattr(self._flat, name)

        write = full

    return lambda self, of: Full(real(self, of)) if of.epoch > 1 else real(self, of)


async def test_a_disk_that_is_known_to_be_too_small_is_refused_before_anything_is_written(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, _ = await filled(site, 1)
    monkeypatch.setattr(refresh, "SPARE_BYTES", 1 << 60)
    with pytest.raises(DiskFull, match="MiB"):
        await site.upkeep.refresh(gallery.id)
    assert held(site, gallery) == [[1], [1]]


@pytest.mark.parametrize("victim", VAULTS, ids=str)
@pytest.mark.parametrize(
    "kind",
    [Kind.REFRESH_BEGIN, Kind.REFRESH_PULL, Kind.REFRESH_PUSH, Kind.REFRESH_COMMIT, Kind.REFRESH_DROP],
    ids=lambda kind: kind.name,
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_vault_that_dies_at_any_message_leaves_one_whole_epoch(
    site: InProcess, monkeypatch: pytest.MonkeyPatch, victim: Role, kind: Kind, when: str
) -> None:
    gallery, persons = await filled(site, 3)
    before = templates(site, gallery)
    reached = asyncio.Event()
    real = Client.call

    async def call(line: Client, asked: Kind, *given: Any, **named: Any) -> Answer:
        if asked is not kind or reached.is_set():
            return await real(line, asked, *given, **named)
        if when == "after":
            await real(line, asked, *given, **named)
        reached.set()
        await asyncio.sleep(0.05)
        raise PartDown("the line was cut")

    with monkeypatch.context() as patched:
        patched.setattr(Client, "call", call)
        refreshing = asyncio.create_task(site.upkeep.refresh(gallery.id))
        await reached.wait()
        if victim is Role.VAULT_A:
            refreshing.cancel()
        await site.restart(victim)
        with pytest.raises((PartDown, OutOfStep, asyncio.CancelledError)):
            await refreshing
    assert await eventually_found(site, gallery, persons)
    assert len(set(epochs(site, gallery))) == 1
    assert np.array_equal(templates(site, gallery), before)
    # The next refresh is as any other, and leaves one epoch alone.
    done = await site.upkeep.refresh(gallery.id)
    assert held(site, gallery) == [[done.epoch], [done.epoch]]
    assert await all_found(site, gallery, persons)
    assert np.array_equal(templates(site, gallery), before)


async def test_a_vault_restored_from_an_old_epoch_is_told_from_one_that_fits(site: InProcess) -> None:
    gallery, persons = await filled(site, 2)
    for victim in VAULTS:
        await site.stop(victim)
        old = snapshot(site, victim)
        await site.start(victim)
        await site.upkeep.refresh(gallery.id)
        await site.upkeep.refresh(gallery.id)
        assert await all_found(site, gallery, persons)
        await site.stop(victim)
        new = snapshot(site, victim)
        restore(site, victim, old)
        await site.start(victim)
        mine, theirs = epochs(site, gallery)
        with pytest.raises((HalvesApart, OutOfStep, ExchangeAborted)):
            await site.found(gallery, persons[0])
        with pytest.raises(HalvesApart, match=f"Vault A holds epoch {mine} of gallery .*, vault B epoch {theirs};"):
            await site.found(gallery, persons[0])
        with pytest.raises(HalvesApart):
            await site.upkeep.refresh(gallery.id)
        await site.stop(victim)
        restore(site, victim, new)
        await site.start(victim)
        assert await eventually_found(site, gallery, persons)


def snapshot(site: InProcess, role: Role) -> dict[Path, bytes]:
    """Keep every file of a vault, and its keys."""
    folders = (site.installation.folder(role), site.installation.keys / role)
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def restore(site: InProcess, role: Role, kept: dict[Path, bytes]) -> None:
    """Put a vault's files back as they were."""
    for folder in (site.installation.folder(role), site.installation.keys / role):
        for path in folder.rglob("*"):
            if path.is_file() and path not in kept:
                path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
