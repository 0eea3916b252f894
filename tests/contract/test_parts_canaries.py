"""Canaries: questions with known answers. Vaults that deviate are caught; the gallery then answers nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from databases import BOTH
from moiety.foundation.errors import BadInput, CanaryFailed, ModelMismatch
from moiety.vault.answering import Answering
from moiety.vault.exchange import Asking as ExchangeAsking
from moiety.wire.kinds import Kind
from parts_in_process import ASKER, InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Twist = Callable[[NDArray[np.uint64]], NDArray[np.uint64]]


pytestmark = BOTH


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as running:
        yield running


def deviate(monkeypatch: pytest.MonkeyPatch, who: Any, twist: Twist) -> None:
    """Let one vault follow the protocol, but change the share that it gives to the gate."""
    real = who.run

    async def run(self: Any, *given: Any, **named: Any) -> NDArray[np.uint64]:
        return twist(await real(self, *given, **named))

    monkeypatch.setattr(who, "run", run)


async def test_honest_vaults_pass_and_canaries_are_seen_nowhere(site: InProcess) -> None:
    gallery = await site.gallery()
    face = site.sight.person()
    made = await site.enrol(gallery, face)
    assert await site.house.canaries.plant(gallery, 2) == 2
    assert await site.house.canaries.plant(gallery, 2) == 0
    assert await site.house.canaries.check(gallery)
    assert await site.found(gallery, face) == {made.subject}
    assert [one.id for one in await site.house.directory.page(gallery)] == [made.subject]
    with site.store.read() as tx:
        assert tx.subjects.count(gallery.id).active == 1
        assert len(tx.canaries.searchable(gallery.id)) == 2


async def test_the_same_canaries_after_a_restart_of_the_eye(site: InProcess) -> None:
    gallery = await site.gallery()
    await site.house.canaries.plant(gallery, 2)
    from moiety.wire.kinds import Role  # noqa: PLC0415 - beside its one use

    await site.restart(Role.EYE)
    assert await site.house.canaries.check(gallery)


TWISTS: dict[str, Twist] = {
    "says nobody": np.zeros_like,
    "turns all bits": lambda share: ~share,
    "shifts the rows": lambda share: share << np.uint64(1),
    "a random answer": lambda share: np.random.default_rng(1).integers(0, 1 << 63, share.shape).astype(np.uint64),
}


@pytest.mark.parametrize("half", [ExchangeAsking, Answering], ids=["A", "B"])
@pytest.mark.parametrize("how", TWISTS)
async def test_a_vault_that_deviates_rings_the_alarm(
    site: InProcess, monkeypatch: pytest.MonkeyPatch, half: type, how: str
) -> None:
    gallery, other = await site.gallery(), await site.gallery("other")
    face = site.sight.person()
    made = await site.enrol(gallery, face)
    await site.house.canaries.plant(gallery, 2)
    with monkeypatch.context() as patch:
        deviate(patch, half, TWISTS[how])
        assert not await site.house.canaries.check(gallery)
    for question in (
        site.found(gallery, face),
        site.house.verifier.verify(gallery, made.subject, site.sight.picture(face), ASKER),
    ):
        with pytest.raises(CanaryFailed):
            await question
    assert await site.found(other, face) == set()
    assert [entry.act for entry in site.desk.ledger.entries()].count("canary-wrong") == 1
    # The vault is mended: the next round lets the gallery answer again.
    assert await site.house.canaries.check(gallery)
    assert await site.found(gallery, face) == {made.subject}


async def test_tend_reports_the_galleries_in_alarm_and_goes_on_with_the_others(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = await site.gallery()
    assert await site.house.canaries.tend(2) == []
    deviate(monkeypatch, Answering, lambda share: ~share)
    assert await site.house.canaries.tend(2) == [gallery.id]


async def test_a_part_that_is_away_is_no_alarm(site: InProcess) -> None:
    from moiety.wire.kinds import Role  # noqa: PLC0415 - beside its one use

    await site.gallery()
    await site.house.canaries.tend(2)
    await site.stop(Role.MINT)
    assert await site.house.canaries.tend(2) == []


@pytest.mark.parametrize("numbers", [None, [], list(range(17)), ["1"], [-1], [1.5], {"0": 1}])
async def test_the_eye_refuses_rubbish(site: InProcess, numbers: object) -> None:
    gallery = await site.gallery()
    meta = site.house.canaries._asking.setting(gallery) | {"numbers": numbers}
    with pytest.raises(BadInput):
        await site.links.eye.call(Kind.CANARY_PROBE, meta, [bytes(32)])


async def test_the_eye_makes_none_for_another_model(site: InProcess) -> None:
    gallery = await site.gallery()
    meta = site.house.canaries._asking.setting(gallery) | {"numbers": [1], "model": "00" * 32}
    with pytest.raises(ModelMismatch):
        await site.links.eye.call(Kind.CANARY_PROBE, meta, [bytes(32)])
