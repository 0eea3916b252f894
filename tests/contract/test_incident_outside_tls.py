"""The look from outside at real TLS servers: a good one, and each way in which one can be bad."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moiety.foundation.errors import PartDown
from moiety.incidents.outside import Outside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moiety.incidents.findings import Finding

V = ssl.TLSVersion
GUARDED = [("GET", "/v1/galleries")]
GOOD = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000",
}
WELL_KNOWN = "/.well-known/security.txt"


@dataclass
class Authority:
    """A certificate authority of the test's own."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the test")])
        made = self._builder(self.name, self.key, 30).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)  # noqa: FBT003 - critical
        self.file = self.folder / "ca.pem"
        self.file.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        self.trust = ssl.create_default_context(cafile=str(self.file))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
        end = datetime.now(UTC) + timedelta(days=days)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        begin = min(end, datetime.now(UTC)) - timedelta(days=1)
        return made.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)

    def server(
        self, name: str = "localhost", days: float = 90, versions: tuple[V, V] = (V.TLSv1_2, V.TLSv1_3)
    ) -> ssl.SSLContext:
        """Make a server's side, with a certificate for a name."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), x509.IPAddress(ip_address("192.0.2.1"))]
        made = self._builder(x509.Name([]), key, days).add_extension(x509.SubjectAlternativeName(names), True)  # noqa: FBT003 - critical
        pem = serialization.Encoding.PEM
        raw = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = self.folder / "server.pem"
        file.write_bytes(raw + made.sign(self.key, hashes.SHA256()).public_bytes(pem))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = versions
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def serving(context: ssl.SSLContext | None, security: datetime | None) -> Iterator[int]:
    """Serve a good site, by TLS where there is a context; `security` is when its security.txt ends."""

    class Site(BaseHTTPRequestHandler):
        server_version, sys_version, protocol_version = "site", "", "HTTP/1.1"

        def do_GET(self) -> None:
            text = f"Contact: mailto:holes@example.org\nExpires: {security.isoformat()}\n" if security else ""
            there = {"/": "hello"} | ({WELL_KNOWN: text} if text else {})
            ours = self.headers["host"].startswith("localhost:")
            found = there.get(self.path, "") if ours else ""
            # What it keeps for those who sign in, it asks for a key.
            self.send_response(200 if found else 401 if self.path.startswith("/v1/") else 404)
            for name, value in (GOOD | {"content-length": str(len(found))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def finish_request(self, request: object, client_address: object) -> None:
            assert isinstance(request, socket.socket)
            try:
                # In the request's own thread: whoever is refused holds nobody up.
                tls = context.wrap_socket(request, server_side=True) if context else request
                super().finish_request(tls, client_address)
            except OSError:
                return  # refused, or gone

    server = Server(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


NEXT_YEAR = datetime.now(UTC) + timedelta(days=365)


def look(
    authority: Authority, context: ssl.SSLContext | None, security: datetime | None = NEXT_YEAR
) -> tuple[list[Finding], list[str]]:
    """Give all findings, and what is said of the holes."""
    with serving(context, security) as port:
        found = Outside(f"https://localhost:{port}", authority.trust).look(GUARDED, ())
    return found, [f"{one.what}: {one.said}" for one in found if one.hole]


def test_a_good_server_has_no_hole_and_its_certificates_end_is_told(authority: Authority) -> None:
    found, holes = look(authority, authority.server())
    assert holes == []
    said = [one.said for one in found if one.what == "tls"]
    assert said == ["TLSv1.3; the certificate holds for 89 more days.", "TLS before 1.2 is refused."]


def test_each_certificate_that_does_not_hold_is_named_and_all_else_is_looked_at(authority: Authority) -> None:
    for context, why in (
        (authority.server(days=-1), "The certificate has ended."),
        (authority.server(name="gate.example.org"), "The certificate is for another name."),
        (authority.server(days=5), "TLSv1.3; the certificate holds for 4 more days."),
    ):
        found, holes = look(authority, context)
        assert holes == [f"tls: {why}"]
        assert {"headers", "routes", "security.txt"} < {one.what for one in found}
    with serving(authority.server(), NEXT_YEAR) as port:
        strange = Outside(f"https://localhost:{port}").look(GUARDED, ())
    assert [one.said for one in strange if one.hole] == ["The certificate is signed by nobody whom this machine knows."]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_of_tls_are_found_beside_new_ones_and_alone(authority: Authority) -> None:
    _, beside = look(authority, authority.server(versions=(V.TLSv1, V.TLSv1_3)))
    assert beside == ["tls: TLS before 1.2 is taken."]
    for version in (V.TLSv1, V.TLSv1_1):
        found, alone = look(authority, authority.server(versions=(version, version)))
        assert len(found) == 2
        assert alone == ["tls: Only TLS before 1.2 is spoken, which browsers refuse; nothing else was looked at."]


def test_plain_http_where_tls_should_be_and_nobody_at_all(authority: Authority) -> None:
    _, holes = look(authority, None)
    assert holes == ["tls: No TLS is spoken there: everybody on the way can read, and nothing else was looked at."]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(PartDown):
        Outside(f"https://localhost:{port}", authority.trust).look(GUARDED, ())


def test_a_security_txt_that_is_missing_or_ended_is_a_hole(authority: Authority) -> None:
    for security in (None, datetime.now(UTC) - timedelta(days=1)):
        _, holes = look(authority, authority.server(), security)
        assert holes == ["security.txt: security.txt is missing, empty or too old."]
