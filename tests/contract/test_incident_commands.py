"""Stop and kill from the machine while the gate does not run: its database and the books have it all the same."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from moiety.cli import installation
from moiety.cli.commands import incident
from moiety.cli.main import application
from moiety.foundation.clock import SystemClock
from moiety.foundation.errors import BadInput, Forbidden
from moiety.storage import Store
from moiety.vault.book import Book
from parts_in_process import DIM, VAULTS, InProcess

if TYPE_CHECKING:
    from pathlib import Path

WHY = ("--reason", "a stranger has a colleague's phone")


def typed(data: Path, *words: str) -> dict[str, Any]:
    """Type a command; gives the JSON of its last line."""
    done = CliRunner().invoke(application(), [*words, "--data", str(data), "--json"], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Make an installation that ran once and does not run now."""

    async def lived() -> None:
        async with InProcess(tmp_path, dim=DIM) as site:
            await site.gallery()

    asyncio.run(lived())
    return tmp_path / "site"


def test_stop_and_kill_work_where_nothing_runs_and_keepers_let_go(data: Path) -> None:
    made = installation.load(data)
    assert set(typed(data, "incident", "stop", *WHY)["parts"]) == {"gate", "vault-a", "vault-b"}
    assert set(typed(data, "incident", "kill", *WHY)["parts"].values()) == {"pressed", "pressed, in the database"}
    with Store(data / "gate" / "gate.sqlite", SystemClock()) as store, store.read() as tx:
        assert sorted(one.kind for one in tx.emergencies.list()) == ["kill", "stop"]
        assert [one.act for one in tx.ledger.page(after=0, limit=100)][-2:] == ["stop-press", "kill-press"]

    def books() -> list[tuple[int, int]]:
        clock = SystemClock()
        found = [
            Book(made.folder(role), made.tenant, made.identity(role, clock).signing, clock).emergencies.now
            for role in VAULTS
        ]
        return [(one.stopped, one.killed) for one in found]

    assert books() == [(1, 1), (1, 1)]
    assert typed(data, "vault", "emergency", "lift", "--stop")["put"] == ["vault-a", "vault-b"]
    assert books() == [(0, 1), (0, 1)]
    shown = typed(data, "vault", "emergency", "show")["halves"]
    assert {one["version"] for one in shown.values()} == {3}
    with pytest.raises(BadInput):
        typed(data, "vault", "emergency", "lift")


def test_letting_go_apart_needs_a_keepers_signature(data: Path, tmp_path: Path) -> None:
    typed(data, "vault", "emergency", "press", "--stop")
    draft = tmp_path / "draft.json"
    typed(data, "vault", "emergency", "draft", "--stop", "--out", str(draft))
    with pytest.raises(Forbidden):
        typed(data, "vault", "emergency", "put", str(draft))
    key = data / "keys" / "keeper" / "keeper.key"
    signed = CliRunner().invoke(application(), ["vault", "emergency", "sign", str(draft), "--key", str(key)])
    assert signed.exit_code == 0, signed.output
    assert typed(data, "vault", "emergency", "put", str(draft))["put"] == ["vault-a", "vault-b"]


def test_what_cannot_be_pressed_somewhere_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise Forbidden("no")

    monkeypatch.setattr(incident, "_in_the_database", fails)
    done = CliRunner().invoke(application(), ["incident", "stop", *WHY, "--data", str(data)])
    assert done.exit_code != 0
    assert "gate: not pressed" in done.output
    assert "vault-b: pressed" in done.output
