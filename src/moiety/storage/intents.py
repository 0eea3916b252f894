"""The two-phase journal in the database: ids and states only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from moiety.foundation.errors import NotFound
from moiety.foundation.ids import ROW_ID_BYTES, GalleryId, RowId, SubjectId
from moiety.storage.records import Intent, IntentKind, IntentState
from moiety.storage.tables import IntentRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock


def _record(row: IntentRow) -> Intent:
    raw = row.row_ids
    return Intent(
        id=row.id,
        kind=IntentKind(row.kind),
        gallery_id=GalleryId(row.gallery_id),
        subject_id=None if row.subject_id is None else SubjectId(row.subject_id),
        row_ids=tuple(RowId(raw[at : at + ROW_ID_BYTES]) for at in range(0, len(raw), ROW_ID_BYTES)),
        state=IntentState(row.state),
        created_at=row.created_at,
    )


class IntentTable:
    """The journal of one transaction."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def open(
        self,
        kind: IntentKind,
        gallery_id: GalleryId,
        *,
        subject_id: SubjectId | None = None,
        row_ids: Sequence[RowId] = (),
        state: IntentState = IntentState.PREPARING,
    ) -> Intent:
        """Write down what is about to begin, before any other part hears of it."""
        row = IntentRow(
            kind=kind.value,
            gallery_id=gallery_id,
            subject_id=subject_id,
            row_ids=b"".join(row_ids),
            state=state.value,
            created_at=self._clock.now(),
        )
        # A crash after the commit leaves this line; `pending` returns it at the next start, and its owner undoes
        # (preparing) or finishes (committing, erasing) what it began.
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def _row(self, intent_id: int) -> IntentRow:
        row = self._session.get(IntentRow, intent_id)
        if row is None:
            raise NotFound("There is no such intent; it was closed already.")
        return row

    def advance(self, intent_id: int, state: IntentState) -> Intent:
        """Move an intent on. A crash before the commit leaves the old state, whose step is safe to repeat.

        Raises:
            NotFound: it is closed.

        """
        row = self._row(intent_id)
        row.state = state.value
        self._session.flush()
        return _record(row)

    def close(self, intent_id: int) -> None:
        """Remove a finished intent. A crash before the commit leaves it, and the next start finds nothing left to do.

        Raises:
            NotFound: it is closed.

        """
        self._session.delete(self._row(intent_id))
        self._session.flush()

    def pending(self) -> tuple[Intent, ...]:
        """Return all open intents, oldest first."""
        return tuple(_record(row) for row in self._session.scalars(select(IntentRow).order_by(IntentRow.id)))
