"""The ledger's entries in the database: added and read, never changed or removed (triggers see to it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from moiety.foundation.errors import NotFound
from moiety.foundation.ids import GalleryId, SubjectId
from moiety.storage.records import LedgerEntry
from moiety.storage.tables import LedgerRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def _record(row: LedgerRow) -> LedgerEntry:
    return LedgerEntry(
        seq=row.seq,
        at_us=row.at_us,
        kind=row.kind,
        act=row.act,
        actor=row.actor,
        purpose=row.purpose,
        gallery_id=None if row.gallery_id is None else GalleryId(row.gallery_id),
        subject_id=None if row.subject_id is None else SubjectId(row.subject_id),
        reason_sealed=row.reason_sealed,
        detail=row.detail,
        prev_hash=row.prev_hash,
        hash=row.hash,
    )


class LedgerTable:
    """The ledger's entries of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def add(self, entry: LedgerEntry) -> None:
        """Write one entry, in the transaction of the act that it tells of.

        A crash before the commit leaves neither the act nor the entry; after it, both.
        """
        self._session.add(
            LedgerRow(
                seq=entry.seq,
                at_us=entry.at_us,
                kind=entry.kind,
                act=entry.act,
                actor=entry.actor,
                purpose=entry.purpose,
                gallery_id=entry.gallery_id,
                subject_id=entry.subject_id,
                reason_sealed=entry.reason_sealed,
                detail=entry.detail,
                prev_hash=entry.prev_hash,
                hash=entry.hash,
            )
        )
        self._session.flush()

    def last(self) -> LedgerEntry | None:
        """Return the newest entry, or None if there is none yet."""
        row = self._session.scalar(select(LedgerRow).order_by(LedgerRow.seq.desc()).limit(1))
        return None if row is None else _record(row)

    def get(self, seq: int) -> LedgerEntry:
        """Return one entry.

        Raises:
            NotFound: there is no entry with this number.

        """
        row = self._session.get(LedgerRow, seq)
        if row is None:
            raise NotFound("The ledger has no entry with this number.")
        return _record(row)

    def page(self, *, after: int | None = None, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return up to `limit` entries whose number is above `after`, oldest first."""
        query = select(LedgerRow).order_by(LedgerRow.seq).limit(limit)
        if after is not None:
            query = query.where(LedgerRow.seq > after)
        return tuple(_record(row) for row in self._session.scalars(query))
