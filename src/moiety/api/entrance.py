"""Who is calling: an API key, an operator's device, the owner by the run token, or the owner in a browser session."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import os
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from moiety.access import OWNER, OWNER_BESIDE_OPERATORS, ApiKeys, Caller
from moiety.access.device_proofs import HEADER
from moiety.api.limits import FOR_FAILURE
from moiety.foundation.errors import Forbidden, KeyExpired, Locked, ProofMissing, RateLimited, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from moiety.access import RateLimiter, Staff
    from moiety.access.sessions import Session
    from moiety.api.sessions import Sessions
    from moiety.foundation.clock import Clock

RUN_TOKEN_CHARS: Final = 43
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
API: Final = "/v1/"
# Sent with what a page asks by itself, again and again: somebody who left the desk is signed out all the same.
RESTING: Final = "x-moiety-resting"
ELSEWHERE: Final = frozenset({"cross-site", "same-site"})
WELCOME_SECONDS: Final = 600.0
REMEMBERED_MAX: Final = 10_000
SESSION_MARK_CHARS: Final = 32
_K = TypeVar("_K", str, bytes)


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """How one may come in: API keys, the owner's run token, and under which host names.

    The run token is 32 random bytes in base64url (`secrets.token_urlsafe(32)`), new at each start; the owner sends it
    as `Authorization: Bearer run_<token>`. `hosts` are names without a port beside those of `LOCAL_HOSTS`; a request
    with any other name in its Host header is refused (DNS rebinding).
    """

    keys: ApiKeys
    run_token: str
    hosts: Iterable[str] = ()

    def __post_init__(self) -> None:
        if len(self.run_token) < RUN_TOKEN_CHARS:
            raise ValueError(f"A run token has at least {RUN_TOKEN_CHARS} characters.")

    def names(self) -> frozenset[str]:
        """Give every host name that is answered to, in lower case."""
        return LOCAL_HOSTS | {host.strip().lower() for host in self.hosts if host.strip()}


class Via(StrEnum):
    """By what a caller was recognised."""

    KEY = "key"
    RUN = "run"
    SESSION = "session"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A recognised caller; an operator comes with the session, and with the hash that the device proved of the body."""

    caller: Caller
    via: Via
    session: Session | None = None
    body_sha256: bytes | None = None

    def check_body(self, body: bytes) -> None:
        """Check that the body is the one that the operator's device signed.

        Raises:
            ProofMissing: it is another.

        """
        if self.body_sha256 is not None and not hmac.compare_digest(self.body_sha256, hashlib.sha256(body).digest()):
            raise ProofMissing("The proof is for another body.")


def address_of(request: Request) -> str:
    """Give the client's address, an IPv6 one by its /64: whoever has one of those has all of them."""
    return _around(request, 32, 64).removesuffix("/32")


def network_of(request: Request) -> str:
    """Give the network about the client's address that one owner often has whole: a /24, or of IPv6 a /48."""
    return _around(request, 24, 48)


def _around(request: Request, ipv4_bits: int, ipv6_bits: int) -> str:
    """Give the network of so many bits about the client's address."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "-"
    if isinstance(address, ipaddress.IPv6Address):
        # A socket for both kinds shows IPv4 addresses so, and all of them would be one network of IPv6.
        address = address.ipv4_mapped or address
    bits = ipv4_bits if isinstance(address, ipaddress.IPv4Address) else ipv6_bits
    return str(ipaddress.ip_network((address, bits), strict=False))


def cookie_name(request: Request) -> str:
    """Name the session's cookie; browsers do not keep the ports of one host apart, so the name does."""
    server = request.scope.get("server")
    return f"moiety_{server[1] if server else 0}"


def organisation_cookie(request: Request) -> str:
    """Name the cookie that ties a provider's answer to the browser that asked for it."""
    return f"{cookie_name(request)}_organisation"


class Strikes:
    """Wrong keys per address: behind the limit an address waits before another key of it is hashed.

    A key that was right within the last ten minutes still passes: others behind the same address (a proxy, a site's
    router) must not lock it out.
    """

    def __init__(self, limiter: RateLimiter, clock: Clock) -> None:
        """Count with `limiter`'s bucket for failures."""
        self._limiter = limiter
        self._clock = clock
        self._key = os.urandom(32)
        self._until: OrderedDict[str, float] = OrderedDict()
        self._welcome: OrderedDict[bytes, float] = OrderedDict()

    def _mark(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(), "sha256")

    def check(self, address: str, token: str) -> None:
        """Do nothing if the address may try.

        Raises:
            RateLimited: it has to wait.

        """
        now = self._clock.monotonic()
        wait = self._until.get(address, now) - now
        if wait > 0 and self._welcome.get(self._mark(token), now) <= now:
            whole = int(wait) + 1
            raise RateLimited(f"Too many wrong keys from this address; try again in {whole} s.", wait_s=whole)

    def wrong(self, address: str) -> None:
        """Count a wrong key.

        Raises:
            RateLimited: that was one too many.

        """
        try:
            self._limiter.spend(address, FOR_FAILURE)
        except RateLimited as error:
            _remember(self._until, address, self._clock.monotonic() + error.wait_s)
            raise

    def right(self, token: str) -> None:
        """Remember a right key for ten minutes."""
        _remember(self._welcome, self._mark(token), self._clock.monotonic() + WELCOME_SECONDS)


