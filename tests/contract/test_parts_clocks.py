"""Two machines whose clocks are five minutes apart: refused with a reason in the vault's log, and status says why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moiety.cli.standing import Standing
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import WarrantRefused
from moiety.wire.kinds import Kind, Role
from parts_in_process import InProcess

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli import places

AHEAD_S = 300.0


class WrongClock(InProcess):
    """Vault A's machine has a clock of its own."""

    wrong: HandClock

    def place(self, role: Role) -> places.Place:
        at = super().place(role)
        if role is Role.VAULT_A:
            self.wrong = HandClock(self.clock.now() + AHEAD_S)
            return replace(at, clock=self.wrong)
        return at


async def test_clocks_five_minutes_apart_are_refused_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with WrongClock(tmp_path) as site:
        with pytest.raises(WarrantRefused) as caught:
            await site.gallery()
        assert "clock" not in str(caught.value), "refusals look alike to the asker"
        assert "this vault's clock is wrong" in caplog.text
        at = site.place(Role.GATE)
        vault = Standing(site.place(Role.VAULT_A))
        site.servers[Role.VAULT_A]._handlers[Kind.PING] = vault.ping
        standing = Standing(replace(at, addresses={Role.VAULT_A: site.addresses[Role.VAULT_A]}))
        told = (await standing.status({}))["peers"][Role.VAULT_A]
        assert told["answers"]
        assert abs(told["clock_off_s"] - AHEAD_S) < 5
        site.wrong.move(-AHEAD_S)
        assert (await standing.status({}))["peers"][Role.VAULT_A]["clock_off_s"] < 5
        await standing.close()
        await vault.close()
