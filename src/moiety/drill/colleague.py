"""Somebody who works at the installation of a drill: a passkey and a device in software, over the gate's own HTTP."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.access.device_proofs import DOMAIN, HEADER, from_text, to_text
from moiety.access.papers import Joining, SignIn
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.foundation.envelopes import pack
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.drill.ground import Ground

CALL_SECONDS = 60.0
TABLES = ("passkey", "way_in", "approval", "operator", "alert", "account_lock", "spent", "emergency")


@dataclass
class Browser:
    """A browser on one device; its key signs every request once there is a session."""

    url: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    session: str = ""

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=CALL_SECONDS)

    def proof(self, request: httpx.Request) -> str:
        """Sign a request, as the service worker does."""
        at, nonce, body = int(time.time() * 1000), os.urandom(16), hashlib.sha256(request.content).digest()
        address = request.url.raw_path.decode()
        signature = self.key.sign(pack(DOMAIN, self.session, request.method, address, at, nonce, body))
        return ".".join(["1", str(at), *(to_text(one) for one in (nonce, body, signature))])

    def built(self, method: str, path: str, **arguments: Any) -> httpx.Request:
        """Make a request of the console's own page, signed where there is a session."""
        headers = {"x-moiety": "1", "origin": self.url, "sec-fetch-site": "same-origin"}
        request = self.http.build_request(method, path, headers=headers, **arguments)
        request.read()
        if self.session:
            request.headers[HEADER] = self.proof(request)
        return request

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send one."""
        return self.http.send(self.built(method, path, **arguments))

    def begin(self) -> tuple[str, bytes]:
        """Begin a sign-in; gives the record, and the digest that a passkey is to sign."""
        told = {"key": to_text(self.key.public_key().public_bytes_raw())}
        record = str(self.ask("POST", "/v1/session/begin", json=told).json()["record"])
        return record, SignIn.decode(from_text(record)).digest()

    def sign_in(self, passkey: SoftwareAuthenticator) -> httpx.Response:
        """Sign in."""
        record, digest = self.begin()
        given = {"signer": to_text(passkey.credential), "value": to_text(passkey.sign(digest).encode())}
        reply = self.ask("POST", "/v1/session", json={"record": record, **given})
        if reply.is_success:
            self.session = str(reply.json()["session"])
        return reply


@contextmanager
def administrator(
    ground: Ground, name: str = "a drill's administrator"
) -> Iterator[tuple[Browser, SoftwareAuthenticator]]:
    """Let a first operator in; afterwards nobody works here any more, so that other drills find the owner alone.

    Raises:
        Fault: the operator cannot come in, so that nothing would be proved.

    """
    with ground.owner() as line:
        way = line.ask("POST", "operators/first")
    browser = Browser(ground.url)
    try:
        yield browser, joined(ground, browser, way["path"], name)
    finally:
        browser.http.close()
        _nobody(ground)


def joined(ground: Ground, browser: Browser, path: str, name: str = "") -> SoftwareAuthenticator:
    """Come in by a link: make a passkey and sign in.

    Raises:
        Fault: that is refused.

    """
    with ground.owner() as line:
        page = urlsplit(line.ask("GET", "ready")["sign_at"])
    passkey = SoftwareAuthenticator(origin=f"{page.scheme}://{page.netloc}", rp_id=page.hostname or "", counter=None)
    code = path.partition("#")[2]
    record = browser.ask("POST", "/v1/join/begin", json={"code": code}).json()["record"]
    challenge = to_text(Joining.decode(from_text(record)).digest())
    client = {"type": "webauthn.create", "challenge": challenge, "origin": passkey.origin, "crossOrigin": False}
    made = {
        "code": code,
        "record": record,
        "name": name,
        "authenticator_data": to_text(passkey.register()),
        "client_data": to_text(json.dumps(client).encode()),
    }
    if not browser.ask("POST", "/v1/join", json=made).is_success or not browser.sign_in(passkey).is_success:
        raise Fault("Somebody of the drill's cannot sign in; nothing would be proved.")
    return passkey


def invited(
    ground: Ground, by: Browser, *roles: str, name: str = "a drill's colleague", reason: str = "a drill"
) -> str:
    """Invite somebody whom the only operator proposes, so that the owner of the machine is the second person.

    Gives the secret of the link.
    """
    asked = {"name": name, "roles": list(roles), "reason": reason}
    approval = by.ask("POST", "/v1/operators", json=asked).json()["id"]
    with ground.owner() as line:
        line.ask("POST", f"approvals/{approval}/confirm")
    return str(by.ask("POST", f"/v1/approvals/{approval}/carry-out").json()["result"]["way"])


@contextmanager
def hired(ground: Ground, by: Browser, *roles: str) -> Iterator[Browser]:
    """Let somebody come in whom the only operator invites."""
    way = invited(ground, by, *roles)
    browser = Browser(ground.url)
    try:
        joined(ground, browser, f"/join#{way}")
        yield browser
    finally:
        browser.http.close()


def _nobody(ground: Ground) -> None:
    """Take everybody who works here out of the gate's database; there is no way to do that in the product."""
    ground.arrange(gate_runs=False)
    with sqlite3.connect(ground.made.folder(Role.GATE) / "gate.sqlite") as db:
        for table in TABLES:
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand above
    db.close()
