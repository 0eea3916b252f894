"""An organisation's provider says who somebody is, and the passkey still signs; whatever is not its word is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from api_in_process import Api, api_over
from moiety.access.provider import Organisation
from staffed import OURS, SIGN_AT, Device, Person, first, invited, join

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ISSUER = "https://id.example.org"
CLIENT, SECRET = "moiety", "a secret of the test"


@dataclass
class HostileProvider:
    """A provider that says what a test wants: of another person, of another sign-in, under another's key."""

    now: Any
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one"}))
    subject: str = "ada@example.org"
    claims: dict[str, Any] = field(default_factory=dict)
    signed_with: Any = None
    algorithm: str = "ES256"
    down: bool = False
    asked: dict[str, list[str]] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down")
        if request.url.path == "/.well-known/openid-configuration":
            ends = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/keys"}
            told = {name: ISSUER + path for name, path in ends.items()} | {"end_session_endpoint": ISSUER + "/leave"}
            return httpx.Response(200, json={"issuer": ISSUER} | told)
        if request.url.path == "/keys":
            return httpx.Response(200, json={"keys": [self.key.as_dict(private=False)]})
        return self._token(request)

    def _token(self, request: httpx.Request) -> httpx.Response:
        """Do as an honest one would: its client by secret, a code once, the verifier against the challenge."""
        sent = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        by = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).decode()
        right = (
            challenge.rstrip("=") == self.asked["code_challenge"][0] and by == f"{CLIENT}:a%20secret%20of%20the%20test"
        )
        if not right or sent["code"] in self.spent or sent["redirect_uri"] != self.asked["redirect_uri"][0]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.spent.add(sent["code"])
        now = int(self.now())
        honest = {"iss": ISSUER, "aud": CLIENT, "sub": self.subject, "nonce": self.asked["nonce"][0]}
        claims = {
            name: value for name, value in (honest | {"iat": now, "exp": now + 60} | self.claims).items() if value
        }
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm == "none":
            parts = [
                base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (header, claims)
            ]
            return httpx.Response(200, json={"id_token": ".".join([*parts, ""])})
        token = jwt.encode(header, claims, self.signed_with or self.key, algorithms=[self.algorithm])
        return httpx.Response(200, json={"id_token": token, "token_type": "Bearer", "access_token": "x"})


@dataclass
class Visits:
    """An installation of an organisation, and a provider that a test turns."""

    api: Api
    provider: HostileProvider

    async def begin(self, device: Device) -> str:
        """Begin at the provider; gives the state."""
        reply = await device.ask("POST", "/v1/session/organisation")
        assert reply.status_code == 200, reply.text
        address = urlsplit(reply.json()["address"])
        assert f"{address.scheme}://{address.netloc}{address.path}" == ISSUER + "/auth"
        self.provider.asked = parse_qs(address.query)
        asked = self.provider.asked
        assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == (
            ["code"],
            ["S256"],
            ["openid"],
        )
        return asked["state"][0]

    async def back(self, device: Device, state: str, **more: str) -> httpx.Response:
        """Come back from the provider, as a navigation."""
        answer = {"state": state, "code": f"code-{len(self.provider.spent)}"} | more
        return await device.http.get("/oidc/back", params=answer)

    async def named(self, device: Device, subject: str) -> None:
        """Let the provider name somebody."""
        self.provider.subject = subject
        reply = await self.back(device, await self.begin(device))
        assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in")


@pytest.fixture
async def made(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Visits]:
    organisation = Organisation(ISSUER, CLIENT, SECRET, needed=getattr(request, "param", True))
    async with api_over(tmp_path, sign_at=SIGN_AT, organisation=organisation) as api:
        provider = HostileProvider(api.site.clock.now)
        identified = api.app.state.gate.staff.identified
        identified._provider._transport = httpx.MockTransport(provider)
        yield Visits(api, provider)


