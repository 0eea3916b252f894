"""What a breach could have touched, in counts: people, photos, fields, and acts in the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, union_all

from moiety.foundation.ids import GalleryId
from moiety.storage.guard_tables import DecoyRow
from moiety.storage.tables import CanaryRow, LedgerRow, SubjectFieldRow, SubjectRow, TemplateRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

# Fields of which one person has several, each with a number behind its name.
NUMBERED = ("release", "image")


@dataclass(frozen=True, slots=True)
class Held:
    """How much a gallery holds of people, not of canaries and decoys; `fields` by name."""

    people: int
    photos: int
    fields: dict[str, int]


@dataclass(frozen=True, slots=True)
class Acts:
    """How often one actor did one act in a gallery, and about how many people."""

    gallery_id: GalleryId | None
    kind: str
    act: str
    actor: str
    times: int
    people: int


class ExposedTable:
    """Counts of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def held(self, gallery_id: GalleryId) -> Held:
        """Count what a gallery holds: everybody by an index, less the few who were made up."""
        made_up = union_all(
            select(CanaryRow.subject_id).where(CanaryRow.gallery_id == gallery_id), select(DecoyRow.subject_id)
        )
        everybody = SubjectRow.gallery_id == gallery_id
        photos = select(func.count()).where(TemplateRow.gallery_id == gallery_id)
        subjects = select(func.count()).where(everybody)
        people = self._number(subjects) - self._number(subjects.where(SubjectRow.id.in_(made_up)))
        pictures = self._number(photos) - self._number(photos.where(TemplateRow.subject_id.in_(made_up)))
        fields = self._fields(everybody)
        fields.subtract(self._fields(everybody, SubjectRow.id.in_(made_up)))
        return Held(people, pictures, {name: count for name, count in sorted(fields.items()) if count})

    def _number(self, query: Select[Any]) -> int:
        return int(self._session.scalar(query) or 0)

    def _fields(self, *whose: ColumnElement[bool]) -> Counter[str]:
        """Count by name who has such a field; of those with a number one person may have several."""
        name, subject = SubjectFieldRow.name, SubjectFieldRow.subject_id
        numbered = or_(*(name.startswith(f"{one}_", autoescape=True) for one in NUMBERED))
        among = select(name, func.count()).join(SubjectRow, SubjectRow.id == subject).where(*whose)
        plain = self._session.execute(among.where(~numbered).group_by(name))
        found: Counter[str] = Counter({row[0]: row[1] for row in plain})
        # Most galleries have none, and to count people once among all of their fields takes longer than all else.
        if self._session.scalar(select(name).where(numbered).limit(1)) is None:
            return found
        for one in NUMBERED:
            having = select(func.count(subject.distinct())).join(SubjectRow, SubjectRow.id == subject)
            found[one] += self._number(having.where(*whose, name.startswith(f"{one}_", autoescape=True)))
        return found

    def acts(self, since_us: int, until_us: int, galleries: Sequence[str]) -> tuple[Acts, ...]:
        """Count the ledger's entries of a time, in some galleries or (with none named) in all."""
        what = (LedgerRow.gallery_id, LedgerRow.kind, LedgerRow.act, LedgerRow.actor)
        query = (
            select(*what, func.count(), func.count(LedgerRow.subject_id.distinct()))
            .where(*_within(since_us, until_us, galleries))
            .group_by(*what)
            .order_by(*what)
        )
        return tuple(Acts(GalleryId(one[0]) if one[0] else None, *one[1:]) for one in self._session.execute(query))

    def entries(self, since_us: int, until_us: int, galleries: Sequence[str], limit: int) -> tuple[int, ...]:
        """Give the numbers of the first entries of a time, ascending."""
        query = select(LedgerRow.seq).where(*_within(since_us, until_us, galleries)).order_by(LedgerRow.seq)
        return tuple(self._session.scalars(query.limit(limit)))


def _within(since_us: int, until_us: int, galleries: Sequence[str]) -> list[ColumnElement[bool]]:
    """Say which entries are meant; those of no gallery (sign-ins, keys, switches) always are."""
    found: list[ColumnElement[bool]] = [LedgerRow.at_us >= since_us, LedgerRow.at_us <= until_us]
    if galleries:
        found.append(or_(LedgerRow.gallery_id.is_(None), LedgerRow.gallery_id.in_(galleries)))
    return found
