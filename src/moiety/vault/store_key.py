"""B's store key: what is sealed under it dies with it, in every page, log and worn flash cell.

Rotation seals everything anew under a new key and destroys the old one; it runs at least daily.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.foundation.envelopes import seal, unseal

if TYPE_CHECKING:
    from moiety.foundation.clock import Clock
    from moiety.foundation.envelopes import KeyRing
    from moiety.vault.journal import Journal

DAY_SECONDS = 86_400


class StoreKey:
    """The key in use, and its rotation."""

    def __init__(self, journal: Journal, keys: KeyRing, clock: Clock) -> None:
        """Find the key in use, or make the first; destroy any other, which a crash in a rotation may have left."""
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
        for other in (self._number - 1, self._number + 1):
            keys.forget(self._name(other))

    @staticmethod
    def _name(number: int) -> str:
        return f"store-{number}.key"

    def current(self) -> bytes:
        """Give the 32-byte key; whoever reads sealed records with it holds the journal alone for both."""
        with self._journal.alone():
            return self._key

    def seal(self, plaintext: bytes, bound: bytes) -> bytes:
        """Seal under the key in use."""
        return seal(self.current(), plaintext, bound)

    def unseal(self, sealed: bytes, bound: bytes) -> bytes:
        """Open what `seal` made and every rotation since has sealed anew."""
        return unseal(self.current(), sealed, bound)

    def due(self) -> bool:
        """Say whether the key is a day old."""
        return self._clock.now() - self._made_at >= DAY_SECONDS

    def rotate(self) -> None:
        """Seal everything under a new key and destroy the old one."""
        # One lock for journal and key: what is sealed or read meanwhile waits, and meets the right key.
        with self._journal.alone():
            new_key = self._keys.secret(self._name(self._number + 1))
            made_at = self._seal_anew(new_key)
            # Only after the commit: if the disk is full, the old key stays in use.
            old, self._number, self._key, self._made_at = self._number, self._number + 1, new_key, made_at
        self._journal.scour()
        self._keys.forget(self._name(old))

    def _seal_anew(self, new_key: bytes) -> float:
        """Seal everything under the next key, durably; returns the time."""
        with self._journal.transaction() as db:
            # A crash before the commit leaves the old key in use and the new file to be destroyed at the next start;
            # a crash after it leaves the old file to be destroyed then.
            for table, name, column in (("row", "row_id", "seed"), ("person", "handle", "key")):
                everything = db.execute(f"SELECT {name}, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()  # noqa: S608 - three fixed words
                anew = [(seal(new_key, unseal(self._key, sealed, at), at), at) for at, sealed in everything]
                db.executemany(f"UPDATE {table} SET {column} = ? WHERE {name} = ?", anew)  # noqa: S608 - as above
            made_at = self._clock.now()
            db.execute("UPDATE store_key SET number = ?, made_at = ?", (self._number + 1, made_at))
        return made_at
