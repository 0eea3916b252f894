"""Sessions of people, in memory alone: bound to a key of their device, ended by rest, by age, or at a word.

Used by the event loop's thread alone.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moiety.access.device_proofs import SKEW_SECONDS, DeviceProof
from moiety.access.papers import SignIn
from moiety.foundation.errors import BadInput, Forbidden, ProofMissing, RateLimited, Unauthenticated

if TYPE_CHECKING:
    from moiety.foundation.clock import Clock
    from moiety.foundation.ids import OperatorId

NONCE_BYTES: Final = 32
KEY_BYTES: Final = 32
BEGUN_SECONDS: Final = 300
BEGUN_MAX: Final = 4096
SESSIONS_EACH_MAX: Final = 8
PROOFS_MAX: Final = 20_000
FRESH_SECONDS: Final = 600.0
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Span:
    """How long a session lives: at most `absolute_s`, and `idle_s` without a request; both in seconds."""

    absolute_s: float = 8 * HOUR
    idle_s: float = 900.0

    def __post_init__(self) -> None:
        if not 0 < self.idle_s <= self.absolute_s <= 12 * HOUR:
            raise BadInput("A session lives for at most 12 hours, and rests for at most as long as it lives.")


@dataclass(slots=True, repr=False)
class Session:
    """One device of one operator; `ends_at` is seconds since 1970."""

    id: str
    operator_id: OperatorId
    key: bytes
    began_at: float
    ends_at: float
    seen_at: float
    proofs: OrderedDict[bytes, float] = field(default_factory=OrderedDict)


def _mark(secret: str) -> bytes:
    """Keep the hash only: what lies in memory opens nothing."""
    return hashlib.sha256(secret.encode()).digest()


def _late(begun: SignIn, now: float) -> bool:
    return begun.issued + BEGUN_SECONDS <= now


class DeviceSessions:
    """Who is signed in, from which device."""

    def __init__(self, clock: Clock, tenant: str, span: Span | None = None) -> None:
        """Begin with none."""
        self._clock = clock
        self._tenant = tenant
        self.span = span or Span()
        self._begun: OrderedDict[bytes, SignIn] = OrderedDict()
        self._sessions: dict[bytes, Session] = {}

    def begin(self, key: bytes, gate: str) -> SignIn:
        """Write down what a passkey has to sign within five minutes, for a device's raw Ed25519 `key`.

        Raises:
            BadInput: that is no such key.

        """
        if len(key) != KEY_BYTES:
            raise BadInput("A device's key is a raw Ed25519 public key of 32 bytes.")
        now = self._clock.now()
        while self._begun and (len(self._begun) >= BEGUN_MAX or _late(next(iter(self._begun.values())), now)):
            self._begun.popitem(last=False)
        nonce = secrets.token_bytes(NONCE_BYTES)
        made = SignIn(gate, self._tenant, nonce, key, int(now), int(now + self.span.absolute_s))
        self._begun[nonce] = made
        return made

    def spend(self, paper: SignIn) -> None:
        """Use up what `begin` wrote.

        Raises:
            Unauthenticated: it is not word for word what was begun here, is spent, or took longer than five minutes.

        """
        begun = self._begun.pop(paper.nonce, None)
        # A passkey of software signs whatever it is given: a key of its own, and ten years.
        if begun != paper or _late(paper, self._clock.now()):
            raise Unauthenticated("This sign-in is spent or took too long; begin it again.")

    def open(self, operator_id: OperatorId, paper: SignIn) -> tuple[str, Session]:
        """Open a session for what was signed; gives the cookie's secret. The newest eight of an operator are kept."""
        now = self._clock.now()
        self._tidy(now)
        mine = [mark for mark, one in self._sessions.items() if one.operator_id == operator_id]
        for mark in mine[: max(0, len(mine) - SESSIONS_EACH_MAX + 1)]:
            del self._sessions[mark]
        secret = secrets.token_urlsafe(32)
        made = Session(secrets.token_urlsafe(16), operator_id, paper.key, now, paper.expires, now)
        self._sessions[_mark(secret)] = made
        return secret, made

    def _tidy(self, now: float) -> None:
        for mark, one in list(self._sessions.items()):
            if self._over(one, now):
                del self._sessions[mark]

    def _over(self, one: Session, now: float) -> bool:
        return now >= one.ends_at or now - one.seen_at >= self.span.idle_s

    def knows(self, secret: str) -> bool:
        """Whether a cookie's secret is that of a session here."""
        return _mark(secret) in self._sessions

    def check(
        self, secret: str, header: str | None, method: str, address: str, *, resting: bool = False
    ) -> tuple[Session, DeviceProof]:
        """Give the session, if the request proves that it comes from its device.

        `resting`: nobody did anything, a page asked by itself; the session's rest goes on.

        Raises:
            Unauthenticated: there is no such session, or it is over.
            ProofMissing: the cookie came without a good, new proof.

        """
        mark, now = _mark(secret), self._clock.now()
        found = self._sessions.get(mark)
        if found is None or self._over(found, now):
            self._sessions.pop(mark, None)
            raise Unauthenticated("The session has ended; sign in again.")
        proof = DeviceProof.parse(header)
        proof.check(found.key, found.id, method, address)
        self._new(found, proof, now)
        if not resting:
            found.seen_at = now
        return found, proof

    @staticmethod
    def _new(found: Session, proof: DeviceProof, now: float) -> None:
        """Check that a proof is of now, and was not used before."""
        if abs(proof.milliseconds / 1000 - now) > SKEW_SECONDS:
            raise ProofMissing("The proof is of another time.")
        while found.proofs and next(iter(found.proofs.values())) < now - 2 * SKEW_SECONDS:
            found.proofs.popitem(last=False)
        if proof.nonce in found.proofs:
            raise ProofMissing("The proof was used already.")
        if len(found.proofs) >= PROOFS_MAX:
            raise RateLimited("Too many requests; try again in 60 s.", wait_s=60)
        found.proofs[proof.nonce] = now

    def must_be_fresh(self, session: Session) -> None:
        """Check that somebody signed in a moment ago, for what a device left open should not do.

        Raises:
            Forbidden: it is longer than ten minutes ago.

        """
        if self._clock.now() - session.began_at > FRESH_SECONDS:
            raise Forbidden("Sign in again first: this needs a sign-in of the last ten minutes.")

    def of(self, operator_id: OperatorId) -> int:
        """Count an operator's sessions that live."""
        self._tidy(self._clock.now())
        return sum(one.operator_id == operator_id for one in self._sessions.values())

    def end(self, secret: str) -> None:
        """End one."""
        self._sessions.pop(_mark(secret), None)

    def end_all(self, operator_id: OperatorId | None = None, but: Session | None = None) -> int:
        """End all sessions of an operator, or of everybody, from the next request on, `but` one; gives how many."""
        here = self._sessions.items()
        gone = [mark for mark, one in here if operator_id in {None, one.operator_id} and one is not but]
        for mark in gone:
            del self._sessions[mark]
        return len(gone)
