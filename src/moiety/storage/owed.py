"""Consents, legal holds, receipts of erasures, and recipients who have to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from moiety.foundation.errors import NotFound
from moiety.storage.person_records import Consent, FollowUp, Hold, HoldState, KeptReceipt, as_columns, of_row
from moiety.storage.person_tables import ConsentRow, FollowUpRow, HoldRow, ReceiptRow
from moiety.storage.tables import LedgerRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from moiety.foundation.ids import GalleryId, SubjectId

HELD = (HoldState.ACTIVE.value,)
# Whom a hold keeps from erasure.
HELD_SUBJECTS = select(HoldRow.subject_id).where(HoldRow.state.in_(HELD))


class ConsentTable:
    """The consents of one transaction; they go with their subject."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, consent: Consent) -> None:
        """Write a consent; a crash before the commit leaves none, or the old one."""
        self._session.merge(ConsentRow(**as_columns(consent)))
        self._session.flush()

    def of_subject(self, subject_id: SubjectId) -> tuple[Consent, ...]:
        """Return a subject's consents, oldest first."""
        query = select(ConsentRow).where(ConsentRow.subject_id == subject_id)
        rows = self._session.scalars(query.order_by(ConsentRow.given_at, ConsentRow.id))
        return tuple(of_row(Consent, row) for row in rows)


class HoldTable:
    """The legal holds of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, hold: Hold) -> None:
        """Write a hold; a crash before the commit leaves it as it was."""
        self._session.merge(HoldRow(**as_columns(hold)))
        self._session.flush()

    def get(self, gallery_id: GalleryId, hold_id: str) -> Hold:
        """Return one hold.

        Raises:
            NotFound: the gallery has no such hold.

        """
        row = self._session.get(HoldRow, hold_id)
        if row is None or row.gallery_id != gallery_id:
            raise NotFound("There is no such hold in this gallery.")
        return of_row(Hold, row)

    def active(self, subject_id: SubjectId) -> bool:
        """Say whether a hold keeps a subject from erasure."""
        query = select(HoldRow.id).where(HoldRow.subject_id == subject_id, HoldRow.state.in_(HELD)).limit(1)
        return self._session.scalar(query) is not None

    def list(self, gallery_id: GalleryId, subject_id: SubjectId | None = None) -> tuple[Hold, ...]:
        """Return the holds of a gallery or of one subject, by the day of their review."""
        query = select(HoldRow).where(HoldRow.gallery_id == gallery_id)
        if subject_id is not None:
            query = query.where(HoldRow.subject_id == subject_id)
        return tuple(of_row(Hold, row) for row in self._session.scalars(query.order_by(HoldRow.review_at, HoldRow.id)))

    def standing(self, gallery_ids: Collection[GalleryId], *, limit: int = 1000) -> tuple[Hold, ...]:
        """Return the holds of some galleries that are proposed, active or about to end, by the day of their review."""
        query = select(HoldRow).where(HoldRow.gallery_id.in_(gallery_ids))
        query = query.where(HoldRow.state != HoldState.RELEASED.value).order_by(HoldRow.review_at, HoldRow.id)
        return tuple(of_row(Hold, row) for row in self._session.scalars(query.limit(limit)))


class ReceiptTable:
    """The receipts of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, receipt: KeptReceipt) -> None:
        """Keep a receipt, in the transaction of the erasure that it tells of."""
        self._session.merge(ReceiptRow(**as_columns(receipt)))
        self._session.flush()

    def of_subject(self, gallery_id: GalleryId, subject_id: SubjectId) -> tuple[KeptReceipt, ...]:
        """Return the receipts of one subject of a gallery, of whom nothing else may be left; in no order."""
        query = select(ReceiptRow).where(ReceiptRow.subject_id == subject_id, ReceiptRow.gallery_id == gallery_id)
        return tuple(of_row(KeptReceipt, row) for row in self._session.scalars(query))


class FollowUpTable:
    """The follow-ups of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, one: FollowUp) -> None:
        """Write one; a crash before the commit leaves it as it was."""
        self._session.merge(FollowUpRow(**as_columns(one)))
        self._session.flush()

    def get(self, gallery_id: GalleryId, follow_up: str) -> FollowUp:
        """Return one.

        Raises:
            NotFound: the gallery has no such follow-up.

        """
        row = self._session.get(FollowUpRow, follow_up)
        if row is None or row.gallery_id != gallery_id:
            raise NotFound("There is no such follow-up in this gallery.")
        return of_row(FollowUp, row)

    def open(self, gallery_id: GalleryId, *, limit: int = 1000) -> tuple[FollowUp, ...]:
        """Return up to `limit` of a gallery that nobody has done, oldest first."""
        query = (
            select(FollowUpRow)
            .where(FollowUpRow.gallery_id == gallery_id, FollowUpRow.done_at.is_(None))
            .order_by(FollowUpRow.created_at, FollowUpRow.id)
            .limit(limit)
        )
        return tuple(of_row(FollowUp, row) for row in self._session.scalars(query))

    def of_recipient(self, recipient: str, *, limit: int = 1000) -> tuple[FollowUp, ...]:
        """Return up to `limit` of one recipient, in all galleries, that nobody has done, oldest first."""
        query = select(FollowUpRow).where(FollowUpRow.recipient == recipient, FollowUpRow.done_at.is_(None))
        query = query.order_by(FollowUpRow.created_at, FollowUpRow.id).limit(limit)
        return tuple(of_row(FollowUp, row) for row in self._session.scalars(query))

    def told(self, gallery_id: GalleryId, subject_id: SubjectId) -> tuple[tuple[int, str, str, str, int, str], ...]:
        """Return what the ledger has about a subject: (seq, kind, act, actor, time in microseconds, detail)."""
        query = (
            select(LedgerRow.seq, LedgerRow.kind, LedgerRow.act, LedgerRow.actor, LedgerRow.at_us, LedgerRow.detail)
            .where(LedgerRow.subject_id == subject_id, LedgerRow.gallery_id == gallery_id)
            .order_by(LedgerRow.seq)
        )
        return tuple(
            (seq, kind, act, actor, at, detail) for seq, kind, act, actor, at, detail in self._session.execute(query)
        )
