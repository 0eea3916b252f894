"""Operators, their passkeys and their ways in, in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, exists, func, or_, select, update

from moiety.foundation.errors import AlreadyThere, NotFound
from moiety.foundation.ids import OperatorId
from moiety.storage.access_records import Operator, OperatorPasskey, OperatorState
from moiety.storage.access_tables import OperatorRow, OperatorSubjectRow, PasskeyRow, WayInRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock


def _record(row: OperatorRow) -> Operator:
    return Operator(
        id=OperatorId(row.id),
        state=OperatorState(row.state),
        name_sealed=row.name_sealed,
        roles=row.roles,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _passkey(row: PasskeyRow) -> OperatorPasskey:
    return OperatorPasskey(row.credential, OperatorId(row.operator_id), row.public_key, row.counter, row.created_at)


def _named(before: float, now: float) -> tuple[ColumnElement[bool], ...]:
    """Select those who have a name, and were stopped before a time or never came and have no way in any more."""
    way = exists().where(WayInRow.operator_id == OperatorRow.id, WayInRow.expires_at > now)
    lapsed = and_(OperatorRow.state == OperatorState.INVITED.value, ~way)
    return or_(OperatorRow.disabled_at < before, lapsed), OperatorRow.name_sealed.is_not(None)


class OperatorTable:
    """The operators of one transaction."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def add(self, operator_id: OperatorId, roles: Sequence[str], name_sealed: bytes | None) -> Operator:
        """Add an `invited` operator, who can do nothing before there is a passkey."""
        row = OperatorRow(
            id=operator_id,
            state=OperatorState.INVITED.value,
            name_sealed=name_sealed,
            roles=tuple(roles),
            created_at=self._clock.now(),
            disabled_at=None,
        )
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def _row(self, operator_id: OperatorId) -> OperatorRow:
        row = self._session.get(OperatorRow, operator_id)
        if row is None:
            raise NotFound("There is no such operator.")
        return row

    def get(self, operator_id: OperatorId) -> Operator:
        """Return one, in any state.

        Raises:
            NotFound: there is no such operator.

        """
        return _record(self._row(operator_id))

    def list(self) -> tuple[Operator, ...]:
        """Return all, oldest first, in any state."""
        query = select(OperatorRow).order_by(OperatorRow.created_at, OperatorRow.id)
        return tuple(_record(row) for row in self._session.scalars(query))

    def count_active(self) -> int:
        """Count those who can sign in."""
        query = select(func.count()).where(OperatorRow.state == OperatorState.ACTIVE.value)
        return self._session.scalar(query) or 0

    def any_joined(self) -> bool:
        """Whether anybody can sign in, or could before."""
        query = select(OperatorRow.id).where(OperatorRow.state != OperatorState.INVITED.value).limit(1)
        return self._session.scalar(query) is not None

    def set_roles(self, operator_id: OperatorId, roles: Sequence[str]) -> None:
        """Give other roles in the place of those before; raises as `get`."""
        self._row(operator_id).roles = tuple(roles)
        self._session.flush()

    def set_name(self, operator_id: OperatorId, name_sealed: bytes) -> None:
        """Write the sealed name; raises as `get`."""
        self._row(operator_id).name_sealed = name_sealed
        self._session.flush()

    def disable(self, operator_id: OperatorId) -> None:
        """Stop one for good: passkeys and ways in go with the same commit. Raises as `get`."""
        row = self._row(operator_id)
        row.state = OperatorState.DISABLED.value
        row.disabled_at = self._clock.now()
        self.drop_passkeys(operator_id)
        self.drop_subject(operator_id)
        self._session.execute(delete(WayInRow).where(WayInRow.operator_id == operator_id))
        self._session.flush()

    def outlived(self, before: float) -> bool:
        """Whether somebody who was stopped before a time, or let their invitation lapse, has a name yet."""
        named = _named(before, self._clock.now())
        return self._session.scalar(select(OperatorRow.id).where(*named).limit(1)) is not None

    def erase_names(self, before: float) -> int:
        """Erase the name of everybody who was stopped before a time, or let their invitation lapse.

        Gives how many had one. Id, roles and times stay. A crash before the commit leaves all names.
        """
        due = list(self._session.scalars(select(OperatorRow.id).where(*_named(before, self._clock.now()))))
        self._session.execute(update(OperatorRow).where(OperatorRow.id.in_(due)).values(name_sealed=None))
        self._session.flush()
        return len(due)

    # ---- ways in ----

    def add_way(self, operator_id: OperatorId, code_sha256: bytes, expires_at: float) -> None:
        """Keep the hash of a link's secret, in the place of any other link of the same operator."""
        self._session.execute(delete(WayInRow).where(WayInRow.operator_id == operator_id))
        self._session.add(WayInRow(code_sha256=code_sha256, operator_id=operator_id, expires_at=expires_at))
        self._session.flush()

    def way(self, code_sha256: bytes) -> OperatorId | None:
        """Say whose link this is, if it is one and in time."""
        row = self._session.get(WayInRow, code_sha256)
        return None if row is None or row.expires_at <= self._clock.now() else OperatorId(row.operator_id)

    def spend_way(self, code_sha256: bytes) -> None:
        """Remove a link: it works once."""
        self._session.execute(delete(WayInRow).where(WayInRow.code_sha256 == code_sha256))
        self._session.flush()

    # ---- whom the organisation names them ----

    def subject_of(self, operator_id: OperatorId) -> bytes | None:
        """Give the mark that an operator is bound to, or None."""
        query = select(OperatorSubjectRow.mark).where(OperatorSubjectRow.operator_id == operator_id)
        return self._session.scalar(query)

    def of_subject(self, mark: bytes) -> OperatorId | None:
        """Say who is bound to a mark, or None."""
        row = self._session.get(OperatorSubjectRow, mark)
        return None if row is None else OperatorId(row.operator_id)

    def add_subject(self, mark: bytes, operator_id: OperatorId) -> None:
        """Bind an operator to a mark; neither is bound yet."""
        self._session.add(OperatorSubjectRow(mark=mark, operator_id=operator_id, created_at=self._clock.now()))
        self._session.flush()

    def drop_subject(self, operator_id: OperatorId) -> None:
        """Undo the bond of an operator, if there is one."""
        self._session.execute(delete(OperatorSubjectRow).where(OperatorSubjectRow.operator_id == operator_id))
        self._session.flush()

    # ---- passkeys ----

    def add_passkey(self, operator_id: OperatorId, credential: bytes, public_key: bytes, counter: int) -> None:
        """Add a passkey; whoever was invited is active from then on.

        Raises:
            AlreadyThere: the passkey is known, as this operator's or another's.

        """
        if self._session.get(PasskeyRow, credential) is not None:
            raise AlreadyThere("This passkey is known here already.")
        row = self._row(operator_id)
        if row.state == OperatorState.INVITED.value:
            row.state = OperatorState.ACTIVE.value
        made = PasskeyRow(
            credential=credential,
            operator_id=operator_id,
            public_key=public_key,
            counter=counter,
            created_at=self._clock.now(),
        )
        self._session.add(made)
        self._session.flush()

    def passkey(self, credential: bytes) -> OperatorPasskey | None:
        """Return one by its credential id, or None."""
        row = self._session.get(PasskeyRow, credential)
        return None if row is None else _passkey(row)

    def passkeys(self, operator_id: OperatorId) -> tuple[OperatorPasskey, ...]:
        """Return an operator's passkeys, oldest first."""
        query = select(PasskeyRow).where(PasskeyRow.operator_id == operator_id).order_by(PasskeyRow.created_at)
        return tuple(_passkey(row) for row in self._session.scalars(query))

    def count_up(self, credential: bytes, counter: int) -> None:
        """Keep the counter that a passkey showed."""
        row = self._session.get(PasskeyRow, credential)
        if row is not None:
            row.counter = counter
            self._session.flush()

    def drop_passkeys(self, operator_id: OperatorId, credential: bytes | None = None) -> None:
        """Remove one passkey of an operator, or all; those that are gone already do no harm."""
        query = delete(PasskeyRow).where(PasskeyRow.operator_id == operator_id)
        if credential is not None:
            query = query.where(PasskeyRow.credential == credential)
        self._session.execute(query)
        self._session.flush()
