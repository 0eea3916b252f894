"""Canaries in real processes: a gate plants them by itself, and nobody sees them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from harness import Site, eventually
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PLANTED = "SELECT count(*) FROM canary JOIN template USING (subject_id) WHERE template.state = 'active'"


def test_a_gate_plants_canaries_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOIETY_CANARIES", "2")
    with Site(tmp_path / "data") as site, site.owner() as owner:
        assert owner.post("galleries", json={"name": "hall", "purpose": "a test of canaries"}).status_code == 201
        tables = f"file:{site.made.folder(Role.GATE) / 'gate.sqlite'}?mode=ro"
        with closing(sqlite3.connect(tables, uri=True)) as db:
            for _ in eventually("two canaries are planted", 60):
                if db.execute(PLANTED).fetchone()[0] == 2:
                    break
        assert owner.get("galleries/hall/subjects").json()["subjects"] == []
        for _ in eventually("they are asked for, and all is right", 60):
            acts = [entry["act"] for entry in owner.get("ledger").json()["entries"]]
            if acts.count("made-up") == 2:
                break
        assert "canary-wrong" not in acts
        assert site.cli("status").json["parts"]["vault-a"]
