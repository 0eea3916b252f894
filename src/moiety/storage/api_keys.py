"""API keys in the database: hashes, scopes and times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from moiety.foundation.errors import AlreadyThere, NotFound
from moiety.foundation.ids import KeyId
from moiety.storage.records import ApiKey
from moiety.storage.tables import ApiKeyRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock

HOUR_S = 3600


def _record(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=KeyId(row.id),
        name=row.name,
        secret_hash=row.secret_hash,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        made_by=row.made_by,
    )


class ApiKeyTable:
    """The API keys of one transaction."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def add(
        self,
        key_id: KeyId,
        name: str,
        secret_hash: str,
        scopes: Sequence[str],
        expires_at: float,
        *,
        made_by: str | None = None,
    ) -> ApiKey:
        """Add a key by the hash of its secret. A crash before the commit leaves no key, and the token opens nothing.

        Raises:
            AlreadyThere: the id is taken.

        """
        if self._session.get(ApiKeyRow, key_id) is not None:
            raise AlreadyThere("There is a key with this id already.")
        row = ApiKeyRow(
            id=key_id,
            name=name,
            secret_hash=secret_hash,
            scopes=tuple(scopes),
            created_at=self._clock.now(),
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
            made_by=made_by,
        )
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def find(self, key_id: KeyId) -> ApiKey | None:
        """Return one key, revoked and expired ones too, or None."""
        row = self._session.get(ApiKeyRow, key_id)
        return None if row is None else _record(row)

    def list(self) -> tuple[ApiKey, ...]:
        """Return all keys, oldest first."""
        query = select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id)
        return tuple(_record(row) for row in self._session.scalars(query))

    def _row(self, key_id: KeyId) -> ApiKeyRow:
        row = self._session.get(ApiKeyRow, key_id)
        if row is None:
            raise NotFound("There is no such key.")
        return row

    def revoke(self, key_id: KeyId) -> tuple[ApiKey, ...]:
        """Stop a key for good, and all that it made, that those made, and so on; the first revocation's time stays.

        Gives the key, then those that descend from it and were not revoked before. A crash before the commit leaves
        all of them valid.

        Raises:
            NotFound: there is no such key.

        """
        first = self._row(key_id)
        line = select(ApiKeyRow.id).where(ApiKeyRow.id == key_id).cte("line", recursive=True)
        line = line.union(select(ApiKeyRow.id).join(line, ApiKeyRow.made_by == line.c.id))
        behind = (
            select(ApiKeyRow)
            .where(ApiKeyRow.id.in_(select(line.c.id)), ApiKeyRow.id != key_id, ApiKeyRow.revoked_at.is_(None))
            .order_by(ApiKeyRow.created_at, ApiKeyRow.id)
        )
        ended = [first, *self._session.scalars(behind)]
        for row in ended:
            if row.revoked_at is None:
                row.revoked_at = self._clock.now()
        self._session.flush()
        return tuple(_record(row) for row in ended)

    def touch(self, key_id: KeyId) -> None:
        """Note the hour of use. A crash before the commit loses the note, which the next use writes again.

        Raises:
            NotFound: there is no such key.

        """
        self._row(key_id).last_used_at = self._clock.now() // HOUR_S * HOUR_S
        self._session.flush()
