"""A gate whose tables lie on PostgreSQL: moved there, backed up, restored onto either database, and never mixed up."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from databases import DATABASES, at, run_beside
from filled_tables import fill_what_is_empty
from moiety.archive import age_keys
from moiety.archive import places as archive_places
from moiety.cli import installation, places
from moiety.cli.backup.bringing_back import Wish, bring_back
from moiety.cli.backup.taking import Taking
from moiety.cli.database import open_store
from moiety.cli.supervisor import Supervisor
from moiety.foundation.clock import HandClock
from moiety.foundation.disk import SYSTEM_DISK, SystemDisk
from moiety.foundation.errors import Fault
from moiety.foundation.ids import new_gallery_id, new_key_id, new_photo_id, new_row_id, new_subject_id
from moiety.ledger import Kind, Ledger
from moiety.storage import FieldClass, IntentKind, Store
from moiety.storage.tables import Base
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.installation import Installation
    from moiety.cli.places import Place

pytestmark = pytest.mark.both_databases("postgresql")
FILE = "gate.sqlite"
# So many that one hash stands above them.
ENTRIES = 256


@pytest.fixture
def made(tmp_path: Path) -> Installation:
    made = installation.create(tmp_path / "site")
    made.introduce()
    return made


def gate(made: Installation) -> Place:
    return places.place(made, Role.GATE, {})


def fill(store: Store) -> None:
    """Put something into every table, with every kind of value."""
    gallery, subject = new_gallery_id(), new_subject_id()
    with store.begin() as tx:
        tx.galleries.create(
            gallery_id=gallery,
            name="Tür, द्वार",
            purpose="open the door",
            model_name="m",
            model_sha256="0" * 64,
            dim=512,
            rotation_id="ab",
            fmr_target=1e-4,
            thresholds=(100, 200),
            bands=("possible", "strong"),
        )
        tx.galleries.open(gallery)
        tx.subjects.add(gallery, subject, expires_at=1_800_000_000.123456)
        tx.canaries.add(gallery, 1, subject)
        tx.fields.put(subject, "note", FieldClass.FIELD, wrapped_key=b"\x00k", ciphertext=bytes(range(256)), blind=b"b")
        photo = new_photo_id()
        tx.templates.add(
            photo_id=photo, gallery_id=gallery, subject_id=subject, row_id=new_row_id(), binding=b"b", photo_mark=b"m"
        )
        tx.templates.activate(gallery, [photo])
        tx.intents.close(tx.intents.open(IntentKind.GALLERY, gallery).id)
        tx.intents.open(IntentKind.ENROL, gallery, subject_id=subject, row_ids=[new_row_id()])
        tx.api_keys.add(new_key_id(), "door", "h", ("a", "b"), 2e9)
    ledger = Ledger(store, bytes(32))
    with store.begin() as tx:
        for _ in range(ENTRIES):
            ledger.append(tx, Kind.CONSULTATION, "identify", actor="owner", purpose="door", reason="because", hits=2)
        fill_what_is_empty(tx)


def rows(store: Store) -> dict[str, list[Any]]:
    """Read every row of every table."""
    with store.read() as tx:
        return {
            name: sorted(map(tuple, tx.session.execute(select(table))), key=repr)
            for name, table in Base.metadata.tables.items()
        }


def use(monkeypatch: pytest.MonkeyPatch, path: Path | None) -> None:
    """Set or empty the setting."""
    monkeypatch.setenv("MOIETY_DATABASE", "" if path is None else str(at(path)))


def back_up(made: Installation, folder: Path) -> tuple[Path, Path]:
    """Back the gate up; gives the file and its operator's key."""
    key = age_keys.Identity.generate()
    operator = folder / "operator.key"
    operator.write_text(str(key))
    given = dict.fromkeys(("to", "seeds_to", "keys_to"), str(folder / "store"))
    order = {**given, "recipient": str(key.to_public()), "days": 30, "seeds_days": 7, "with_keys": True}
    asyncio.run(Taking(gate(made)).backup(order))
    (state,) = [one.path for one in archive_places.found_in([folder / "store"]) if one.about.part == "state"]
    return state, operator


def restore(made: Installation, state: Path, operator: Path) -> None:
    bring_back(made.data, Wish(Role.GATE, state, None, None, operator, None, None, (), replace=True, old_pair=False))


# ---- moving there ----