async def first_named(made: Visits, subject: str = "ada@example.org") -> Person:
    """Let the first operator in, whom the provider names."""
    device = Device(made.api)
    await made.named(device, subject)
    async with made.api.owner as owner:
        way = (await owner.post("/v1/operators/first")).json()
    return await join(made.api, way["path"], "Ada Osei", device)


async def test_req_44_an_organisation_names_people_and_their_passkey_still_signs(made: Visits) -> None:
    """Where an organisation names people, its word opens nothing without the passkey, nor the passkey without it."""
    ada = await first_named(made)
    alone = Device(made.api)
    assert (await alone.sign_in(ada.passkey)).status_code == 403
    # Named, and without the passkey: nothing opens, and nobody is made.
    stranger = Device(made.api)
    await made.named(stranger, "mallory@example.org")
    assert (await stranger.ask("GET", "/v1/session")).status_code == 401
    people = (await ada.get("/v1/operators")).json()["operators"]
    assert [one["id"] for one in people] == [ada.id]
    # What it said is used up with one sign-in, and ends after ten minutes.
    again = Device(made.api)
    await made.named(again, "ada@example.org")
    made.api.site.clock.move(601)
    assert (await again.sign_in(ada.passkey)).status_code == 403
    await made.named(again, "ada@example.org")
    assert (await again.sign_in(ada.passkey)).status_code == 201
    assert (await again.sign_in(ada.passkey)).status_code == 403


async def test_another_person_than_the_passkeys_is_refused_and_nothing_is_bound_anew(made: Visits) -> None:
    ada = await first_named(made)
    other = Device(made.api)
    await made.named(other, "mallory@example.org")
    refused = await other.sign_in(ada.passkey)
    assert (refused.status_code, "somebody else" in refused.json()["detail"]) == (403, True)
    # Nor does a colleague get a passkey of theirs under a name that is bound already.
    await made.named(other, "ada@example.org")
    with pytest.raises(AssertionError, match="somebody else"):
        await invited(made.api, ada, "Ben Ali", "officer", device=other)
    acts = [entry.act for entry in made.api.site.house.desk.ledger.entries()]
    assert acts.count("operator-bind") == 1


OTHER_KEY = ECKey.generate_key("P-256", {"kid": "one"})


FORGED: tuple[dict[str, Any], ...] = (
    {"signed_with": OTHER_KEY},
    {"algorithm": "HS256", "signed_with": OctKey.import_key(SECRET)},
    {"algorithm": "none"},
    {"claims": {"nonce": "of another sign-in"}},
    {"claims": {"nonce": None}},
    {"claims": {"aud": "another client"}},
    {"claims": {"aud": [CLIENT, "another"]}},
    {"claims": {"azp": "another client"}},
    {"claims": {"iss": "https://id.example.com"}},
    {"claims": {"exp": 1}},
    {"claims": {"iat": 4_000_000_000}},
    {"claims": {"sub": None}},
    {"claims": {"sub": "x" * 256}},
)


async def test_a_token_that_is_not_its_word_for_this_sign_in_names_nobody(made: Visits) -> None:
    """Forged keys, `none`, HMAC under the client's secret, another nonce, audience, issuer, time or person."""
    ada = await first_named(made)
    for turn in FORGED:
        honest = {name: getattr(made.provider, name) for name in turn}
        for name, value in turn.items():
            setattr(made.provider, name, value)
        device = Device(made.api)
        reply = await made.back(device, await made.begin(device))
        assert (reply.status_code, "signed by it" in reply.json()["detail"]) == (403, True), turn
        assert (await device.sign_in(ada.passkey)).status_code == 403
        for name, value in honest.items():
            setattr(made.provider, name, value)


