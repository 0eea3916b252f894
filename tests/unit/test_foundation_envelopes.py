"""Envelopes: packing is unambiguous, seals open for the right key and binding only, key folders are private."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from moiety.foundation.envelopes import (
    KEY_BYTES,
    NONCE_BYTES,
    KeyRing,
    pack,
    seal,
    seal_to,
    unpack,
    unseal,
    unseal_from,
    write_durably,
)
from moiety.foundation.errors import Fault, Unverified

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
blobs = st.lists(st.binary(max_size=40), max_size=6)
GCM_TAG_BYTES = 16


# ---- packing ----


@given(blobs)
def test_packing_loses_nothing(parts: list[bytes]) -> None:
    assert unpack(pack(*parts)) == parts


@given(blobs, blobs)
def test_two_lists_never_pack_to_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (pack(*one) == pack(*other)) == (one == other)


@given(st.binary(max_size=24), st.integers(1, 24), st.integers(0, 24))
def test_moving_a_border_between_two_parts_changes_the_bytes(joined: bytes, first: int, second: int) -> None:
    if min(first, len(joined)) != min(second, len(joined)):
        assert pack(joined[:first], joined[first:]) != pack(joined[:second], joined[second:])


@given(st.text(max_size=20), st.integers(0, 2**64 - 1))
def test_text_is_utf8_and_a_number_is_eight_bytes(text: str, number: int) -> None:
    assert unpack(pack(text, number)) == [text.encode(), number.to_bytes(8, "big")]


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        pack(number)


@given(blobs.filter(bool), st.data())
def test_what_is_cut_short_never_passes_for_whole(parts: list[bytes], data: st.DataObject) -> None:
    packed = pack(*parts)
    ends = {len(pack(*parts[:n])) for n in range(len(parts) + 1)}
    cut = data.draw(st.integers(0, len(packed) - 1).filter(lambda at: at not in ends))
    with pytest.raises(Unverified):
        unpack(packed[:cut])


def test_a_length_beyond_the_end_is_refused() -> None:
    with pytest.raises(Unverified):
        unpack(b"\xff\xff\xff\xff" + bytes(100))


# ---- seals ----


@given(st.binary(max_size=100), st.binary(max_size=20))
def test_a_seal_opens_for_its_key_and_binding(plain: bytes, bound: bytes) -> None:
    sealed = seal(KEY, plain, bound)
    assert unseal(KEY, sealed, bound) == plain
    assert len(sealed) == NONCE_BYTES + len(plain) + GCM_TAG_BYTES


def test_a_seal_stays_shut_when_anything_differs() -> None:
    sealed = seal(KEY, b"plain", b"bound")
    for at in range(len(sealed)):
        with pytest.raises(Unverified):
            unseal(KEY, _flipped(sealed, at), b"bound")
    for key, text, bound in [
        (bytes(32), sealed, b"bound"),
        (KEY, sealed, b"bounD"),
        (KEY, sealed, b""),
        (KEY, sealed[:-1], b"bound"),
        (KEY, b"", b"bound"),
        (KEY, sealed[:NONCE_BYTES], b"bound"),
    ]:
        with pytest.raises(Unverified):
            unseal(key, text, bound)


def test_no_two_seals_are_alike() -> None:
    assert len({seal(KEY, b"same", b"")[:NONCE_BYTES] for _ in range(200)}) == 200


def test_a_message_sealed_to_a_key_opens_there_only() -> None:
    mine, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    sealed = seal_to(mine.public_key().public_bytes_raw(), b"half", b"nonce 1")
    assert unseal_from(mine, sealed, b"nonce 1") == b"half"
    for at in range(len(sealed)):
        with pytest.raises(Unverified):
            unseal_from(mine, _flipped(sealed, at), b"nonce 1")
    for key, text, bound in [(other, sealed, b"nonce 1"), (mine, sealed, b"nonce 2"), (mine, sealed[:31], b"nonce 1")]:
        with pytest.raises(Unverified):
            unseal_from(key, text, bound)
    assert seal_to(mine.public_key().public_bytes_raw(), b"half", b"nonce 1") != sealed


def _flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


# ---- files ----


def test_a_file_is_written_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    write_durably(path, b"the old content")
    with monkeypatch.context() as patched:
        patched.setattr(type(path) if step == "replace" else os, step, _crash)
        with pytest.raises(KeyboardInterrupt):
            write_durably(path, b"new")
    assert path.read_bytes() == b"the old content"
    write_durably(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_a_crash_after_the_rename_leaves_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    write_durably(path, b"the old content")
    calls = []
    real = os.fsync

    def second_fails(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:  # the folder's
            _crash()
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", second_fails)
        with pytest.raises(KeyboardInterrupt):
            write_durably(path, b"new")
    assert path.read_bytes() == b"new"


def _crash(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


# ---- key folders ----


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    first = ring.secret("blind.key")
    assert len(first) == KEY_BYTES
    assert ring.secret("blind.key") == KeyRing(tmp_path / "keys").secret("blind.key") == first
    assert ring.secret("other.key") != first
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert ring.path("blind.key").stat().st_mode & 0o777 == 0o600


def test_signing_and_sealing_keys_are_those_of_the_file(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    signing, sealing = ring.signing_key("s"), ring.sealing_key("x")
    again = KeyRing(tmp_path / "keys")
    Ed25519PublicKey.from_public_bytes(signing.public_key().public_bytes_raw()).verify(
        again.signing_key("s").sign(b"m"), b"m"
    )
    sealed = seal_to(sealing.public_key().public_bytes_raw(), b"m", b"")
    assert unseal_from(again.sealing_key("x"), sealed, b"") == b"m"


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o704, 0o777])
def test_a_folder_that_others_may_enter_stops_the_process(tmp_path: Path, mode: int) -> None:
    KeyRing(tmp_path / "keys").secret("k")
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(Fault, match="private"):
        KeyRing(tmp_path / "keys")


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_key_stops_the_process_and_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    ring = KeyRing(tmp_path / "keys")
    ring.path("k").write_bytes(content)
    with pytest.raises(Fault, match="damaged"):
        ring.secret("k")
    assert ring.path("k").read_bytes() == content


def test_a_forgotten_key_is_overwritten_before_its_name_goes(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    key = ring.secret("k")
    os.link(ring.path("k"), tmp_path / "same blocks")
    ring.forget("k")
    ring.forget("k")  # once more does no harm
    left = (tmp_path / "same blocks").read_bytes()
    assert not ring.path("k").exists()
    assert len(left) == KEY_BYTES
    assert left != key
    assert ring.secret("k") != key


# ---- keys that were lost ----


def test_a_key_that_was_lost_is_not_made_anew(tmp_path: Path) -> None:
    register = tmp_path / "data" / "keys.json"
    ring = KeyRing(tmp_path / "keys", register=register)
    kept, lost = ring.secret("kept.key"), ring.secret("lost.key")
    ring.path("lost.key").rename(tmp_path / "copy")
    again = KeyRing(tmp_path / "keys", register=register)
    with pytest.raises(Fault, match=r"'lost.key' is missing .* restore"):
        again.secret("lost.key")
    assert not ring.path("lost.key").exists()
    assert again.secret("kept.key") == kept
    (tmp_path / "copy").rename(ring.path("lost.key"))
    assert again.secret("lost.key") == lost
    assert again.secret("new.key") not in {kept, lost}
    assert ring.path("new.key").exists()


def test_a_key_folder_that_is_gone_stops_the_process_and_is_not_made(tmp_path: Path) -> None:
    register = tmp_path / "data" / "keys.json"
    KeyRing(tmp_path / "keys", register=register).secret("k")
    (tmp_path / "keys").rename(tmp_path / "another disk")
    with pytest.raises(Fault, match="restore it"):
        KeyRing(tmp_path / "keys", register=register)
    assert not (tmp_path / "keys").exists()


def test_a_forgotten_key_is_not_a_lost_one(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys", register=tmp_path / "keys.json")
    first = ring.secret("store-1.key")
    ring.forget("store-1.key")
    assert ring.secret("store-1.key") != first


def test_keys_from_before_there_was_a_list_are_listed_when_they_are_used(tmp_path: Path) -> None:
    KeyRing(tmp_path / "keys").secret("old.key")
    ring = KeyRing(tmp_path / "keys", register=tmp_path / "keys.json")
    ring.secret("old.key")
    ring.path("old.key").unlink()
    with pytest.raises(Fault, match="missing"):
        ring.secret("old.key")


@pytest.mark.parametrize("content", [b"", b"7", b"{"])
def test_a_damaged_list_of_keys_stops_the_process(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys.json").write_bytes(content)
    with pytest.raises(Fault, match="damaged"):
        KeyRing(tmp_path / "keys", register=tmp_path / "keys.json").secret("k")
