"""Strangers at every port: the parts' own links and the gate's HTTP, without credentials or with wrong ones."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness import OTHERS
from moiety.foundation.errors import Refusal
from moiety.wire.frames import Frame, encode
from moiety.wire.identity import Identity
from moiety.wire.kinds import Kind, Role, may
from moiety.wire.links import Client

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Site

pytestmark = pytest.mark.slow

PING = b"".join(encode(Frame(Kind.PING, id=1)))
ROWS = b"".join(encode(Frame(Kind.ROWS, id=2, meta={"gallery": "gal_aaaaaaaaaaaaaaaa"})))


def _answer(sock: socket.socket, said: bytes) -> bytes:
    """Say something and read until the other side hangs up; silence until then is an empty answer."""
    sock.settimeout(10)
    got = b""
    try:
        sock.sendall(said)
        while part := sock.recv(4096):
            got += part
    except (OSError, ssl.SSLError):
        pass
    return got


@pytest.mark.parametrize("role", OTHERS)
@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", PING, b"\x00" * 64], ids=["http", "frame", "zeros"]
)
def test_a_part_tells_nothing_without_tls(site: Site, role: Role, said: bytes) -> None:
    with socket.create_connection(site.parts.address(role)) as sock:
        got = _answer(sock, said)
    # At most a TLS alert (RFC 8446, section 6): seven bytes of type 21.
    assert len(got) <= 7
    assert not got or got[0] == 21


def _stranger(folder: Path, name: str) -> ssl.SSLContext:
    """Make a fresh self-signed certificate, with a part's own name on it."""
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
    (folder / "both.pem").write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    context = _blind()
    context.load_cert_chain(folder / "both.pem")
    return context


def _blind() -> ssl.SSLContext:
    """Make a client that believes everybody and shows nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _over_tls(site: Site, role: Role, context: ssl.SSLContext, said: bytes) -> bytes:
    with socket.create_connection(site.parts.address(role)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="x") as sock:
                return _answer(sock, said)
        except (OSError, ssl.SSLError):
            return b""


@pytest.mark.parametrize("role", OTHERS)
def test_a_part_answers_no_stranger(site: Site, tmp_path: Path, role: Role) -> None:
    for context in (_blind(), _stranger(tmp_path, "moiety gate"), _stranger(tmp_path, f"moiety {role}")):
        for said in (PING, ROWS):
            assert _over_tls(site, role, context, said) == b""
    old = _blind()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert _over_tls(site, role, old, PING) == b""


def test_the_same_port_answers_the_gate(site: Site) -> None:
    """The control: with the gate's own key the same bytes are answered."""
    context = site.place(Role.GATE).identity.context(site.made.peers(Role.GATE), server=False)
    with (
        socket.create_connection(site.parts.address(Role.VAULT_A)) as plain,
        context.wrap_socket(plain) as sock,
    ):
        sock.sendall(PING)
        assert sock.recv(4) == b"MOI1"


async def test_no_part_answers_another_for_what_is_not_its_business(site: Site) -> None:
    """Each part's own key opens only the questions that its role may ask."""
    for sender in OTHERS:
        for receiver in OTHERS:
            line = site.place(sender).client(receiver)
            for kind in [one for one in Kind if not may(sender, one, receiver)]:
                assert await _refused(line, kind) == "forbidden", (sender, receiver, kind)
            await line.close()


async def _refused(line: Client, kind: Kind) -> str:
    try:
        await line.call(kind, {"gallery": "gal_aaaaaaaaaaaaaaaa", "request": "r"}, [b"", b""])
    except Refusal as refusal:
        return refusal.slug
    return "answered"


async def test_a_client_does_not_talk_to_an_impostor(site: Site) -> None:
    """A part that answers at another's address is not taken for it, although its certificate is known."""
    at = site.place(Role.GATE)
    wrong = Client(at.identity, at.peers, Role.VAULT_A, *site.parts.address(Role.VAULT_B))
    assert await _refused(wrong, Kind.PING) == "part-down"
    identity = Identity(Role.GATE, site.made.ring(Role.GATE), at.clock)
    assert identity.card().fingerprint == site.made.peers(Role.EYE)[Role.GATE].fingerprint


# ---- the gate's own port ----


def _routes(description: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, methods in description["paths"].items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    ]


OPEN = {("GET", "/v1/health"), ("GET", "/v1/ready")}


def test_every_route_asks_for_credentials(site: Site) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as anyone:
        routes = _routes(anyone.get("/v1/openapi.json").json())
        assert len(routes) > 15
        for method, path in routes:
            filled = path.replace("{gallery}", "any").replace("{subject}", "sub_x").replace("{photo}", "pho_x")
            reply = anyone.request(method, filled.replace("{key}", "key_x"))
            if (method, path) in OPEN:
                assert reply.status_code == 200
            else:
                assert reply.status_code == 401, (method, path)
                assert reply.headers["content-type"] == "application/problem+json"
                assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer run_" + "A" * 43},
        {"authorization": "Bearer moi_key_aaaaaaaaaaaaaaaa_" + "A" * 43},
        {"authorization": "Basic b3duZXI6"},
        {"x-api-key": "run_"},
        {"cookie": "moiety_0=AAAA"},
    ],
    ids=["token", "key", "basic", "empty", "cookie"],
)
def test_wrong_credentials_open_nothing(site: Site, headers: dict[str, str]) -> None:
    with httpx.Client(base_url=site.url, headers=headers, trust_env=False) as anyone:
        assert anyone.get("/v1/galleries").status_code == 401
        assert anyone.get("/v1/ledger").status_code == 401


def test_another_host_name_is_not_answered(site: Site) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as anyone:
        reply = anyone.get("/v1/health", headers={"host": "evil.example"})
    assert reply.status_code == 421