async def test_a_stolen_state_a_replayed_answer_and_a_spent_code_name_nobody(made: Visits) -> None:
    ada = await first_named(made)
    device, thief = Device(made.api), Device(made.api)
    state = await made.begin(device)
    assert (await made.back(thief, state)).status_code == 401
    assert (await made.back(device, state)).status_code == 401, "a state that somebody else showed is spent"
    state = await made.begin(device)
    assert (await made.back(device, state)).status_code == 303
    assert (await made.back(device, state)).status_code == 401
    late = await made.begin(device)
    made.api.site.clock.move(601)
    assert (await made.back(device, late)).status_code == 401
    spent = next(iter(made.provider.spent))
    assert (await made.back(device, await made.begin(device), code=spent)).status_code == 403
    elsewhere = await made.back(device, await made.begin(device), iss="https://id.example.com")
    assert elsewhere.status_code == 403
    refused = await device.http.get("/oidc/back", params={"state": await made.begin(device), "error": "access_denied"})
    assert refused.status_code == 403
    assert (await device.sign_in(ada.passkey)).status_code == 403


async def test_keys_change_marks_say_nothing_and_a_recovery_frees_the_bond(made: Visits) -> None:
    ada = await first_named(made)
    # A provider that changed its key is believed again, and its old key is not.
    old, made.provider.key = made.provider.key, ECKey.generate_key("P-256", {"kid": "one"})
    device = Device(made.api)
    await made.named(device, "ada@example.org")
    made.provider.signed_with = old
    assert (await made.back(device, await made.begin(device))).status_code == 403
    made.provider.signed_with = None
    # What is kept of the provider's name for her says nothing without the gate's key.
    operators = made.api.app.state.gate.staff.operators
    with made.api.site.store.engine.connect() as db:
        (mark,) = db.exec_driver_sql("SELECT mark FROM operator_subject").one()
    assert bytes(mark) == operators.sealing.subject_mark(ISSUER, "ada@example.org")
    assert bytes(mark) != hashlib.sha256(b"ada@example.org").digest()
    # Two colleagues who let somebody come back let them be named anew, too.
    with made.api.site.store.begin() as tx:
        code = operators.way_for(tx, ada.id)
    await made.named(device, "ada.osei@example.org")
    assert (await join(made.api, f"/join#{code}", device=device)).id == ada.id


async def test_nobody_comes_in_while_a_provider_that_is_needed_is_down(made: Visits) -> None:
    ada = await first_named(made)
    made.provider.down = True
    made.api.site.clock.move(3601)
    device = Device(made.api)
    reply = await device.ask("POST", "/v1/session/organisation")
    assert (reply.status_code, reply.json()["type"]) == (503, "urn:moiety:problem:unavailable")
    assert (await device.sign_in(ada.passkey)).status_code == 403


@pytest.mark.parametrize("made", [False], indirect=True)
async def test_the_passkey_alone_signs_in_where_the_provider_is_optional(made: Visits) -> None:
    ada = await first_named(made)
    made.provider.down = True
    device = Device(made.api)
    assert (await device.sign_in(ada.passkey)).status_code == 201
    made.provider.down = False
    await made.named(device, "mallory@example.org")
    assert (await device.sign_in(ada.passkey)).status_code == 403, "whoever is named is held against it all the same"


async def test_leaving_forgets_and_only_our_own_page_with_a_provider_begins(made: Visits, tmp_path: Path) -> None:
    device = Device(made.api)
    await made.named(device, "ada@example.org")
    left = await device.ask("POST", "/v1/session/organisation/leave")
    assert left.json()["address"].startswith(f"{ISSUER}/leave?client_id={CLIENT}&post_logout_redirect_uri=")
    assert made.api.app.state.gate.staff.identified._known == {}
    foreign = Device(made.api)
    reply = await foreign.ask("POST", "/v1/session/organisation", headers=OURS | {"origin": "https://evil.example"})
    assert reply.status_code == 403
    async with api_over(tmp_path / "none", sign_at=SIGN_AT) as api:
        ada = await first(api)
        assert (await ada.post("/v1/session/organisation")).status_code == 404
