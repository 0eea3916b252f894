"""API keys: shown once, kept as an argon2id hash, checked against the database at every use."""

from __future__ import annotations

import base64
import hmac
import os
import re
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from moiety.access.callers import OWNER, Caller
from moiety.access.permissions import Scope
from moiety.foundation.errors import BadInput, Forbidden, KeyExpired, Locked, Unauthenticated, Unavailable
from moiety.foundation.ids import KeyId, new_key_id
from moiety.storage import Switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moiety.foundation.clock import Clock
    from moiety.storage import ApiKey, Store, Transaction

SECRET_BYTES = 32
CACHE_SECONDS = 60.0
CACHE_ENTRIES_MAX = 1024
HOUR_S = 3600
KILLED: Final = "The kill switch is pressed: nothing and nobody is let in anew before two people have lifted it."

_TOKEN = re.compile(r"moi_(key_[a-z2-7]{16})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

# A secret of 256 random bits cannot be guessed whatever one guess costs, so the work factor protects nothing here and
# would only let a stranger with bad tokens keep the machine busy. Hence the smallest sensible argon2id (RFC 9106):
# one pass over 8 MiB in one lane. People's passwords, should there ever be any, need far more.
_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1, hash_len=32, salt_len=16)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of a key; times in seconds since 1970 UTC, `last_used_at` to the hour.

    `made_by` is the key or operator that made it, or `owner`; None where that was never written down.
    """

    id: KeyId
    name: str
    scopes: tuple[Scope, ...]
    created_at: float
    expires_at: float
    revoked_at: float | None
    last_used_at: float | None
    made_by: str | None


def _info(key: ApiKey) -> KeyInfo:
    return KeyInfo(
        id=key.id,
        name=key.name,
        scopes=tuple(Scope.parse(text) for text in key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        made_by=key.made_by,
    )


class _Verified:
    """Which tokens passed argon2 a moment ago, by HMAC under a key that lives as long as the process.

    It only says "this token belongs to this hash"; whether the key is still valid is read from the database.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def _mark(self, secret: str, secret_hash: str) -> bytes:
        return hmac.digest(self._key, f"{secret_hash}\n{secret}".encode(), "sha256")

    def has(self, secret: str, secret_hash: str) -> bool:
        mark = self._mark(secret, secret_hash)
        with self._lock:
            return self._known.get(mark, float("-inf")) > self._clock.monotonic()

    def note(self, secret: str, secret_hash: str) -> None:
        mark = self._mark(secret, secret_hash)
        with self._lock:
            self._known[mark] = self._clock.monotonic() + CACHE_SECONDS
            self._known.move_to_end(mark)
            while len(self._known) > CACHE_ENTRIES_MAX:
                self._known.popitem(last=False)


