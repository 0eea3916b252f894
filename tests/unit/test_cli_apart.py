"""One part on a machine of its own: its folder, its addresses, whom it must know before it starts."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from moiety.cli import installation
from moiety.cli.apart import FILE, KNOWS, Where, must_be_complete, role_of
from moiety.cli.cardfile import own
from moiety.cli.starting import address, addresses, listen, take_lock, turn_away
from moiety.cli.supervisor import ASKS
from moiety.foundation.errors import AlreadyThere, BadInput, Fault
from moiety.wire.cards import Peers
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

TENANT = "ten_0123456789abcdef"


# ---- folders ----


def test_a_part_begins_in_its_own_folder_with_its_own_keys(tmp_path: Path) -> None:
    made = installation.begin(tmp_path / "b", Role.VAULT_B, None)
    assert made.part is Role.VAULT_B
    assert installation.load(tmp_path / "b") == made
    assert [path.name for path in made.keys.iterdir()] == [Role.VAULT_B]
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o700
    assert installation.begin(tmp_path / "a", Role.VAULT_A, made.tenant).tenant == made.tenant


def test_a_beginning_that_was_cut_short_goes_on_with_the_same_keys(tmp_path: Path) -> None:
    first = own(installation.begin(tmp_path / "mint", Role.MINT, TENANT))
    again = installation.begin(tmp_path / "mint", Role.MINT, TENANT)
    assert own(again) == first
    with pytest.raises(BadInput, match="another installation"):
        installation.begin(tmp_path / "mint", Role.MINT, "ten_ffffffffffffffff")
    with pytest.raises(AlreadyThere, match="holds mint"):
        installation.begin(tmp_path / "mint", Role.EYE, TENANT)
    Peers([first.card]).save(again.folder(Role.MINT) / "peers.json")
    with pytest.raises(AlreadyThere, match="holds mint already"):
        installation.begin(tmp_path / "mint", Role.MINT, TENANT)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("else")
    with pytest.raises(BadInput, match="not empty"):
        installation.begin(tmp_path, Role.EYE, None)
    with pytest.raises(BadInput, match="A tenant is"):
        installation.begin(tmp_path / "new", Role.EYE, "our tenant")
    assert not (tmp_path / "new").exists()


def test_a_folder_with_one_part_is_not_run_as_a_whole(tmp_path: Path) -> None:
    alone = installation.begin(tmp_path / "alone", Role.EYE, None)
    assert role_of(alone) is Role.EYE
    with pytest.raises(BadInput, match="moiety serve"):
        alone.introduce()
    whole = installation.create(tmp_path / "whole")
    with pytest.raises(BadInput, match="moiety up"):
        role_of(whole)


def test_a_part_that_lacks_cards_or_addresses_does_not_start(tmp_path: Path) -> None:
    made = {role: installation.begin(tmp_path / role, role, TENANT) for role in Role}
    for role in Role:
        cards = [own(made[one]).card for one in (role, *KNOWS[role])]
        peers = made[role].folder(role) / "peers.json"
        full = Where(("127.0.0.1", 1), dict.fromkeys(ASKS[role], ("127.0.0.1", 2)))
        Peers(cards).save(peers)
        must_be_complete(made[role], role, full)
        for one in ASKS[role]:
            with pytest.raises(BadInput, match=f"--peer {one}="):
                must_be_complete(
                    made[role], role, Where(full.listen, {r: a for r, a in full.peers.items() if r is not one})
                )
        for one in KNOWS[role]:
            Peers([card for card in cards if card.role is not one]).save(peers)
            with pytest.raises(BadInput, match=f"missing: {one}"):
                must_be_complete(made[role], role, full)


# ---- addresses ----


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("vault-b.example.org:7103", ("vault-b.example.org", 7103)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_an_address_is_read(text: str, found: tuple[str, int]) -> None:
    assert address(text) == found


@pytest.mark.parametrize("text", ["", "host", ":80", "host:", "host:http", "host:65536", "host:-1", "host:1e3"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="HOST:PORT"):
        address(text)


def test_addresses_are_kept_and_replaced(tmp_path: Path) -> None:
    made = installation.begin(tmp_path / "gate", Role.GATE, None)
    where = Where.read("127.0.0.1:8080", ["eye=[fe80::1]:7101", "mint=mint.example.org:7104"])
    where.save(made)
    assert Where.load(made) == where
    other = where.but("0.0.0.0:80", ["eye=eye.example.org:1"])
    assert other.listen == ("0.0.0.0", 80)  # noqa: S104 - nothing is bound
    assert other.peers == {Role.EYE: ("eye.example.org", 1), Role.MINT: ("mint.example.org", 7104)}
    assert where.but(None, []) == where
    with pytest.raises(BadInput, match="no part 'king'"):
        addresses(["king=host:1"])
    for damaged in (b"", b"[]", b'{"listen": "x", "peers": {}}', b'{"listen": "x:1", "peers": {"king": "y:1"}}'):
        (made.data / FILE).write_bytes(damaged)
        with pytest.raises(Fault, match=FILE):
            Where.load(made)


# ---- sockets and locks ----


def test_a_folder_is_run_once(tmp_path: Path) -> None:
    with take_lock(tmp_path), pytest.raises(BadInput, match="running already"):
        take_lock(tmp_path)
    take_lock(tmp_path).close()


def test_a_taken_port_is_said() -> None:
    with listen(("127.0.0.1", 0)) as taken, pytest.raises(BadInput, match="taken"):
        listen(taken.getsockname()[:2])


def test_who_waits_at_a_door_that_nobody_serves_is_turned_away() -> None:
    with listen(("127.0.0.1", 0)) as door:
        turn_away(door)
        waiting = [socket.create_connection(door.getsockname()[:2], 5) for _ in range(3)]
        turn_away(door)
        for one in waiting:
            assert one.recv(1) == b""
            one.close()
