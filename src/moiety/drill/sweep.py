"""Strangers at every port of every part, and parts that were taken over: without credentials, or with wrong ones."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from typing import TYPE_CHECKING, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moiety.drill.drill import Drill, Obtained, Tally
from moiety.foundation.errors import Fault, Forbidden, Refusal
from moiety.wire.frames import Frame, encode
from moiety.wire.kinds import Kind, Role, may

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from moiety.drill.ground import Ground
    from moiety.wire.links import Client

PING = b"".join(encode(Frame(Kind.PING, id=1)))
ROWS = b"".join(encode(Frame(Kind.ROWS, id=2, meta={"gallery": "gal_aaaaaaaaaaaaaaaa"})))
SAID = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", PING, bytes(64))
WAIT_SECONDS = 3.0
# At most a TLS alert (RFC 8446, section 6): seven bytes of type 21.
ALERT_BYTES, ALERT = 7, 21
PARTS = tuple(role for role in Role if role is not Role.GATE)


class Ports(Drill):
    """Every port of every part but the gate's own."""

    name = "sweep-ports"
    tried = (
        "spoke HTTP, bare frames and zeros to every part's port; then TLS without a certificate, with certificates of "
        "his own in the parts' names, and TLS 1.2"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.VAULT_A: "weak_vaults:any_certificate"}

    def attack(self, ground: Ground) -> Obtained:
        """Count the ports that answered more than an alert."""
        ground.arrange()
        addresses = ground.parts.addresses()
        tally = Tally()
        bare = tls = 0
        contexts = list(_strangers(ground.folder))
        for role in PARTS:
            answers = [_plain(addresses[role], said) for said in SAID]
            bare += sum(len(got) > ALERT_BYTES or (len(got) > 0 and got[0] != ALERT) for got in answers)
            tls += sum(bool(_over_tls(addresses[role], context, PING + ROWS)) for context in contexts)
        tally.add(bare, f"{bare} answers without TLS from {len(PARTS)} parts")
        tally.add(tls, f"{tls} answers over TLS to {len(contexts)} strangers each")
        if not self._control_of_the_sweep(ground):
            raise Fault("The sweep of ports does not work: not even the gate's own key is answered.")
        return tally.obtained()

    @staticmethod
    def _control_of_the_sweep(ground: Ground) -> bool:
        """With the gate's own key the same bytes are answered."""
        at = ground.place(Role.GATE)
        context = at.identity.context(at.peers, server=False)
        return all(_over_tls(ground.parts.addresses()[role], context, PING).startswith(b"MOI1") for role in PARTS)


def _answer(sock: socket.socket, said: bytes) -> bytes:
    """Say something and read until the other side hangs up, or says nothing for a while."""
    sock.settimeout(WAIT_SECONDS)
    got = b""
    with contextlib.suppress(OSError):
        sock.sendall(said)
        while part := sock.recv(4096):
            got += part
            sock.settimeout(0.2)
    return got


def _plain(address: tuple[str, int], said: bytes) -> bytes:
    """Speak without TLS."""
    with socket.create_connection(address) as sock:
        return _answer(sock, said)


def _over_tls(address: tuple[str, int], context: ssl.SSLContext, said: bytes) -> bytes:
    """Speak over TLS, if the handshake succeeds."""
    try:
        with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname="x") as sock:
            return _answer(sock, said)
    except OSError:
        return b""


def _blind() -> ssl.SSLContext:
    """Make a client that believes everybody and shows nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _strangers(folder: Path) -> Iterator[ssl.SSLContext]:
    """Make clients that no part knows."""
    yield _blind()
    yield _pretender(folder, "moiety gate")
    yield _pretender(folder, "moiety vault-b")
    old = _pretender(folder, "moiety gate")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    yield old


def _pretender(folder: Path, name: str) -> ssl.SSLContext:
    """Make a client with a fresh certificate that has a part's name on it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = folder / "pretender.pem"
    both.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    context = _blind()
    context.load_cert_chain(both)
    return context


class Strays(Drill):
    """A part other than the gate was taken over, and asks what is not its business."""

    name = "hacked-part"
    tried = (
        "took over each part but the gate, with its keys, and asked every other part every kind of question that its "
        "role may not ask"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.VAULT_A: "weak_vaults:roles_unchecked"}

    def attack(self, ground: Ground) -> Obtained:
        """Ask everybody everything."""
        ground.arrange()
        return asyncio.run(self._ask(ground))

    @staticmethod
    async def _ask(ground: Ground) -> Obtained:
        """Count whatever is said but that it is forbidden."""
        asked = got = 0
        for sender in PARTS:
            at = ground.place(sender)
            for receiver in PARTS:
                line = at.client(receiver)
                kinds = [kind for kind in Kind if not may(sender, kind, receiver)]
                outcomes = await asyncio.gather(*(_said(line, kind) for kind in kinds))
                await line.close()
                asked, got = asked + len(kinds), got + sum(said != Forbidden.slug for said in outcomes)
        return Obtained(got, f"{got} of {asked} questions looked at by {len(PARTS)} parts")


async def _said(line: Client, kind: Kind) -> str:
    """Ask something; gives the code of the refusal, or nothing."""
    try:
        await line.call(kind, {"gallery": "gal_aaaaaaaaaaaaaaaa", "request": "r"}, [b"", b""])
    except Refusal as refusal:
        return refusal.slug
    return ""
