"""What a breach could have touched, in counts: people, photos, fields, and acts in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func, or_, select, union_all

from moiety.foundation.ids import GalleryId
from moiety.storage.guard_tables import DecoyRow
from moiety.storage.tables import CanaryRow, LedgerRow, SubjectFieldRow, SubjectRow, TemplateRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
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
        """Count what a gallery holds."""
        made_up = union_all(
            select(CanaryRow.subject_id).where(CanaryRow.gallery_id == gallery_id), select(DecoyRow.subject_id)
        )
        whose = select(SubjectRow.id).where(SubjectRow.gallery_id == gallery_id, SubjectRow.id.not_in(made_up))
        people = self._session.scalar(select(func.count()).select_from(whose.subquery())) or 0
        photos = select(func.count()).where(
            TemplateRow.gallery_id == gallery_id, TemplateRow.subject_id.not_in(made_up)
        )
        starts = [(SubjectFieldRow.name.startswith(f"{one}_", autoescape=True), one) for one in NUMBERED]
        name = case(*starts, else_=SubjectFieldRow.name).label("name")
        fields = (
            select(name, func.count(SubjectFieldRow.subject_id.distinct()))
            .where(SubjectFieldRow.subject_id.in_(whose))
            .group_by(name)
            .order_by(name)
        )
        return Held(
            people, self._session.scalar(photos) or 0, {one[0]: one[1] for one in self._session.execute(fields)}
        )

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
