"""Who asks a part that is away is told so at once, although its socket is kept for its return."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.errors import PartDown
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from harness import Site

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("role", [Role.VAULT_B, Role.MINT])
def test_a_part_that_is_away_is_said_to_be_down_at_once(site: Site, role: Role) -> None:
    async def ask() -> float:
        line = site.place(Role.GATE).client(role)
        began = time.monotonic()
        try:
            await line.call(Kind.PING, {})
        finally:
            await line.close()
        return time.monotonic() - began

    asyncio.run(ask())
    site.kill(role)
    began = time.monotonic()
    with pytest.raises(PartDown):
        asyncio.run(ask())
    assert time.monotonic() - began < 2, "a connection may take five seconds"
    site.restart(role)
    assert asyncio.run(ask()) < 5
