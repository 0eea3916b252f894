"""What a breach could have touched, in counts: people, photos, fields, and acts in the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select, union_all

from moiety.foundation.ids import GalleryId
from moiety.storage.guard_tables import DecoyRow
from moiety.storage.ledger_days import NOWHERE, LedgerDayTable
from moiety.storage.tables import BY_KIND, CanaryRow, LedgerRow, SubjectFieldRow, SubjectRow, TemplateRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from moiety.storage.ledger_days import Done

# What shows or tells of people; a collection or an alteration is one person's own.
LOOKS = ("consultation", "disclosure", "combination")
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
    """How often one actor did one act in a gallery, and, where people were looked at or told of, how many."""

    gallery_id: GalleryId | None
    kind: str
    act: str
    actor: str
    times: int
    people: int | None


class ExposedTable:
    """Counts of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def held(self, gallery_id: GalleryId) -> Held:
        """Count what a gallery holds: everybody by indexes alone, less the few who were made up."""
        made_up = union_all(select(CanaryRow.subject_id), select(DecoyRow.subject_id))
        nobody = select(SubjectRow.id).where(SubjectRow.gallery_id == gallery_id, SubjectRow.id.in_(made_up))
        people = self._count(SubjectRow.gallery_id == gallery_id) - self._count(SubjectRow.id.in_(nobody))
        photos = self._count(TemplateRow.gallery_id == gallery_id) - self._count(TemplateRow.subject_id.in_(nobody))
        fields = self._fields(SubjectFieldRow.gallery_id == gallery_id)
        fields.subtract(self._fields(SubjectFieldRow.subject_id.in_(nobody)))
        return Held(people, photos, {name: count for name, count in sorted(fields.items()) if count})

    def _count(self, which: ColumnElement[bool]) -> int:
        return self._session.scalar(select(func.count()).where(which)) or 0

    def _fields(self, which: ColumnElement[bool]) -> Counter[str]:
        """Count by name who has such a field, once where one person has several of it."""
        subject, name = SubjectFieldRow.subject_id, SubjectFieldRow.name
        # Names from `image_` to what follows it in the order of bytes: an index finds them, and LIKE reads all.
        several = {one: and_(name >= f"{one}_", name < f"{one}`") for one in NUMBERED}
        single = select(name, func.count()).where(which, *(~one for one in several.values())).group_by(name)
        found = Counter(dict(self._session.execute(single).all()))
        for one, numbered in several.items():
            found[one] = self._session.scalar(select(func.count(subject.distinct())).where(which, numbered)) or 0
        return found

    def acts(self, since_us: int, until_us: int, galleries: Sequence[str]) -> tuple[Acts, ...]:
        """Count who did what in a time, in some galleries or (with none named) in all; entries of none always count."""
        done = LedgerDayTable(self._session).done(since_us, until_us + 1, galleries)
        looks = [one for one in done if one.kind in LOOKS]
        people = self._people(looks, since_us, until_us)
        return tuple(
            Acts(
                GalleryId(one.gallery_id) if one.gallery_id else None,
                one.kind,
                one.act,
                one.actor,
                one.times,
                people.get(one.who),
            )
            for one in done
        )

    def _people(self, looks: Sequence[Done], since_us: int, until_us: int) -> dict[tuple[str, ...], int]:
        """Count about how many people some acts were."""
        if not looks:
            return {}
        row = LedgerRow
        who = (func.coalesce(row.gallery_id, NOWHERE), row.kind, row.act, row.actor)
        query = select(*who, func.count(row.subject_id.distinct())).where(
            row.kind.in_(LOOKS),
            row.seq.between(min(one.first for one in looks), max(one.last for one in looks)),
            row.at_us.between(since_us, until_us),
        )
        # SQLite keeps no figures of what is rare, and would go through all entries.
        query = query.with_hint(row, f"INDEXED BY {BY_KIND}", "sqlite").group_by(*who)
        return {tuple(one[:4]): one[4] for one in self._session.execute(query)}

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
