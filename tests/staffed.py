"""People who work at an installation in one process: each with a passkey and a device, as browsers would be.

ada = await first(api)
ben = await invited(api, ada, "Ben Ali", "officer")
reply = await ben.get("/v1/galleries")
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.access.device_proofs import DOMAIN, from_text, to_text
from moiety.access.papers import Content, Joining, SignIn
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.foundation.envelopes import pack

if TYPE_CHECKING:
    from api_in_process import Api

GATE = "http://localhost"
SIGN_AT = "https://sign.example.org/sign"
OURS = {"x-moiety": "1", "origin": GATE, "sec-fetch-site": "same-origin"}


def registration(key: SoftwareAuthenticator, paper: Joining, **client: Any) -> dict[str, str]:
    """Make a passkey as the witness's page does."""
    told = {"type": "webauthn.create", "challenge": to_text(paper.digest()), "origin": key.origin, "crossOrigin": False}
    data = json.dumps(told | client).encode()
    return {"authenticator_data": to_text(key.register()), "client_data": to_text(data)}


def signature(key: SoftwareAuthenticator, digest: bytes) -> dict[str, str]:
    """Sign a digest as the witness's page does."""
    return {"signer": to_text(key.credential), "value": to_text(key.sign(digest).encode())}


@dataclass
class Device:
    """A browser: a cookie jar and a key; `proves` false is one without the service worker."""

    api: Api
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    session: str = ""
    proves: bool = True

    def __post_init__(self) -> None:
        self.http = self.api.client(base=GATE)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def proof(self, request: httpx.Request, **other: Any) -> str:
        """Sign a request as the service worker does; `other` replaces what is signed and sent."""
        made: dict[str, Any] = {
            "method": request.method,
            "address": request.url.raw_path.decode(),
            "at": int(self.api.site.clock.now() * 1000),
            "nonce": os.urandom(16),
            "body": request.content,
        } | other
        body = hashlib.sha256(made["body"]).digest()
        signed = pack(DOMAIN, self.session, made["method"], made["address"], made["at"], made["nonce"], body)
        texts = [to_text(one) for one in (made["nonce"], body, self.key.sign(signed))]
        return ".".join(["1", str(made["at"]), *texts])

    async def ask(
        self, method: str, path: str, proof: dict[str, Any] | None = None, **arguments: Any
    ) -> httpx.Response:
        """Call as the console's own page."""
        headers = OURS | arguments.pop("headers", {})
        request = self.http.build_request(method, path, headers=headers, **arguments)
        await request.aread()
        if self.proves and self.session:
            request.headers["x-moiety-proof"] = self.proof(request, **(proof or {}))
        return await self.http.send(request)

    async def sign_in(self, passkey: SoftwareAuthenticator) -> httpx.Response:
        """Sign in with a passkey."""
        begun = (await self.ask("POST", "/v1/session/begin", json={"key": to_text(self.public)})).json()
        paper = SignIn.decode(from_text(begun["record"]))
        given = {"record": begun["record"]} | signature(passkey, paper.digest())
        reply = await self.ask("POST", "/v1/session", json=given)
        if reply.status_code == httpx.codes.CREATED:
            self.session = reply.json()["session"]
        return reply


@dataclass
class Person:
    """Somebody with a passkey and a browser."""

    id: str
    passkey: SoftwareAuthenticator
    device: Device

    async def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await self.device.ask(method, path, **arguments)

    async def get(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.ask("GET", path, **arguments)

    async def post(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.ask("POST", path, **arguments)

    async def approve(self, approval: str) -> httpx.Response:
        """Sign what the gate says is to be approved, and hand it in."""
        material = (await self.get(f"/v1/approvals/{approval}/material")).json()
        content = Content.decode(from_text(material["content"]))
        return await self.post(f"/v1/approvals/{approval}/signatures", json=signature(self.passkey, content.digest()))


async def join(api: Api, path: str, name: str = "", device: Device | None = None) -> Person:
    """Open an invitation's link, make a passkey, sign in."""
    device, passkey = device or Device(api), SoftwareAuthenticator(counter=None)
    code = path.partition("#")[2]
    begun = (await device.ask("POST", "/v1/join/begin", json={"code": code})).json()
    paper = Joining.decode(from_text(begun["record"]))
    body = {"code": code, "record": begun["record"], "name": name} | registration(passkey, paper)
    reply = await device.ask("POST", "/v1/join", json=body)
    assert reply.status_code == httpx.codes.CREATED, reply.text
    reply = await device.sign_in(passkey)
    assert reply.status_code == httpx.codes.CREATED, reply.text
    return Person(paper.operator, passkey, device)


async def first(api: Api, name: str = "Ada Osei") -> Person:
    """Let the first operator come in."""
    async with api.owner as owner:
        way = (await owner.post("/v1/operators/first")).json()
    return await join(api, way["path"], name)


async def invited(
    api: Api, by: Person, name: str, *roles: str, second: Person | None = None, device: Device | None = None
) -> Person:
    """Invite somebody; the second person, or the machine's owner where there is none, approves."""
    body = {"name": name, "roles": list(roles), "reason": "a new colleague"}
    made = await by.post("/v1/operators", json=body)
    assert made.status_code == httpx.codes.CREATED, made.text
    approval = made.json()["id"]
    if second:
        reply = await second.approve(approval)
    else:
        async with api.owner as owner:
            reply = await owner.post(f"/v1/approvals/{approval}/confirm")
    assert reply.status_code == httpx.codes.OK, reply.text
    done = await by.post(f"/v1/approvals/{approval}/carry-out")
    assert done.status_code == httpx.codes.OK, done.text
    return await join(api, f"/join#{done.json()['result']['way']}", device=device)
