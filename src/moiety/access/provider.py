"""An organisation's OpenID Connect provider, asked for one thing: which of its people sits at this browser.

OpenID Connect Core 1.0 (authorization code flow) with PKCE (RFC 7636), Discovery 1.0, and the issuer's name in the
answer (RFC 9207). Tokens are checked by joserfc; of them only the subject is used and nothing is kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from moiety.foundation.errors import BadInput, Forbidden, Unavailable

if TYPE_CHECKING:
    from moiety.foundation.clock import Clock

# Signatures with a private key alone: with HS256 whoever knows the client's secret could write tokens.
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
ANSWER_BYTES_MAX: Final = 256 * 1024
SUBJECT_CHARS_MAX: Final = 255
LEEWAY_SECONDS: Final = 60
FOUND_SECONDS: Final = 3600.0
WAIT_SECONDS: Final = 10.0
HOME: Final = frozenset({"localhost", "127.0.0.1", "::1"})
DOWN: Final = "Your organisation's sign-in does not answer as it should now; try again later."
FORGED: Final = "What your organisation's sign-in answered is not for this sign-in, or was not signed by it."


def _plain(address: str) -> str:
    """Return an address of the provider.

    Raises:
        BadInput: it is not https, and not on this machine.

    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in HOME):
        raise BadInput("A provider's address begins with https://, or it is on this machine.")
    return address


@dataclass(frozen=True, slots=True, repr=False)
class Organisation:
    """Whose provider it is: its issuer, our name and secret there, and whether nobody comes in without it."""

    issuer: str
    client_id: str
    secret: str
    needed: bool = True

    def __post_init__(self) -> None:
        _plain(self.issuer)
        if not self.client_id or not self.secret:
            raise BadInput("A provider's client needs an id and a secret.")


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One sign-in that was begun: where the answer comes to, and what ties the answer to it."""

    back: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What a browser brought back."""

    code: str
    issuer: str | None


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    """What the provider says of itself (Discovery 1.0, section 3), until `until`."""

    until: float
    authorize: str
    token: str
    keys: str
    leave: str | None
    in_header: bool
    names_itself: bool


class Provider:
    """Talks with one provider; safe for many sign-ins at once on one event loop."""

    def __init__(
        self, organisation: Organisation, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Ask nothing yet; `transport` is how bytes get there, by default over the network, past no proxy."""
        self._of = organisation
        self._clock = clock
        self._transport = transport
        self._found: _Found | None = None
        self._keys: KeySet | None = None

    async def _ask(self, method: str, address: str, **sent: Any) -> dict[str, Any]:
        """Fetch a JSON object.

        Raises:
            Forbidden: the provider refuses what was posted, such as a spent code (RFC 6749, section 5.2).
            Unavailable: no such object came.

        """
        options: dict[str, Any] = {"trust_env": False, "timeout": WAIT_SECONDS, "transport": self._transport}
        held = bytearray()
        try:
            async with httpx.AsyncClient(**options) as client, client.stream(method, address, **sent) as reply:
                async for piece in reply.aiter_bytes():
                    held += piece
                    if len(held) > ANSWER_BYTES_MAX:
                        raise Unavailable(DOWN)
            if method == "POST" and reply.status_code in {400, 401}:
                raise Forbidden(FORGED)
            answer = json.loads(held) if reply.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise Unavailable(DOWN) from None
        if not isinstance(answer, dict):
            raise Unavailable(DOWN)
        return answer

    async def _discover(self) -> _Found:
        """Learn where the provider is asked, at most once an hour.

        Raises:
            Unavailable: it does not answer, is another issuer, or knows no PKCE.

        """
        if self._found and self._clock.monotonic() < self._found.until:
            return self._found
        told = await self._ask("GET", self._of.issuer.rstrip("/") + "/.well-known/openid-configuration")
        try:
            if told["issuer"] != self._of.issuer or "S256" not in told.get(
                "code_challenge_methods_supported", ["S256"]
            ):
                raise Unavailable(DOWN)
            leave = told.get("end_session_endpoint")
            self._found = _Found(
                until=self._clock.monotonic() + FOUND_SECONDS,
                authorize=_plain(told["authorization_endpoint"]),
                token=_plain(told["token_endpoint"]),
                keys=_plain(told["jwks_uri"]),
                leave=None if leave is None else _plain(leave),
                in_header="client_secret_basic"
                in told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]),
                names_itself=told.get("authorization_response_iss_parameter_supported") is True,
            )
        except (KeyError, TypeError, AttributeError, ValueError, BadInput):
            raise Unavailable(DOWN) from None
        return self._found

    async def address_for(self, asked: Request) -> str:
        """Give the address at which a person says to the provider who they are; raises as `_discover`."""
        found = await self._discover()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._of.client_id,
            "redirect_uri": asked.back,
            "scope": "openid",
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with(found.authorize, query)

    async def leaving(self, back: str) -> str | None:
        """Give the address at which a person signs out there (RP-Initiated Logout 1.0); None where there is none."""
        found = await self._discover()
        query = {"client_id": self._of.client_id, "post_logout_redirect_uri": back}
        return None if found.leave is None else _with(found.leave, query)

    async def subject(self, asked: Request, answer: Answer) -> str:
        """Spend the code and say who it is: the provider's own name for that person.

        Raises:
            Forbidden: the answer is not for this sign-in, or not the provider's.
            Unavailable: the provider does not answer.

        """
        found = await self._discover()
        if answer.issuer != self._of.issuer and (answer.issuer is not None or found.names_itself):
            raise Forbidden(FORGED)
        sent = {
            "grant_type": "authorization_code",
            "code": answer.code,
            "redirect_uri": asked.back,
            "code_verifier": asked.verifier,
        }
        secret = (quote(self._of.client_id, safe=""), quote(self._of.secret, safe=""))
        if found.in_header:
            told = await self._ask("POST", found.token, data=sent, auth=secret)
        else:
            ours = {"client_id": self._of.client_id, "client_secret": self._of.secret}
            told = await self._ask("POST", found.token, data=sent | ours)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise Forbidden(FORGED)
        return await self._checked(found, token, asked.nonce)

    async def _checked(self, found: _Found, token: str, nonce: str) -> str:
        """Check an ID token (Core 1.0, section 3.1.3.7) and give its subject.

        Raises:
            Forbidden: it is not for us, not for this sign-in, too old, or not signed by the provider.

        """
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock.now()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._of.issuer},
            aud={"essential": True, "value": self._of.client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = (await self._decoded(found, token)).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError):
            raise Forbidden(FORGED) from None
        audience, subject = claims["aud"], str(claims["sub"])
        lone = isinstance(audience, str) or len(audience) == 1
        if claims.get("azp", self._of.client_id if lone else None) != self._of.client_id:
            raise Forbidden(FORGED)
        if not 0 < len(subject) <= SUBJECT_CHARS_MAX:
            raise Forbidden(FORGED)
        return subject

    async def _decoded(self, found: _Found, token: str) -> jwt.Token:
        """Check the signature; a key that is not known yet is fetched once: providers change their keys."""
        if self._keys is not None:
            try:
                return jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                self._keys = None
        self._keys = KeySet.import_key_set(await self._ask("GET", found.keys))  # type: ignore[arg-type] # checked there
        return jwt.decode(token, self._keys, algorithms=ALGORITHMS)


def _with(address: str, query: dict[str, str]) -> str:
    """Add a query to an address that may have one."""
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"