def _remember(table: OrderedDict[_K, float], key: _K, until: float) -> None:
    """Keep an entry, and the newest ten thousand only."""
    table[key] = until
    table.move_to_end(key)
    while len(table) > REMEMBERED_MAX:
        table.popitem(last=False)


class Entrance:
    """Recognises callers."""

    def __init__(self, access: Access, sessions: Sessions, strikes: Strikes, staff: Staff) -> None:
        """Ask `access`, `sessions` and `staff`."""
        self._staff = staff
        self._keys = access.keys
        self._run = f"run_{access.run_token}".encode()
        self._sessions = sessions
        self._strikes = strikes
        self._kills = staff.operators.kills()

    async def follow(self) -> int:
        """End all sessions where the kill switch was pressed since the last look, by this process or another.

        Gives how often it was pressed, for `must_stand`.
        """
        kills = await asyncio.to_thread(self._staff.operators.kills)
        if kills > self._kills:
            self._kills = kills
            self._sessions.end_all()
            self._staff.sessions.end_all()
        return self._kills

    def must_stand(self, kills: int) -> None:
        """Let a session begin, unless the kill switch was pressed since `follow` gave this number.

        Raises:
            Unauthenticated: it was, and the sessions of before are ended already.

        """
        if kills != self._kills:
            raise Unauthenticated("The kill switch was pressed meanwhile; begin again.")

    async def admit(self, request: Request) -> Visitor:
        """Say who is calling: by `Authorization`, else `x-api-key`, else the session's cookie.

        Raises:
            Unauthenticated, KeyExpired: by nothing that is valid.
            RateLimited: too many wrong keys came from this address.
            Forbidden: a session's request that changes something does not come from the console itself.

        """
        token = _token(request)
        if token is None:
            return await self.session(request)
        if hmac.compare_digest(token.encode(), self._run):
            return Visitor(self._owner, Via.RUN)
        address = address_of(request)
        self._strikes.check(address, token)
        try:
            caller = await asyncio.to_thread(self._keys.authenticate, token)
        except KeyExpired:
            raise
        except Unauthenticated:
            self._strikes.wrong(address)
            raise
        self._strikes.right(token)
        return Visitor(caller, Via.KEY)

    @property
    def _owner(self) -> Caller:
        """Say what the owner of the folder may: looking for people is for operators, once there are any."""
        return OWNER_BESIDE_OPERATORS if self._staff.operators.anybody else OWNER

    async def session(self, request: Request) -> Visitor:
        """Recognise a browser session: an operator's, which its device proves, or the owner's.

        Raises:
            Unauthenticated: there is none.
            ProofMissing: an operator's cookie came without the proof of its device.
            Forbidden: as for `admit`.

        """
        secret = request.cookies.get(cookie_name(request))
        if not secret:
            raise Unauthenticated
        await self.follow()
        if self._staff.sessions.knows(secret):
            visitor = await self._device(request, secret)
        else:
            self._sessions.check(secret)
            visitor = Visitor(self._owner, Via.SESSION)
        if request.method not in SAFE_METHODS:
            _from_the_console(request)
        elif request.url.path.startswith(API) and request.headers.get("sec-fetch-site") in ELSEWHERE:
            # Another port of this host is the same site to browsers, and gets the cookie; a look would be its reader's.
            raise Forbidden("A session's request must come from the console's own pages.")
        return visitor

    async def _device(self, request: Request, secret: str) -> Visitor:
        """Recognise an operator by the session and the proof of its device; raises as `session`."""
        address = bytes(request.scope.get("raw_path") or request.url.path.encode())
        if request.scope.get("query_string"):
            address += b"?" + request.scope["query_string"]
        header = request.headers.get(HEADER)
        place, resting = address.decode("latin-1"), request.headers.get(RESTING) == "1"
        found, proof = self._staff.sessions.check(secret, header, request.method, place, resting=resting)
        try:
            caller = await asyncio.to_thread(self._staff.operators.caller, found.operator_id)
        except Locked:
            self._staff.sessions.end_all(found.operator_id)
            raise
        caller = replace(caller, session=hashlib.sha256(found.id.encode()).hexdigest()[:SESSION_MARK_CHARS])
        return Visitor(caller, Via.DEVICE, found, proof.body_sha256)

    def leave(self, request: Request) -> None:
        """End the browser session that the request names."""
        secret = request.cookies.get(cookie_name(request), "")
        self._sessions.leave(secret)
        self._staff.sessions.end(secret)


def _token(request: Request) -> str | None:
    """Read the key that was sent, if one was.

    Raises:
        Unauthenticated: the Authorization header is of another kind.

    """
    header = request.headers.get("authorization")
    if header is None:
        return request.headers.get("x-api-key")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("Send the key as `Authorization: Bearer moi_…`.")
    return token.strip()


def _from_the_console(request: Request) -> None:
    """Check that a request which changes something was made by our own page (cross-site request forgery).

    The header cannot be set by a foreign page without a CORS preflight, which nothing here grants; the browser's own
    word (Fetch Metadata, or Origin where it is missing) must agree.

    Raises:
        Forbidden: it was not.

    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # The host alone is compared: behind a proxy that ends TLS the schemes differ.
    ours = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    same = ours if site is None else site == "same-origin" and (ours or origin is None)
    if request.headers.get("x-moiety") != "1" or not same:
        raise Forbidden("A session's request must come from the console's own pages.")