def test_a_file_is_brought_into_an_empty_server_whole_and_then_destroyed(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(gate(made)) as store:
        fill(store)
        before = rows(store)
    assert all(before.values()), "every table has a row"
    use(monkeypatch, tmp_path)
    with open_store(gate(made)) as store:
        assert rows(store) == before
        assert Ledger(store, bytes(32)).verify().size == ENTRIES
        with store.begin() as tx:
            assert tx.intents.open(IntentKind.GALLERY, new_gallery_id()).id == 3
            # It came at once, and the server plans by what came.
            figures = tx.session.execute(text("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'"))
            known: dict[str, float] = {one.relname: one.reltuples for one in figures}
            assert {name: known[name] for name in before} == {name: len(there) for name, there in before.items()}
    assert [path.name for path in made.folder(Role.GATE).glob(f"{FILE}*")] == []


def test_a_crash_between_the_server_and_the_file_is_finished_by_the_next_start(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):  # noqa: N818 - a power cut is no error of ours
        pass

    with open_store(gate(made)) as store:
        fill(store)
        before = rows(store)
    use(monkeypatch, tmp_path)

    class Dying(SystemDisk):
        def shred(self, path: Path) -> None:
            raise Cut(path)

    with pytest.raises(Cut):
        open_store(replace(gate(made), disk=Dying()))
    with open_store(gate(made)) as store:
        assert rows(store) == before
    assert not (made.folder(Role.GATE) / FILE).exists()


def test_a_file_beside_a_server_with_other_rows_is_refused_and_both_stay(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path)
    with open_store(gate(made)) as store:
        fill(store)
        there = rows(store)
    with Store(made.folder(Role.GATE) / FILE, HandClock()) as other:
        fill(other)
    with pytest.raises(Fault, match="take the file away, or empty the database"):
        open_store(gate(made))
    assert (made.folder(Role.GATE) / FILE).exists()
    (made.folder(Role.GATE) / FILE).unlink()
    with open_store(gate(made)) as store:
        assert rows(store) == there


def test_a_gate_whose_setting_was_forgotten_does_not_begin_anew(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path)
    open_store(gate(made)).close()
    use(monkeypatch, None)
    with pytest.raises(Fault, match="set MOIETY_DATABASE"):
        open_store(gate(made))
    assert not (made.folder(Role.GATE) / FILE).exists()


def test_another_installation_is_not_let_in(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path)
    with open_store(gate(made)) as store:
        fill(store)
    other = installation.create(tmp_path / "other")
    other.introduce()
    with pytest.raises(Fault, match="another installation"):
        open_store(gate(other))
    open_store(gate(made)).close()


def test_only_the_gate_is_told_where_the_database_is(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path)
    told: dict[str, bool] = {}

    class Told(Exception):  # noqa: N818 - ends the start
        pass

    def note(command: list[str], *, env: dict[str, str], **_: object) -> None:
        told[command[3]] = "MOIETY_DATABASE" in env
        raise Told

    monkeypatch.setattr("moiety.cli.supervisor.subprocess.Popen", note)
    supervisor = Supervisor(made, "127.0.0.1", 0, print)
    supervisor._open_doors()
    for role in Role:
        with pytest.raises(Told):
            supervisor._spawn(role)
    assert told == {role.value: role is Role.GATE for role in Role}


# ---- backups ----


@pytest.mark.parametrize("onto", ["sqlite", "postgresql"])
def test_a_backup_of_a_server_is_restored_onto_either_database(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, onto: str
) -> None:
    use(monkeypatch, tmp_path)
    with open_store(gate(made)) as store:
        fill(store)
        before = rows(store)
        state, operator = back_up(made, tmp_path)
        with store.begin() as tx:
            tx.intents.open(IntentKind.GALLERY, new_gallery_id())
    raw = state.read_bytes()
    assert b"open the door" not in raw
    use(monkeypatch, tmp_path / "new" if onto == "postgresql" else None)
    restore(made, state, operator)
    with open_store(gate(made)) as store:
        assert rows(store) == before
        assert Ledger(store, bytes(32)).verify().size == ENTRIES
        with store.begin() as tx:
            assert tx.intents.open(IntentKind.GALLERY, new_gallery_id()).id == 3
    marked = json.loads((made.folder(Role.GATE) / "restored.json").read_bytes())
    assert marked["run"]


def test_a_backup_of_a_file_and_of_the_server_it_was_moved_to_hold_the_same(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moiety.archive.holdings import Holdings  # noqa: PLC0415 - beside the only test that looks inside
    from moiety.cli.database import server_tables  # noqa: PLC0415 - as above

    def told() -> tuple[dict[str, Any], dict[str, bytes]]:
        holdings = Holdings(Role.GATE, made.folder(Role.GATE), made.keys / Role.GATE, server_tables(Role.GATE))
        with holdings.frozen() as frozen:
            members = {one.name: b"".join(one.content) for one in frozen.members("state")}
            return frozen.galleries(), {name: raw for name, raw in members.items() if name.startswith("tables/")}

    with open_store(gate(made)) as store:
        fill(store)
    of_file = told()
    use(monkeypatch, tmp_path)
    open_store(gate(made)).close()
    of_server = told()
    assert of_server == of_file
    assert of_file[0]


def test_a_backup_of_a_server_whose_gate_never_ran_says_so(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = DATABASES.server.create("never_used")
    monkeypatch.setenv("MOIETY_DATABASE", empty)
    try:
        with pytest.raises(Fault, match="no gate's tables yet"):
            back_up(made, tmp_path)
    finally:
        DATABASES.server.drop("never_used")


def test_a_restore_into_a_server_that_holds_something_destroys_nothing(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path)
    with open_store(gate(made)) as store:
        fill(store)
        state, operator = back_up(made, tmp_path)
    run_beside(tmp_path, "UPDATE gallery SET policy_version = 9")
    restore(made, state, operator)
    with pytest.raises(Fault, match="empty the database"):
        open_store(gate(made))
    SYSTEM_DISK.remove(made.folder(Role.GATE) / FILE)
    with open_store(gate(made)) as store, store.read() as tx:
        assert [one.policy_version for one in tx.galleries.list()] == [9]
