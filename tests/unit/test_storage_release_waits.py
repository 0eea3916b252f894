"""Who waits for the written release: what a database of before is given, and counting that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert

from databases import BOTH, at, at_version
from moiety.foundation.clock import HandClock
from moiety.foundation.ids import GalleryId, SubjectId
from moiety.storage import Store
from moiety.storage.person_tables import ConsentRow, RecordRow, RuleRow
from moiety.storage.tables import CanaryRow, GalleryRow, SubjectRow

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = BOTH
ASKS, ASKS_NOT = GalleryId("gal_" + "a" * 16), GalleryId("gal_" + "b" * 16)
PLAIN = {"model_name": "m", "model_sha256": "0", "dim": 1, "rotation_id": "r", "fmr_target": 0.1, "thresholds": (1,)}
GALLERY = PLAIN | {"purpose": "p", "bands": ("b",), "policy_version": 1, "state": "open", "next_seq": 1}
SAYS = {"basis": "consent", "controller": "c", "source": "person"}
RULE = SAYS | {"notice": "1", "keep_days": 9, "keep_photos": 0}
RECORD = SAYS | {"purpose": "p", "minor": 0, "last_contact_at": 1.0}
CONSENT = {"notice": "1", "purpose": "p", "kind": "drawn", "by_guardian": 0, "given_at": 1.0, "ends_at": 9.0}


def subject(name: str) -> SubjectId:
    return SubjectId("sub_" + name * 16)


def test_a_database_of_before_asks_whoever_has_not_released(tmp_path: Path) -> None:
    engine = at_version(tmp_path / "gate.db", "0010")
    with engine.begin() as db:
        for gallery, consent in ((ASKS, 1), (ASKS_NOT, 0)):
            db.execute(insert(GalleryRow).values(id=gallery, name=gallery, created_at=1.0, **GALLERY))
            db.execute(insert(RuleRow).values(gallery_id=gallery, consent=consent, **RULE))
        for name, state in (("c", "active"), ("d", "active"), ("e", "pending"), ("f", "active"), ("g", "active")):
            db.execute(insert(SubjectRow).values(id=subject(name), gallery_id=ASKS, state=state, created_at=1.0))
        db.execute(insert(SubjectRow).values(id=subject("h"), gallery_id=ASKS_NOT, state="active", created_at=1.0))
        release = {"subject_id": subject("d"), "release_sha256": b"r"}
        db.execute(insert(ConsentRow).values(id="con_1", **release, **CONSENT))
        stopped = {"subject_id": subject("f"), "stopped_at": 2.0, "stopped_for": "objection"}
        db.execute(insert(RecordRow).values(gallery_id=ASKS, **stopped, **RECORD))
        db.execute(insert(CanaryRow).values(gallery_id=ASKS, number=1, subject_id=subject("g")))
    engine.dispose()
    with Store(at(tmp_path / "gate.db"), HandClock()) as gate, gate.begin() as tx:
        assert tx.release_waits.counts([ASKS, ASKS_NOT], 5) == {ASKS: 1}
        assert [one for one, _ in tx.release_waits.oldest(ASKS, 5)] == [subject("c")]
        tx.release_waits.ask(ASKS, subject("d"), 3.0)
        tx.release_waits.ask(ASKS, subject("f"), 2.0)
        assert tx.release_waits.counts([ASKS], 2) == {ASKS: 2}
        assert tx.release_waits.decline(subject("c"), 4.0)
        assert tx.release_waits.among([subject("c"), subject("d")]) == {subject("d")}
        assert [one for one, _ in tx.release_waits.oldest(ASKS, 5)] == [subject("f"), subject("d")]
