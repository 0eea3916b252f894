"""Sealed values about subjects in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from moiety.foundation.errors import NotFound, UnknownSubject
from moiety.foundation.ids import SubjectId
from moiety.storage.records import FieldClass, SubjectField
from moiety.storage.tables import SubjectFieldRow, SubjectRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock


def _record(row: SubjectFieldRow) -> SubjectField:
    return SubjectField(
        subject_id=SubjectId(row.subject_id),
        name=row.name,
        klass=FieldClass(row.klass),
        wrapped_key=row.wrapped_key,
        ciphertext=row.ciphertext,
        blind=row.blind,
        created_at=row.created_at,
    )


class FieldTable:
    """The subject fields of one transaction; all values are sealed before they come here."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def put(
        self,
        subject_id: SubjectId,
        name: str,
        klass: FieldClass,
        *,
        wrapped_key: bytes,
        ciphertext: bytes,
        blind: bytes | None = None,
    ) -> SubjectField:
        """Write one field, over the old one if there is one. A crash before the commit leaves the old one whole.

        Raises:
            UnknownSubject: there is no such subject.

        """
        whose = self._session.get(SubjectRow, subject_id)
        if whose is None:
            raise UnknownSubject
        row = self._session.get(SubjectFieldRow, (subject_id, name))
        if row is None:
            row = SubjectFieldRow(subject_id=subject_id, name=name, gallery_id=whose.gallery_id)
            self._session.add(row)
        row.klass = klass.value
        row.wrapped_key = wrapped_key
        row.ciphertext = ciphertext
        row.blind = blind
        row.created_at = self._clock.now()
        self._session.flush()
        return _record(row)

    def get(self, subject_id: SubjectId, name: str) -> SubjectField:
        """Return one field.

        Raises:
            NotFound: the subject has no such field.

        """
        row = self._session.get(SubjectFieldRow, (subject_id, name))
        if row is None:
            raise NotFound("This subject has no such field.")
        return _record(row)

    def list(self, subject_id: SubjectId, *, klass: FieldClass | None = None) -> tuple[SubjectField, ...]:
        """Return the subject's fields by name, all or of one class."""
        query = select(SubjectFieldRow).where(SubjectFieldRow.subject_id == subject_id)
        if klass is not None:
            query = query.where(SubjectFieldRow.klass == klass.value)
        return tuple(_record(row) for row in self._session.scalars(query.order_by(SubjectFieldRow.name)))

    def of_several(
        self, subject_ids: Collection[SubjectId], names: Collection[str]
    ) -> dict[tuple[SubjectId, str], SubjectField]:
        """Return the fields of these names of up to a thousand subjects; those that are not there are left out."""
        query = select(SubjectFieldRow).where(
            SubjectFieldRow.subject_id.in_(subject_ids), SubjectFieldRow.name.in_(names)
        )
        found = [_record(row) for row in self._session.scalars(query)]
        return {(one.subject_id, one.name): one for one in found}

    def names_of(self, subject_ids: Collection[SubjectId]) -> dict[SubjectId, tuple[str, ...]]:
        """Return the names of the fields of up to a thousand subjects, in order; nothing sealed is read."""
        query = select(SubjectFieldRow.subject_id, SubjectFieldRow.name).where(
            SubjectFieldRow.subject_id.in_(subject_ids)
        )
        found: dict[SubjectId, tuple[str, ...]] = {}
        for subject, name in self._session.execute(query.order_by(SubjectFieldRow.name)):
            found[SubjectId(subject)] = (*found.get(SubjectId(subject), ()), name)
        return found

    def delete(self, subject_id: SubjectId, name: str) -> None:
        """Remove one field. A crash before the commit leaves it.

        Raises:
            NotFound: the subject has no such field.

        """
        gone = self._session.scalars(
            delete(SubjectFieldRow)
            .where(SubjectFieldRow.subject_id == subject_id, SubjectFieldRow.name == name)
            .returning(SubjectFieldRow.name)
        ).all()
        if not gone:
            raise NotFound("This subject has no such field.")
