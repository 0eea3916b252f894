"""B's store key, under which personal keys are sealed: what is erased dies with it, in every page, log and flash cell.

A rotation makes a new key and seals everything anew, some thousand at a time, while the vault works; then it destroys
the old one. It runs at least daily. Seeds have keys of their own, by generation (`seeds`), which are turned as often.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from moiety.foundation.envelopes import seal, unseal
from moiety.foundation.errors import Unverified

if TYPE_CHECKING:
    import sqlite3

    from moiety.foundation.clock import Clock
    from moiety.foundation.envelopes import KeyRing
    from moiety.vault.journal import Journal

_log = logging.getLogger(__name__)

# What is destroyed must be unreadable within a day: the key turns an hour earlier.
TURN_SECONDS = 82_800
SEALED_ANEW_AT_ONCE = 2000


class StoreKey:
    """The key in use, and its rotation."""

    def __init__(self, journal: Journal, keys: KeyRing, clock: Clock) -> None:
        """Find the key in use, or make the first; one that a rotation had not yet destroyed is still needed."""
        self._journal = journal
        self._keys = keys
        self._clock = clock
        found = journal.read("SELECT number, made_at FROM store_key")
        if not found:
            with journal.transaction() as db:
                # A crash leaves no number or number 1; its key file is made when first asked for.
                db.execute("INSERT INTO store_key VALUES (1, ?)", (clock.now(),))
            found = [(1, clock.now())]
        self._number: int = found[0][0]
        self._made_at: float = found[0][1]
        self._key = keys.secret(self._name(self._number))
        last = self._name(self._number - 1)
        self._last: bytes | None = keys.secret(last) if last in keys.names() else None
        keys.forget(self._name(self._number + 1))

    @staticmethod
    def _name(number: int) -> str:
        return f"store-{number}.key"

    def current(self) -> bytes:
        """Give the 32-byte key; whoever seals with it holds the journal alone for both."""
        with self._journal.alone():
            return self._key

    def seal(self, plaintext: bytes, bound: bytes) -> bytes:
        """Seal under the key in use."""
        return seal(self.current(), plaintext, bound)

    def unseal(self, sealed: bytes, bound: bytes) -> bytes:
        """Open what `seal` made and every rotation since has sealed anew.

        Raises:
            Unverified: it was altered, or meant for something else.

        """
        with self._journal.alone():
            try:
                return unseal(self._key, sealed, bound)
            except Unverified:
                if self._last is None:
                    raise
                return unseal(self._last, sealed, bound)

    def due(self) -> bool:
        """Say whether the key is a day old, or a rotation was not finished."""
        return self._last is not None or self._clock.now() - self._made_at >= TURN_SECONDS

    def rotate(self) -> None:
        """Seal everything under a new key and destroy the old one; what a crash has interrupted goes on here."""
        if self._last is None:
            self._begin()
        at: bytes | None = b""
        while at is not None:
            at = self._seal_anew(at)
        self._journal.scour()
        with self._journal.alone():
            self._last = None
        self._keys.forget(self._name(self._number - 1))

    def _begin(self) -> None:
        """Let a new key be the one in use."""
        with self._journal.alone():
            new_key, now = self._keys.secret(self._name(self._number + 1)), self._clock.now()
            with self._journal.transaction() as db:
                # A crash before the commit leaves the old key in use and the new file to be destroyed at the next
                # start; after it both are needed, until `rotate` has run to its end.
                db.execute("UPDATE store_key SET number = ?, made_at = ?", (self._number + 1, now))
            # Only after the commit: if the disk is full, the old key stays in use.
            self._last, self._key, self._number, self._made_at = self._key, new_key, self._number + 1, now

    def _seal_anew(self, after: bytes) -> bytes | None:
        """Seal the next personal keys under the key in use; returns how far it came, None at the end."""
        with self._journal.transaction() as db:
            query = "SELECT handle, key FROM person WHERE handle > ? ORDER BY handle LIMIT ?"
            some: list[tuple[bytes, bytes]] = db.execute(query, (after, SEALED_ANEW_AT_ONCE)).fetchall()
            # A crash between two of these leaves some under each key; both open until the end.
            self._write(db, some)
        return some[-1][0] if some else None

    def _write(self, db: sqlite3.Connection, some: list[tuple[bytes, bytes]]) -> None:
        anew = []
        for handle, sealed in some:
            try:
                anew.append((seal(self._key, self.unseal(sealed, handle), handle), handle))
            except Unverified:
                _log.error("vault-b: the personal key %(handle)s was damaged or altered", {"handle": handle.hex()})
        db.executemany("UPDATE person SET key = ? WHERE handle = ?", anew)
