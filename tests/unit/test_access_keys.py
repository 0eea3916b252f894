"""API keys: issued once, checked at every use, never shown again."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from databases import BOTH, at, at_version, held
from moiety.access import ApiKeys, Caller, Permission, Scope, keys
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, DiskFull, KeyExpired, Locked, NotFound, Unauthenticated
from moiety.foundation.ids import KeyId, new_gallery_id, new_key_id
from moiety.storage import Store
from moiety.storage.guard_records import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = BOTH
START = 1_800_000_000.0
DAY = 86_400.0
SCOPE = "gallery:probe:identify"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def gate(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    with Store(at(tmp_path / "gate.db"), clock) as made:
        yield made


@pytest.fixture
def api_keys(gate: Store, clock: HandClock) -> ApiKeys:
    return ApiKeys(gate, clock)


class Counted:
    """Counts how often argon2 really runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = 0
        self._hasher = keys._HASHER
        monkeypatch.setattr(keys, "_HASHER", self)

    def hash(self, secret: str) -> str:
        return self._hasher.hash(secret)

    def verify(self, secret_hash: str, secret: str) -> bool:
        self.runs += 1
        return self._hasher.verify(secret_hash, secret)


def test_a_token_says_who_calls(api_keys: ApiKeys) -> None:
    gallery_id = new_gallery_id()
    key_id, token = api_keys.issue("front-door", [SCOPE, f"gallery:subject:read@{gallery_id}"], START + DAY)
    assert re.fullmatch(rf"moi_{key_id}_[A-Za-z0-9_-]{{43}}", token)
    assert api_keys.authenticate(token) == Caller(
        key_id,
        "front-door",
        frozenset({Scope(Permission.PROBE_IDENTIFY), Scope(Permission.SUBJECT_READ, gallery_id)}),
    )


def test_every_secret_is_its_own(api_keys: ApiKeys) -> None:
    tokens = {api_keys.issue("same", [SCOPE], START + DAY)[1] for _ in range(20)}
    assert len({token[-43:] for token in tokens}) == 20


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:0],
        lambda token: "Bearer " + token,
        lambda token: token + "\n",
        lambda token: token[:-1],
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace("moi_key_", "moi_kex_"),
        lambda token: f"moi_{new_key_id()}_{token[-43:]}",
        lambda token: token.upper(),
        lambda token: token[:-1] + "é",
    ],
)
def test_anything_but_the_token_is_refused_in_the_same_words(api_keys: ApiKeys, spoil: Callable[[str], str]) -> None:
    _, token = api_keys.issue("door", [SCOPE], START + DAY)
    api_keys.authenticate(token)
    with pytest.raises(Unauthenticated) as caught:
        api_keys.authenticate(spoil(token))
    assert str(caught.value) == str(Unauthenticated())
    assert type(caught.value) is Unauthenticated


def test_one_keys_secret_does_not_open_another(api_keys: ApiKeys) -> None:
    first, one = api_keys.issue("one", [SCOPE], START + DAY)
    second, other = api_keys.issue("other", [SCOPE], START + DAY)
    api_keys.authenticate(one)
    api_keys.authenticate(other)
    with pytest.raises(Unauthenticated):
        api_keys.authenticate(one.replace(first, second))


