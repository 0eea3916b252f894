"""Gate and witness over the real wire: what is signed, and what no longer is after the ledger's file was changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.errors import Forbidden, PartDown, Unverified
from moiety.ledger import Kind as Record
from moiety.ledger.checkpointing import Witnessing
from moiety.tlog.checkpoints import cosigned_at, opened
from moiety.wire.kinds import Kind, Role
from parts_in_process import InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as made:
        write(made, 5)
        yield made


def write(site: InProcess, count: int) -> None:
    site.clock.move(1)
    with site.store.begin() as tx:
        for _ in range(count):
            site.desk.ledger.append(tx, Record.CONSULTATION, "identify", actor="owner", purpose="p")


def steal(site: InProcess, *statements: str) -> None:
    """Change the database as one who owns its file."""
    path = site.installation.folder(Role.GATE) / "gate.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as thief:
        for (trigger,) in thief.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            thief.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            thief.execute(statement)


async def test_what_is_there_is_signed_and_what_came_since_too(site: InProcess) -> None:
    service = site.house.checkpointing
    assert service.standing().state is Witnessing.NEVER
    assert opened(service.note(), service.log).size == 5
    assert (await service.cosign()).size == 5
    write(site, 300)
    told = await service.cosign()
    assert (told.state, told.size, told.cosigned_at) == (Witnessing.COSIGNED, 305, int(site.clock.now()))
    note = service.note()
    assert opened(note, service.log).root == service.tree.root()[1]
    assert service.witness is not None
    assert cosigned_at(note.text, note.signatures, service.witness) == told.cosigned_at


async def test_both_sides_may_start_again(site: InProcess) -> None:
    await site.house.checkpointing.cosign()
    await site.restart(Role.WITNESS)
    await site.restart_gate()
    write(site, 1)
    assert site.house.checkpointing.standing().size == 5
    assert (await site.house.checkpointing.cosign()).size == 6


async def test_a_gate_that_lost_the_signature_learns_from_the_witness_where_it_stands(site: InProcess) -> None:
    await site.house.checkpointing.cosign()
    steal(site, "DELETE FROM ledger_cosigned")
    write(site, 3)
    assert (await site.house.checkpointing.cosign()).size == 8


async def test_while_the_witness_is_away_nothing_is_signed(site: InProcess) -> None:
    await site.house.checkpointing.cosign()
    await site.stop(Role.WITNESS)
    with pytest.raises(PartDown):
        await site.house.checkpointing.cosign()
    assert site.house.checkpointing.standing().state is Witnessing.AWAY
    await site.start(Role.WITNESS)
    assert (await site.house.checkpointing.cosign()).state is Witnessing.COSIGNED


FORGED = "UPDATE ledger_entry SET hash = randomblob(32) WHERE seq = 3"


@pytest.mark.parametrize(
    ("statements", "more"),
    [
        (["DELETE FROM ledger_entry WHERE seq > 3"], 0),
        (["DELETE FROM ledger_entry WHERE seq > 3"], 2),
        (["DELETE FROM ledger_entry WHERE seq > 3"], 9),
        ([FORGED], 0),
        ([FORGED], 4),
        (["DELETE FROM ledger_entry WHERE seq > 3", "DELETE FROM ledger_cosigned"], 9),
        (["DELETE FROM ledger_entry"], 0),
    ],
    ids=["cut", "cut, same length", "cut, longer", "rewritten", "rewritten, longer", "forgetful", "emptied"],
)
async def test_a_ledger_that_was_cut_or_written_anew_is_signed_no_more(
    site: InProcess, statements: list[str], more: int
) -> None:
    before = await site.house.checkpointing.cosign()
    steal(site, *statements)
    write(site, more)
    with pytest.raises(Unverified, match="cut off or written anew"):
        await site.house.checkpointing.cosign()
    now = site.house.checkpointing.standing()
    assert now.state is Witnessing.REFUSED
    assert now.cosigned_at in {before.cosigned_at, None}


async def test_people_at_the_witness_may_admit_a_loss(site: InProcess) -> None:
    await site.house.checkpointing.cosign()
    steal(site, "DELETE FROM ledger_entry WHERE seq > 3")
    with pytest.raises(Unverified):
        await site.house.checkpointing.cosign()
    handler: Callable[..., object] = site.servers[Role.WITNESS]._handlers[Kind.COSIGN]
    service = handler.__self__  # type: ignore[attr-defined]  # a bound method
    assert (await service.words()["admit-loss"]({}))["size"] == 5
    write(site, 1)
    assert (await site.house.checkpointing.cosign()).size == 4
    assert service.more()["ledger"]["losses"] == 1


async def test_a_witness_that_knows_nothing_is_told_from_the_beginning(site: InProcess) -> None:
    await site.house.checkpointing.cosign()
    await site.stop(Role.WITNESS)
    for file in site.installation.folder(Role.WITNESS).glob("checkpoints.sqlite*"):
        file.unlink()
    await site.start(Role.WITNESS)
    write(site, 2)
    assert (await site.house.checkpointing.cosign()).size == 7


@pytest.mark.parametrize("role", [Role.EYE, Role.MINT, Role.VAULT_A, Role.VAULT_B])
async def test_no_other_part_may_ask_for_a_signature(site: InProcess, role: Role) -> None:
    with pytest.raises(Forbidden):
        await site.line(role, Role.WITNESS).call(Kind.COSIGN, {}, [b""])
