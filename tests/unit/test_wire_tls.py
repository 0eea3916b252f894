"""Links over real TLS on loopback: who gets in. Peers are known by their cards alone."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from moiety.foundation.clock import HandClock, SystemClock
from moiety.foundation.envelopes import KeyRing
from moiety.foundation.errors import Fault, PartDown
from moiety.wire.cards import Peers
from moiety.wire.frames import Frame, encode, read_frame
from moiety.wire.identity import Identity
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer
from town_in_process import Town

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
    with pytest.raises(PartDown, match="it does not know our card"):
        await town.client_of(stranger).call(Kind.SEARCH, {})
    cards = [stranger.card() if role is Role.VAULT_A else town.peers[role] for role in Role]
    with pytest.raises(PartDown, match="not of the key on its card"):
        await town.client(peers=Peers(cards)).call(Kind.SEARCH, {})


async def test_a_new_certificate_of_a_known_key_needs_no_new_card(town: Town) -> None:
    await town.serve({})
    before = town.identities[Role.GATE].certificate()
    town.identities[Role.GATE].keys.path("link.pem").unlink()
    anew = town.identity(Role.GATE)
    assert anew.card() == town.peers[Role.GATE]
    assert anew.certificate() != before
    assert not await _refused(town, anew.context(town.peers, server=False))


async def test_a_certificate_that_another_known_part_signed_is_that_parts_own(town: Town) -> None:
    """Who holds the eye's link key is the eye, whatever name his certificate bears."""
    await town.serve({Kind.SEARCH: echo})
    eye, gate = town.identities[Role.EYE], town.identities[Role.GATE]
    signed = x509.load_pem_x509_certificate(eye.keys.path("link.pem").read_bytes())
    assert town.peers.role_of(signed.public_bytes(serialization.Encoding.DER)) is Role.EYE
    forged = _leaf(eye._link, signed.public_key(), issuer=gate.card().anchor.subject)
    assert town.peers.role_of(forged.public_bytes(serialization.Encoding.DER)) is None
    key = eye.keys.path("link.pem").read_bytes().split(b"-----END CERTIFICATE-----\n")[1]
    eye.keys.path("link.pem").write_bytes(forged.public_bytes(serialization.Encoding.PEM) + key)
    assert await _refused(town, eye.context(town.peers, server=False))


async def test_a_shown_key_signs_no_other(town: Town) -> None:
    """The key that TLS uses is no authority: a thief of it has it until it ends, and makes no second one."""
    await town.serve({})
    gate = town.identities[Role.GATE]
    pem = gate.keys.path("link.pem").read_bytes()
    shown, stolen = x509.load_pem_x509_certificate(pem), serialization.load_pem_private_key(pem, None)
    assert isinstance(stolen, Ed25519PrivateKey)
    mine = Ed25519PrivateKey.generate()
    second = _leaf(stolen, mine.public_key(), issuer=shown.subject)
    parts = second.public_bytes(serialization.Encoding.PEM), shown.public_bytes(serialization.Encoding.PEM)
    raw = mine.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    gate.keys.path("link.pem").write_bytes(b"".join(parts) + raw)
    assert await _refused(town, gate.context(town.peers, server=False))


def _leaf(signer: Ed25519PrivateKey, key: Any, issuer: x509.Name) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "moiety gate")]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(signer, None)
    )


async def test_a_running_part_renews_its_certificate_for_the_links_to_come(town: Town) -> None:
    clock = HandClock(time.time() - 380 * DAY)
    identity = town.identities[Role.VAULT_A] = Identity(Role.VAULT_A, KeyRing(town.folder / "renews"), clock)
    town.peers = Peers(one.card() for one in town.identities.values())
    await town.serve({})
    await town.client().call(Kind.PING, {})
    before = identity.certificate()
    clock.move(380 * DAY)
    assert identity.renew()
    assert not identity.renew()
    assert identity.certificate() != before
    reader, writer = await town.raw()
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert x509.load_der_x509_certificate(shown) == identity.certificate()
    writer.close()
    del reader


async def test_an_expired_certificate_is_refused(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    old = town.identity(Role.GATE, "old", days_ago=500)
    town.peers = Peers([*(town.peers[role] for role in Role if role is not Role.GATE), old.card()])
    await town.serve({})
    assert await _refused(town, old.context(town.peers, server=False))
    assert "its certificate has ended" in caplog.text
    with pytest.raises(PartDown, match="our certificate has ended in its eyes"):
        await town.client_of(old).call(Kind.PING, {})


async def test_a_server_whose_certificate_has_expired_is_not_believed(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    old = town.identity(Role.VAULT_A, "old", days_ago=500)
    town.identities[Role.VAULT_A] = old
    town.peers = Peers(identity.card() for identity in town.identities.values())
    await town.serve({})
    with pytest.raises(PartDown, match="No link to vault-a: its certificate has ended"):
        await town.client().call(Kind.PING, {})
    for _ in range(100):
        if "our certificate has ended in its eyes" in caplog.text:
            break
        await asyncio.sleep(0.01)
    assert "our certificate has ended in its eyes" in caplog.text, "the other end's log says it too"


async def test_a_certificate_of_tomorrow_is_refused(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    early = town.identity(Role.GATE, "early", days_ago=-3)
    town.peers = Peers([*(town.peers[role] for role in Role if role is not Role.GATE), early.card()])
    await town.serve({})
    with pytest.raises(PartDown, match="a clock is wrong"):
        await town.client_of(early).call(Kind.PING, {})
    assert "not valid yet" in caplog.text


def test_a_certificate_is_renewed_before_it_ends_and_the_card_stays(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    clock = HandClock()
    first = Identity(Role.EYE, ring, clock)
    card, shown = first.card(), first.certificate()
    clock.move(360 * DAY)
    assert Identity(Role.EYE, ring, clock).certificate() == shown
    clock.move(10 * DAY)
    second = Identity(Role.EYE, ring, clock)
    assert second.certificate() not in {shown, None}
    assert second.card() == card
    assert second.card().fingerprint == card.fingerprint


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