def test_an_unknown_id_costs_as_much_hashing_as_a_wrong_secret(
    api_keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id, token = api_keys.issue("door", [SCOPE], START + DAY)
    counted = Counted(monkeypatch)
    for wrong in (f"moi_{key_id}_{'A' * 43}", f"moi_{new_key_id()}_{token[-43:]}"):
        before = counted.runs
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(wrong)
        assert counted.runs == before + 1


def test_a_key_expires_even_while_it_is_remembered(api_keys: ApiKeys, clock: HandClock) -> None:
    _, token = api_keys.issue("door", [SCOPE], START + 30)
    clock.move(29.5)
    api_keys.authenticate(token)
    clock.move(0.5)
    with pytest.raises(KeyExpired):
        api_keys.authenticate(token)


def test_only_the_holder_learns_that_a_key_expired(api_keys: ApiKeys, clock: HandClock) -> None:
    key_id, _ = api_keys.issue("door", [SCOPE], START + 30)
    clock.move(60)
    with pytest.raises(Unauthenticated) as caught:
        api_keys.authenticate(f"moi_{key_id}_{'A' * 43}")
    assert not isinstance(caught.value, KeyExpired)


def test_a_revoked_key_stops_at_once_even_while_it_is_remembered(api_keys: ApiKeys, clock: HandClock) -> None:
    key_id, token = api_keys.issue("door", [SCOPE], START + DAY)
    api_keys.authenticate(token)
    assert [one.revoked_at for one in api_keys.revoke(key_id)] == [START]
    with pytest.raises(Unauthenticated):
        api_keys.authenticate(token)
    clock.move(5)
    assert [one.revoked_at for one in api_keys.revoke(key_id)] == [START]
    with pytest.raises(NotFound):
        api_keys.revoke(new_key_id())


def test_with_a_key_is_locked_all_that_it_made_and_none_beside(api_keys: ApiKeys) -> None:
    root, root_token = api_keys.issue("root", [SCOPE], START + DAY)
    child, child_token = api_keys.issue("child", [SCOPE], START + DAY, made_by=root)
    _, deep_token = api_keys.issue("deep", [SCOPE], START + DAY, made_by=child)
    _, other_token = api_keys.issue("other", [SCOPE], START + DAY)
    with api_keys._store.begin() as tx:
        tx.alerts.lock(Lock(child, "alr_test", START))
    for token in (child_token, deep_token):
        with pytest.raises(Locked):
            api_keys.authenticate(token)
    assert [api_keys.authenticate(token).name for token in (root_token, other_token)] == ["root", "other"]


def test_with_a_key_end_all_that_it_made_and_none_beside(api_keys: ApiKeys, clock: HandClock) -> None:
    made: dict[str, tuple[KeyId, str]] = {}
    for name, maker in (("root", ""), ("child", "root"), ("gone", "root"), ("deep", "gone"), ("other", "")):
        made[name] = api_keys.issue(name, [SCOPE], START + DAY, made_by=made[maker][0] if maker else "owner")
        clock.move(1)
    assert [(one.name, one.made_by) for one in api_keys.list()][:2] == [("root", "owner"), ("child", made["root"][0])]
    # One that was revoked by an earlier version left what it made in force.
    with api_keys._store.begin() as tx:
        tx.session.execute(text("UPDATE api_key SET revoked_at = 1 WHERE name = 'gone'"))
    noted: list[KeyId] = []
    ended = api_keys.revoke(made["root"][0], lambda _, key: noted.append(key))
    assert [one.name for one in ended] == ["root", "child", "deep"]
    assert noted == [one.id for one in ended]
    for name in ("root", "child", "gone", "deep"):
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(made[name][1])
    assert api_keys.authenticate(made["other"][1]).name == "other"
    with pytest.raises(Unauthenticated):
        api_keys.issue("late", [SCOPE], START + DAY, made_by=made["child"][0])


def test_who_made_a_key_before_that_was_kept_beside_it_is_read_from_the_ledger(tmp_path: Path) -> None:
    first, second, third = (new_key_id() for _ in range(3))
    engine = at_version(tmp_path / "old.db", "0015")
    with engine.begin() as line:
        for key in (first, second, third):
            row = {"id": key, "name": "door", "hash": "h", "scopes": "[]", "at": START, "end": START + DAY}
            line.execute(text("INSERT INTO api_key VALUES (:id, :name, :hash, :scopes, :at, :end, NULL, NULL)"), row)
        told = {"detail": f'{{"operator":"{second}"}}', "actor": first, "zero": bytes(32)}
        line.execute(
            text(
                "INSERT INTO ledger_entry (seq, at_us, kind, act, actor, purpose, detail, prev_hash, hash) "
                "VALUES (1, 1, 'alteration', 'key-make', :actor, 'p', :detail, :zero, :zero)"
            ),
            told,
        )
    engine.dispose()
    with Store(at(tmp_path / "old.db"), HandClock(START)) as store, store.begin() as tx:
        made_by = {one.id: one.made_by for one in tx.api_keys.list()}
        assert made_by == {first: None, second: first, third: None}
        assert [one.id for one in tx.api_keys.revoke(first)] == [first, second]


def test_argon2_runs_once_a_minute_not_once_a_request(
    api_keys: ApiKeys, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = api_keys.issue("door", [SCOPE], START + DAY)
    counted = Counted(monkeypatch)
    for _ in range(5):
        api_keys.authenticate(token)
    assert counted.runs == 1
    clock.move(keys.CACHE_SECONDS)
    api_keys.authenticate(token)
    assert counted.runs == 2


def test_a_hash_that_was_changed_is_not_served_from_memory(gate: Store, api_keys: ApiKeys) -> None:
    _, token = api_keys.issue("door", [SCOPE], START + DAY)
    api_keys.authenticate(token)
    for altered in (keys._HASHER.hash("something else"), "no hash at all"):
        with gate.begin() as tx:
            tx.session.execute(text("UPDATE api_key SET secret_hash = :altered"), {"altered": altered})
        with pytest.raises(Unauthenticated):
            api_keys.authenticate(token)


def test_the_memory_of_tokens_is_bounded(api_keys: ApiKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "CACHE_ENTRIES_MAX", 2)
    tokens = [api_keys.issue("door", [SCOPE], START + DAY)[1] for _ in range(3)]
    counted = Counted(monkeypatch)
    for token in tokens:
        api_keys.authenticate(token)
    api_keys.authenticate(tokens[2])
    assert (counted.runs, len(api_keys._verified._known)) == (3, 2)
    api_keys.authenticate(tokens[0])
    assert counted.runs == 4


def test_the_hour_of_use_is_kept_and_nothing_finer(api_keys: ApiKeys, clock: HandClock) -> None:
    _, token = api_keys.issue("door", [SCOPE], START + DAY)
    assert api_keys.list()[0].last_used_at is None
    clock.move(1234)
    api_keys.authenticate(token)
    assert api_keys.list()[0].last_used_at == START
    clock.move(3600)
    api_keys.authenticate(token)
    assert api_keys.list()[0].last_used_at == START + 3600


def test_a_full_disk_locks_nobody_out(api_keys: ApiKeys, gate: Store) -> None:
    _, token = api_keys.issue("door", [SCOPE], START + DAY)

    def full() -> None:
        raise DiskFull

    gate.begin = full  # type: ignore[method-assign,assignment] # acts out a disk that fills between two requests
    assert api_keys.authenticate(token).name == "door"


@pytest.mark.parametrize(
    ("name", "scopes", "expires_at"),
    [
        ("", [SCOPE], START + 1),
        ("Anna Schmidt", [SCOPE], START + 1),
        ("-door", [SCOPE], START + 1),
        ("x" * 65, [SCOPE], START + 1),
        ("door", [], START + 1),
        ("door", ["gallery:probe:everything"], START + 1),
        ("door", [SCOPE], START),
        ("door", [SCOPE], START - 1),
        ("door", [SCOPE], float("nan")),
        ("door", [SCOPE], float("inf")),
    ],
)
def test_a_key_needs_a_label_a_scope_and_an_end(
    api_keys: ApiKeys, name: str, scopes: list[str], expires_at: float
) -> None:
    with pytest.raises(BadInput):
        api_keys.issue(name, scopes, expires_at)
    assert api_keys.list() == ()


def test_keys_are_listed_without_their_hashes(api_keys: ApiKeys, clock: HandClock) -> None:
    first, _ = api_keys.issue("a", [SCOPE, Scope(Permission.LEDGER_READ), SCOPE], START + DAY)
    clock.move(1)
    second, _ = api_keys.issue("b", [SCOPE], START + DAY)
    listed = api_keys.list()
    assert [one.id for one in listed] == [first, second]
    assert listed[0].scopes == (Scope(Permission.PROBE_IDENTIFY), Scope(Permission.LEDGER_READ))
    assert "argon2" not in repr(listed)


def test_no_token_secret_or_hash_reaches_a_file_a_log_or_a_message(
    api_keys: ApiKeys, gate: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key_id, token = api_keys.issue("door", [SCOPE], START + DAY)
    caller = api_keys.authenticate(token)
    with gate.read() as tx:
        record = tx.api_keys.find(key_id)
    assert record is not None
    told = []
    for wrong in (token[:-1], token[:-1] + "!", token.replace(key_id, KeyId(new_key_id()))):
        with pytest.raises(Unauthenticated) as caught:
            api_keys.authenticate(wrong)
        told.append("".join(traceback.format_exception(caught.value)))
    shown = "\n".join([repr(caller), str(caller), repr(record), repr(api_keys.list()), caplog.text, *told])
    secret = token[-43:]
    assert secret[:20] not in shown
    assert record.secret_hash not in shown
    assert "argon2id" not in shown
    assert record.secret_hash.encode() in held(tmp_path / "gate.db")
    assert secret.encode() not in held(tmp_path / "gate.db")


def test_many_threads_authenticate_at_once(api_keys: ApiKeys) -> None:
    _, token = api_keys.issue("door", [SCOPE], START + DAY)
    seen: list[str] = []

    def call() -> None:
        seen.extend(api_keys.authenticate(token).name for _ in range(10))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["door"] * 80
