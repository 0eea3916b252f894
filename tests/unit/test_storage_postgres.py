"""PostgreSQL as the gate's database, on a real server: one gate alone, lost lines, damage, what is told of it."""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from databases import DATABASES, at, run_beside
from moiety.cli.bench.scratch_postgres import ScratchServer, scratch_server
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, DiskFull, Fault, Unavailable
from moiety.foundation.ids import new_gallery_id, new_key_id
from moiety.ledger import Kind, Ledger, LedgerBroken
from moiety.storage import IntentKind, Store
from moiety.storage.migrations import versions
from moiety.storage.tables import Base

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.both_databases("postgresql")
KEY = bytes(32)
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name LIKE '%writing'"
)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Store]:
    with Store(at(tmp_path), HandClock()) as made:
        yield made


@pytest.fixture
def own() -> Iterator[ScratchServer]:
    """Give a server that the test may stop and damage."""
    with scratch_server() as server:
        yield server


def intend(gate: Store) -> None:
    with gate.begin() as tx:
        tx.intents.open(IntentKind.GALLERY, new_gallery_id())


def intents(gate: Store) -> int:
    with gate.read() as tx:
        return len(tx.intents.pending())


def raise_at_insert(path: Path, code: str) -> None:
    """Let the server answer the next insert of a key with a code that is hard to bring about otherwise."""
    run_beside(
        path,
        f"CREATE FUNCTION struck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'secret words' "
        f"USING ERRCODE = '{code}'; END $$",
        "CREATE TRIGGER struck BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION struck()",
    )


# ---- one gate alone ----


def test_a_second_gate_on_the_same_database_is_refused(gate: Store, tmp_path: Path) -> None:
    with pytest.raises(Fault, match="Another gate"):
        Store(at(tmp_path), HandClock())
    intend(gate)
    gate.close()
    with Store(at(tmp_path), HandClock()) as later:
        assert intents(later) == 1


def test_a_gate_whose_line_was_cut_writes_again_only_when_no_other_has_taken_its_place(tmp_path: Path) -> None:
    with Store(at(tmp_path), HandClock()) as first:
        intend(first)
        run_beside(tmp_path, CUT)
        intend(first)
        run_beside(tmp_path, CUT)
        with Store(at(tmp_path), HandClock()) as second:
            with pytest.raises(Unavailable, match="Another session"):
                intend(first)
            intend(second)
        intend(first)
        assert intents(first) == 4


def test_a_line_cut_in_the_middle_keeps_nothing_and_is_told_as_unavailable(gate: Store, tmp_path: Path) -> None:

    def half() -> None:
        with gate.begin() as tx:
            tx.intents.open(IntentKind.GALLERY, new_gallery_id())
            run_beside(tmp_path, CUT)
            tx.intents.open(IntentKind.GALLERY, new_gallery_id())

    with pytest.raises(Unavailable, match="cannot be reached"):
        half()
    assert intents(gate) == 0
    intend(gate)


def test_a_line_lost_in_a_commit_stops_the_gate_since_nobody_knows_what_was_kept(gate: Store, tmp_path: Path) -> None:
    def whole() -> None:
        with gate.begin() as tx:
            tx.intents.open(IntentKind.GALLERY, new_gallery_id())
            run_beside(tmp_path, CUT)

    with pytest.raises(Fault, match="middle of a commit"):
        whole()


def test_a_server_that_is_restarted_is_used_again(own: ScratchServer) -> None:
    with Store(own.create("moiety"), HandClock()) as gate:
        intend(gate)
        own.stop()
        with pytest.raises(Unavailable, match="cannot be reached"):
            intend(gate)
        with pytest.raises(Unavailable, match="cannot be reached"):
            intents(gate)
        own.start()
        intend(gate)
        assert intents(gate) == 2


def test_what_was_told_as_kept_outlives_a_crash_of_the_server(own: ScratchServer) -> None:
    with Store(own.create("moiety"), HandClock()) as gate:
        intend(gate)
        own.stop(at_once=True)
        own.start()
        assert intents(gate) == 1


def test_a_lock_that_somebody_holds_for_long_is_told_as_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moiety.storage.engine.BUSY_TIMEOUT_MS", 100)
    with Store(at(tmp_path), HandClock()) as gate:
        intend(gate)
        with DATABASES.server.connect(DATABASES.name(tmp_path)) as owner, owner.transaction():
            owner.execute("LOCK TABLE intent")
            with pytest.raises(Unavailable, match="busy"):
                intend(gate)
        intend(gate)


def test_a_reader_sees_one_moment(gate: Store) -> None:
    with gate.read() as tx:
        assert tx.intents.pending() == ()
        writer = threading.Thread(target=intend, args=(gate,))
        writer.start()
        writer.join()
        assert tx.intents.pending() == ()
    assert intents(gate) == 1


def test_a_commit_is_on_the_disk_even_where_the_server_would_not_wait_for_it(tmp_path: Path) -> None:
    at(tmp_path)
    run_beside(tmp_path, f"ALTER DATABASE {DATABASES.name(tmp_path)} SET synchronous_commit = off")
    with Store(at(tmp_path), HandClock()) as gate, gate.begin() as tx:
        assert tx.session.scalar(text("SHOW synchronous_commit")) == "on"