class ApiKeys:
    """The API keys of one gate. Thread-safe."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Keep keys in `store`."""
        self._store = store
        self._clock = clock
        self._verified = _Verified(clock)
        # What an unknown id is checked against, so that it takes as long as a known one.
        self._nobody = _HASHER.hash(os.urandom(SECRET_BYTES))

    def issue(
        self,
        name: str,
        scopes: Iterable[str | Scope],
        expires_at: float,
        made_by: str = OWNER.key_id,
        also: Callable[[Transaction, KeyId], None] | None = None,
    ) -> tuple[KeyId, str]:
        """Make a key; return its id and the token `moi_<id>_<secret>`, which is never shown again.

        `made_by` is the id of the key or operator that makes it: with a key all end that it made. `also` is done in
        the same transaction.

        `name` is a short lower-case label of the device or program (`front-door`), not of a person.
        `expires_at` in seconds since 1970 UTC.

        Raises:
            BadInput: the name, a scope or the expiry is not as it must be.

        """
        # A crash after this commit and before the token is shown leaves a key that nobody holds; it expires.
        with self._store.begin() as tx:
            made = self.issue_within(tx, name, scopes, expires_at, made_by)
            if also:
                also(tx, made[0])
        return made

    def issue_within(
        self, tx: Transaction, name: str, scopes: Iterable[str | Scope], expires_at: float, made_by: str
    ) -> tuple[KeyId, str]:
        """Make a key as `issue` does, as a part of another act's transaction; raises as that."""
        parsed = self.checked(name, scopes, expires_at)
        if tx.emergencies.on(Switch.KILL):
            raise Forbidden(KILLED)
        maker = tx.api_keys.find(KeyId(made_by))
        if maker is not None and maker.revoked_at is not None:
            # It was revoked after this request was let in: what it made is ended already, and this would not be.
            raise Unauthenticated
        key_id = new_key_id()
        secret = base64.urlsafe_b64encode(os.urandom(SECRET_BYTES)).rstrip(b"=").decode()
        kept = sorted(str(scope) for scope in parsed)
        tx.api_keys.add(key_id, name, _HASHER.hash(secret), kept, expires_at, made_by=made_by)
        return key_id, f"moi_{key_id}_{secret}"

    def checked(self, name: str, scopes: Iterable[str | Scope], expires_at: float) -> frozenset[Scope]:
        """Check what a key is asked for; raises as `issue`."""
        if not _NAME.fullmatch(name):
            raise BadInput("A key's name is 1 to 64 lower-case letters, digits, dots, dashes or underscores.")
        # Not `<=` turned round: a NaN must be refused too.
        if not self._clock.now() < expires_at < float("inf"):
            raise BadInput("A key must expire, and in the future.")
        parsed = frozenset(Scope.parse(str(scope)) for scope in scopes)
        if not parsed:
            raise BadInput("A key needs at least one scope.")
        if any(scope.permission.personal for scope in parsed):
            raise BadInput("A program's key cannot carry a scope that only a person may have.")
        return parsed

    def authenticate(self, token: str) -> Caller:
        """Return whose token this is; an unknown id costs the same hashing as a known one.

        Raises:
            Unauthenticated: the token is malformed, unknown, wrong or revoked.
            KeyExpired: it was right and its time is over.
            Locked: an alarm locked it, or the key that made it.

        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise Unauthenticated
        key_id, secret = KeyId(match[1]), match[2]
        with self._store.read() as tx:
            key = tx.api_keys.find(key_id)
            locked = _locked(tx, key)
        if not self._matches(secret, key) or key is None or key.revoked_at is not None:
            raise Unauthenticated
        if key.expires_at <= self._clock.now():
            raise KeyExpired
        if locked:
            raise Locked
        self._touch(key)
        return Caller(key.id, key.name, frozenset(Scope.parse(text) for text in key.scopes))

    def _matches(self, secret: str, key: ApiKey | None) -> bool:
        """Compare with the key's hash, or with the hash of nobody if there is no such key."""
        secret_hash = self._nobody if key is None else key.secret_hash
        if self._verified.has(secret, secret_hash):
            return True
        try:
            _HASHER.verify(secret_hash, secret)
        except (VerificationError, InvalidHashError):
            return False
        self._verified.note(secret, secret_hash)
        return True

    def _touch(self, key: ApiKey) -> None:
        """Note the hour of use, once an hour."""
        hour = self._clock.now() // HOUR_S
        if key.last_used_at is not None and key.last_used_at // HOUR_S == hour:
            return
        # A full disk must not lock out the one who comes to free it, so the note may be lost; so it may in a crash.
        with suppress(Unavailable), self._store.begin() as tx:
            tx.api_keys.touch(key.id)

    def revoke(self, key_id: KeyId, also: Callable[[Transaction, KeyId], None] | None = None) -> tuple[KeyInfo, ...]:
        """Stop a key for good, from the next request on, and with it every key that it made, that those made, ….

        Gives the key, then those that ended with it. `also` is done for each, in the same transaction.

        Raises:
            NotFound: there is no such key.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves all in force; whoever stops them is told nothing and tries again.
            stopped = tx.api_keys.revoke(key_id)
            if also:
                for one in stopped:
                    also(tx, one.id)
        return tuple(_info(one) for one in stopped)

    def list(self) -> tuple[KeyInfo, ...]:
        """Return all keys, oldest first, without their hashes."""
        with self._store.read() as tx:
            return tuple(_info(key) for key in tx.api_keys.list())


def _locked(tx: Transaction, key: ApiKey | None) -> bool:
    """Whether an alarm locked a key or one that it descends from: else a key would outlive its lock by its child."""
    while key is not None:
        if tx.alerts.locked(key.id):
            return True
        key = tx.api_keys.find(KeyId(key.made_by)) if key.made_by else None
    return False
