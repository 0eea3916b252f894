"""The migration that lets pages find entries by what they are about, on a database that has a ledger and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from databases import BOTH, at, at_version
from moiety.foundation.clock import HandClock
from moiety.ledger import Kind, Ledger
from moiety.storage import Store
from moiety.storage.ledger_entries import ABOUT
from moiety.storage.person_tables import HoldRow
from moiety.storage.tables import LedgerRow

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = BOTH
GALLERY = "gal_" + "a" * 16
ENTRY = {"at_us": 1, "kind": "alteration", "actor": "owner", "purpose": "p", "prev_hash": b"", "hash": b""}


def hold(name: str, state: str) -> dict[str, object]:
    texts = {"gallery_id": GALLERY, "subject_id": f"sub_{name}", "proposed_by": "opr_a", "approved_by": "opr_b"}
    return {"id": f"hld_{name}", "state": state, "created_at": 1.0, "review_at": 2.0, **texts}


def test_a_database_of_before_finds_its_old_entries_and_keeps_its_holds(tmp_path: Path) -> None:
    engine = at_version(tmp_path / "gate.db", "0013")
    with engine.begin() as db:
        for seq, (act, detail) in enumerate(
            (
                ("approval-sign", '{"approval":"apr_a","of":"policy"}'),
                ("enrol", '{"approval":"apr_a"}'),
                ("approval-carry-out", '{"approval":"apr_a"}'),
                ("kill-press", '{"emergency":"emg_a","keys_revoked":3}'),
                ("hold", "{}"),
            ),
            1,
        ):
            db.execute(insert(LedgerRow).values(seq=seq, act=act, detail=detail, **ENTRY))
        for name, state in (("a", "active"), ("b", "releasing"), ("c", "proposed"), ("d", "released")):
            db.execute(insert(HoldRow).values(**hold(name, state)))
    engine.dispose()
    with Store(at(tmp_path / "gate.db"), HandClock()) as gate:
        with gate.read() as tx:
            found = tx.ledger.decided(["apr_a", "emg_a", ""], ABOUT)
            assert {one: [entry.seq for entry in there] for one, there in found.items()} == {
                "apr_a": [1, 3],
                "emg_a": [4],
            }
            assert tx.ledger.decided(["apr_a"], ["approval-sign"])["apr_a"][0].seq == 1
            states = {one.id: one.state for one in tx.session.execute(text("SELECT id, state FROM hold"))}
        assert states == {"hld_a": "active", "hld_b": "active", "hld_d": "released"}
        for state in ("proposed", "releasing"):
            with pytest.raises(IntegrityError), gate.begin() as tx:
                tx.session.execute(insert(HoldRow).values(**hold("e", state)))


def test_what_is_noted_beside_the_ledger_counts_only_where_the_entry_says_it(tmp_path: Path) -> None:
    with Store(at(tmp_path / "gate.db"), HandClock()) as gate:
        ledger = Ledger(gate, bytes(32))
        with gate.begin() as tx:
            for one in ("a", "b"):
                ledger.append(tx, Kind.ALTERATION, "hold", actor="owner", purpose="p", hold=f"hld_{one}")
            tx.session.execute(text("UPDATE ledger_about SET about_id = 'hld_z' WHERE seq = 2"))
            assert list(tx.ledger.decided(["hld_a", "hld_b", "hld_z"], ["hold"])) == ["hld_a"]