# ---- the server's words in ours ----


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("53100", DiskFull),
        ("53300", Unavailable),
        ("40P01", Unavailable),
        ("57P01", Unavailable),
        ("XX001", Fault),
        ("58030", Fault),
        ("42501", Fault),
    ],
)
def test_what_the_server_says_is_told_in_our_words(
    gate: Store, tmp_path: Path, code: str, kind: type[Exception]
) -> None:
    raise_at_insert(tmp_path, code)
    with pytest.raises(kind) as caught, gate.begin() as tx:
        tx.api_keys.add(new_key_id(), "n", "h", (), 2e9)
    assert type(caught.value) is kind
    assert "secret words" not in "".join(traceback.format_exception(caught.value))


def test_a_value_that_does_not_fit_is_not_repeated(gate: Store) -> None:
    value = new_key_id()
    with pytest.raises(DBAPIError) as caught, gate.begin() as tx:
        tx.session.execute(text("SELECT CAST(:value AS integer)"), {"value": value})
    assert value not in "".join(traceback.format_exception(caught.value))


def test_text_with_a_zero_byte_is_bad_input(gate: Store) -> None:
    with pytest.raises(BadInput, match="zero byte"), gate.read() as tx:
        tx.galleries.by_name("a\x00b")


def test_a_page_that_rotted_on_the_disk_is_a_fault(own: ScratchServer) -> None:
    url = own.create("moiety")
    with Store(url, HandClock()) as gate:
        intend(gate)
        with own.connect("moiety") as owner:
            (path,) = owner.execute("SELECT pg_relation_filepath('intent')").fetchone() or ("",)
    own.stop()
    file = own.data / path
    raw = bytearray(file.read_bytes())
    raw[4000:8000] = bytes(byte ^ 0x5A for byte in raw[4000:8000])
    file.write_bytes(raw)
    own.start()
    with Store(url, HandClock()) as gate, pytest.raises(Fault, match="damaged"):
        intents(gate)


# ---- opening ----


def _told(where: str, caplog: pytest.LogCaptureFixture) -> str:
    """Try to open and give all that is said, with the trace."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises((Fault, Unavailable)) as caught:
        Store(where, HandClock())
    assert "\n" not in str(caught.value)
    return "".join(traceback.format_exception(caught.value)) + caplog.text


def test_no_password_reaches_a_message_a_trace_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    server = DATABASES.server
    good = server.url("nowhere")
    wrong = good.replace(server.password, "Canary-Quill-1")
    cases = [
        good,
        wrong,
        server.url("nowhere", tcp=True),
        f"postgresql://moiety:{server.password}@127.0.0.1:1/moiety",
        f"postgresql://moiety:{server.password}@host:port/moiety",
        f"postgresql://moiety:{server.password}@/x?no_such_option=1",
        f"postgresql://moiety@/x?host=/nowhere&password={server.password}&connect_timeout=y",
        f"mysql://moiety:{server.password}@host/moiety",
        f"postgresql+asyncpg://moiety:{server.password}@host/moiety",
        f"{server.password}://",
    ]
    for case in cases:
        told = _told(case, caplog)
        assert server.password not in told
        assert "Canary-Quill-1" not in told


def test_an_open_gate_shows_no_password(gate: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    intend(gate)
    shown = repr(gate) + repr(gate.engine) + str(gate.engine.url) + caplog.text
    assert DATABASES.server.password not in shown


@pytest.mark.parametrize("how", [{"encoding": "LATIN1"}, {"encoding": "SQL_ASCII"}, {"language": "en-US"}])
def test_a_database_that_would_sort_or_keep_text_otherwise_is_refused(how: dict[str, str]) -> None:
    url = DATABASES.server.create("other", **how)
    try:
        with pytest.raises(Fault, match="createdb -T template0"):
            Store(url, HandClock())
    finally:
        DATABASES.server.drop("other")


def test_a_url_that_others_write_with_a_shorter_word_is_understood(tmp_path: Path) -> None:
    with Store(str(at(tmp_path)).replace("postgresql://", "postgres://"), HandClock()) as gate:
        intend(gate)


def test_a_database_of_a_newer_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    Store(at(tmp_path), HandClock()).close()
    run_beside(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Fault, match=r"another version.*no version goes back"):
        Store(at(tmp_path), HandClock())
    with DATABASES.server.connect(DATABASES.name(tmp_path)) as owner:
        assert owner.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_the_migrations_make_exactly_what_the_tables_say(gate: Store) -> None:
    with gate.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_no_version_has_a_way_back() -> None:
    folder = Path(versions.__file__ or "").parent
    found = sorted(folder.glob("v*.py"))
    assert found
    assert [path.name for path in found if "def downgrade" in path.read_text()] == []


# ---- the ledger ----


def test_the_ledger_cannot_be_emptied_and_its_owner_can_only_be_seen_to_do_it(gate: Store, tmp_path: Path) -> None:
    ledger = Ledger(gate, KEY)
    for _ in range(3):
        with gate.begin() as tx:
            ledger.append(tx, Kind.CONSULTATION, "identify", actor="owner", purpose="door")
    with pytest.raises(IntegrityError, match="only added to"), gate.begin() as tx:
        tx.session.execute(text("TRUNCATE ledger_entry"))
    with contextlib.suppress(psycopg.Error):
        run_beside(tmp_path, "DELETE FROM ledger_entry")
    assert ledger.verify().size == 3
    run_beside(
        tmp_path,
        "ALTER TABLE ledger_entry DISABLE TRIGGER USER",
        "UPDATE ledger_entry SET act = 'other' WHERE seq = 2",
        "ALTER TABLE ledger_entry ENABLE TRIGGER USER",
    )
    with pytest.raises(LedgerBroken) as caught:
        ledger.verify()
    assert caught.value.seq == 2
