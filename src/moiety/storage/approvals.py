"""Approvals in the database: proposed, signed by another person, carried out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select, update

from moiety.foundation.errors import AlreadyThere, NotFound
from moiety.foundation.ids import ApprovalId
from moiety.storage.access_records import Approval, ApprovalState
from moiety.storage.access_tables import ApprovalRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock


def _record(row: ApprovalRow) -> Approval:
    return Approval(
        id=ApprovalId(row.id),
        kind=row.kind,
        state=ApprovalState(row.state),
        proposer=row.proposer,
        content_sealed=row.content_sealed,
        digest=row.digest,
        created_at=row.created_at,
        expires_at=row.expires_at,
        approver=row.approver,
        signer=row.signer,
        signature=row.signature,
        decided_at=row.decided_at,
    )


_WAITING = (ApprovalState.OPEN.value, ApprovalState.APPROVED.value)


def _with_content(before: float) -> tuple[ColumnElement[bool], ...]:
    """Select those that came to their end before a time, by somebody's word or by lapsing, and have a content yet."""
    waits = ApprovalRow.state.in_(_WAITING)
    ended = or_(and_(waits, ApprovalRow.expires_at < before), and_(~waits, ApprovalRow.decided_at < before))
    return ended, ApprovalRow.content_sealed != b""


class ApprovalTable:
    """The approvals of one transaction."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def add(
        self, approval_id: ApprovalId, kind: str, proposer: str, content_sealed: bytes, digest: bytes, expires_at: float
    ) -> Approval:
        """Add an open one. A crash before the commit leaves none."""
        row = ApprovalRow(
            id=approval_id,
            kind=kind,
            state=ApprovalState.OPEN.value,
            proposer=proposer,
            content_sealed=content_sealed,
            digest=digest,
            created_at=self._clock.now(),
            expires_at=expires_at,
            approver=None,
            signer=None,
            signature=None,
            decided_at=None,
        )
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def _row(self, approval_id: ApprovalId) -> ApprovalRow:
        row = self._session.get(ApprovalRow, approval_id)
        if row is None:
            raise NotFound("There is no such approval.")
        return row

    def get(self, approval_id: ApprovalId) -> Approval:
        """Return one, in any state.

        Raises:
            NotFound: there is no such approval.

        """
        return _record(self._row(approval_id))

    def page(self, *, state: ApprovalState | None = None, limit: int = 100) -> tuple[Approval, ...]:
        """Return up to `limit`, newest first, all or in one state."""
        query = select(ApprovalRow).order_by(ApprovalRow.created_at.desc(), ApprovalRow.id).limit(limit)
        if state is not None:
            query = query.where(ApprovalRow.state == state.value)
        return tuple(_record(row) for row in self._session.scalars(query))

    def current(self, now: float) -> tuple[Approval, ...]:
        """Return all that wait for a second person or for being carried out, and whose time has not passed."""
        query = select(ApprovalRow).where(ApprovalRow.state.in_(_WAITING), ApprovalRow.expires_at > now)
        return tuple(_record(row) for row in self._session.scalars(query))

    def count_open(self, now: float, proposer: str | None = None) -> int:
        """Count those that wait for a second person and whose time has not passed, of everybody or of one proposer."""
        query = select(func.count()).where(ApprovalRow.state == ApprovalState.OPEN.value, ApprovalRow.expires_at > now)
        if proposer is not None:
            query = query.where(ApprovalRow.proposer == proposer)
        return self._session.scalar(query) or 0

    def approve(self, approval_id: ApprovalId, approver: str, signer: bytes, signature: bytes) -> Approval:
        """Note who signed it.

        Raises:
            AlreadyThere: it is not open any more.

        """
        row = self._moved(approval_id, ApprovalState.OPEN, ApprovalState.APPROVED)
        row.approver, row.signer, row.signature = approver, signer, signature
        self._session.flush()
        return _record(row)

    def finish(self, approval_id: ApprovalId) -> Approval:
        """Note, in the same transaction as the act itself, that it is carried out.

        Raises:
            AlreadyThere: it is not approved, or carried out already.

        """
        return _record(self._moved(approval_id, ApprovalState.APPROVED, ApprovalState.DONE))

    def end(self, approval_id: ApprovalId, state: ApprovalState) -> Approval:
        """Refuse or withdraw one that is not carried out.

        Raises:
            AlreadyThere: it is at its end already.

        """
        before = self.get(approval_id).state
        if before is not ApprovalState.APPROVED:
            before = ApprovalState.OPEN
        return _record(self._moved(approval_id, before, state))

    def outlived(self, before: float) -> bool:
        """Whether there is one that came to its end before a time and has a content yet."""
        return self._session.scalar(select(ApprovalRow.id).where(*_with_content(before)).limit(1)) is not None

    def erase_contents(self, before: float) -> int:
        """Erase the content of every one that came to its end before a time; gives how many had one.

        Kind, digest, times and who stood behind it with which signature stay. A crash before the commit leaves all.
        """
        due = list(self._session.scalars(select(ApprovalRow.id).where(*_with_content(before))))
        self._session.execute(update(ApprovalRow).where(ApprovalRow.id.in_(due)).values(content_sealed=b""))
        self._session.flush()
        return len(due)

    def _moved(self, approval_id: ApprovalId, before: ApprovalState, after: ApprovalState) -> ApprovalRow:
        row = self._row(approval_id)
        if row.state != before.value:
            raise AlreadyThere(f"This approval is {row.state}, not {before.value}.")
        row.state = after.value
        row.decided_at = self._clock.now()
        self._session.flush()
        return row
