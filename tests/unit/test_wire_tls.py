"""Links over real TLS on loopback: who gets in. Peers are known by their cards alone."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.clock import HandClock, SystemClock
from moiety.foundation.envelopes import KeyRing
from moiety.foundation.errors import Fault, PartDown
from moiety.wire.frames import Frame, encode, read_frame
from moiety.wire.identity import Identity, Peers
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer
from parts_in_process import Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY = 86_400


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with Town(tmp_path) as made:
        yield made


async def echo(frame: Frame) -> Answer:
    return Answer(frame.meta)


async def _refused(town: Town, context: ssl.SSLContext) -> bool:
    """Say whether the server cuts a link with this context before it answers a ping."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", town.port, ssl=context)
    except (ssl.SSLError, ConnectionError):
        return True
    try:
        writer.writelines(encode(Frame(Kind.PING, id=7)))
        await asyncio.wait_for(read_frame(reader), 5)
    except (asyncio.IncompleteReadError, ssl.SSLError, ConnectionError):
        return True
    finally:
        writer.close()
    return False


async def test_a_known_certificate_over_tls_1_3_is_let_in(town: Town) -> None:
    await town.serve({})
    assert not await _refused(town, town.identities[Role.GATE].context(town.peers, server=False))


async def test_tls_1_2_is_refused(town: Town) -> None:
    await town.serve({})
    context = town.identities[Role.GATE].context(town.peers, server=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await _refused(town, context)


async def test_nobody_gets_in_without_a_certificate(town: Town) -> None:
    await town.serve({})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert await _refused(town, context)


async def test_a_certificate_on_no_card_is_refused_on_both_sides(town: Town) -> None:
    await town.serve({Kind.SEARCH: echo})
    stranger = town.identity(Role.GATE, "stranger")
    assert await _refused(town, stranger.context(town.peers, server=False))
    with pytest.raises(PartDown):
        await town.client_of(stranger).call(Kind.SEARCH, {})
    cards = [stranger.card() if role is Role.VAULT_A else town.peers[role] for role in Role]
    with pytest.raises(PartDown):
        await town.client(peers=Peers(cards)).call(Kind.SEARCH, {})


async def test_a_new_certificate_of_a_known_key_waits_for_its_card(town: Town) -> None:
    await town.serve({})
    renewed = town.identity(Role.GATE)
    renewed.keys.path("link.crt").unlink()
    anew = Identity(Role.GATE, renewed.keys, SystemClock())
    assert anew.card().certificate != town.peers[Role.GATE].certificate
    assert await _refused(town, anew.context(town.peers, server=False))


async def test_an_expired_certificate_is_refused(town: Town) -> None:
    old = town.identity(Role.GATE, "old", days_ago=500)
    town.peers = Peers([*(town.peers[role] for role in Role if role is not Role.GATE), old.card()])
    await town.serve({})
    assert await _refused(town, old.context(town.peers, server=False))


async def test_a_server_whose_certificate_has_expired_is_not_believed(town: Town) -> None:
    old = town.identity(Role.VAULT_A, "old", days_ago=500)
    town.identities[Role.VAULT_A] = old
    town.peers = Peers(identity.card() for identity in town.identities.values())
    await town.serve({})
    with pytest.raises(PartDown):
        await town.client().call(Kind.PING, {})


def test_a_certificate_is_renewed_before_it_ends_under_the_same_keys(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    clock = HandClock()
    first = Identity(Role.EYE, ring, clock).card()
    clock.move(360 * DAY)
    assert Identity(Role.EYE, ring, clock).card() == first
    clock.move(10 * DAY)
    second = Identity(Role.EYE, ring, clock).card()
    assert second.certificate != first.certificate
    assert (second.signing, second.sealing) == (first.signing, first.sealing)
    assert second.fingerprint != first.fingerprint


async def test_another_part_at_the_address_is_not_asked(town: Town) -> None:
    asked = []

    async def note(frame: Frame) -> Answer:
        asked.append(frame)
        return Answer({})

    await town.serve({Kind.SEARCH: note}, role=Role.VAULT_B)
    with pytest.raises(PartDown, match="Something else"):
        await town.client(to=Role.VAULT_A).call(Kind.SEARCH, {})
    assert not asked


def test_cards_are_kept_in_a_file_and_a_damaged_file_stops_the_process(tmp_path: Path) -> None:
    cards = [Identity(role, KeyRing(tmp_path / role), SystemClock()).card() for role in (Role.EYE, Role.MINT)]
    Peers(cards).save(tmp_path / "peers.json")
    known = Peers.load(tmp_path / "peers.json")
    assert list(known) == cards
    with pytest.raises(Fault, match="introduced"):
        known[Role.GATE]
    for damaged in (b"", b"[1]", b'[{"role": "king"}]', b'{"a": 1}'):
        (tmp_path / "peers.json").write_bytes(damaged)
        with pytest.raises(Fault):
            Peers.load(tmp_path / "peers.json")
    with pytest.raises(Fault):
        Peers.load(tmp_path / "nothing.json")
