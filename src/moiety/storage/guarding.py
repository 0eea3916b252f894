"""Alerts for another unit, locks of accounts, what was spent of budgets, decoys, and what galleries are used under."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from moiety.foundation.errors import NotFound
from moiety.foundation.ids import GalleryId, SubjectId
from moiety.storage.guard_records import Alert, Deployment, Lock
from moiety.storage.guard_tables import AlertRow, DecoyRow, DeploymentRow, LockRow, LookRow, SpentRow
from moiety.storage.person_records import as_columns, of_row
from moiety.storage.tables import LedgerRow, SubjectRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session


class AlertTable:
    """The alerts and locks of one transaction."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, alert: Alert) -> None:
        """Write one; a crash before the commit leaves it as it was."""
        self._session.merge(AlertRow(**as_columns(alert)))
        self._session.flush()

    def get(self, alert_id: str) -> Alert:
        """Return one.

        Raises:
            NotFound: there is no such alert.

        """
        row = self._session.get(AlertRow, alert_id)
        if row is None:
            raise NotFound("There is no such alert.")
        return of_row(Alert, row)

    def page(self, *, limit: int = 200) -> tuple[Alert, ...]:
        """Return up to `limit`: those that nobody has seen first, the newest first."""
        order = (AlertRow.seen_at.is_not(None), AlertRow.last_at.desc(), AlertRow.id)
        return tuple(
            of_row(Alert, row) for row in self._session.scalars(select(AlertRow).order_by(*order).limit(limit))
        )

    def since(self, kind: str, actor: str, subject_id: SubjectId | None, after: float) -> Alert | None:
        """Return the newest of this kind about this actor and subject that began after a moment."""
        query = (
            select(AlertRow)
            .where(AlertRow.kind == kind, AlertRow.actor == actor, AlertRow.created_at > after)
            .where(AlertRow.subject_id == subject_id if subject_id else AlertRow.subject_id.is_(None))
            .order_by(AlertRow.created_at.desc())
            .limit(1)
        )
        row = self._session.scalars(query).first()
        return None if row is None else of_row(Alert, row)

    def again(self, alert: Alert, now: float) -> None:
        """Count that it happened once more; whoever had seen it has to look again."""
        self.put(replace(alert, times=alert.times + 1, last_at=now, seen_at=None, seen_by=None))

    def counts(self) -> dict[tuple[str, bool], int]:
        """Count alerts by kind and whether somebody has seen them."""
        seen = AlertRow.seen_at.is_not(None)
        query = select(AlertRow.kind, seen, func.count()).group_by(AlertRow.kind, seen)
        return {(kind, bool(was)): number for kind, was, number in self._session.execute(query)}

    def lock(self, lock: Lock) -> None:
        """Lock an account or key; a crash before the commit leaves it open."""
        self._session.merge(LockRow(**as_columns(lock)))
        self._session.flush()

    def locked(self, actor: str) -> Lock | None:
        """Return the lock of an account or key, if there is one."""
        row = self._session.get(LockRow, actor)
        return None if row is None else of_row(Lock, row)

    def locks(self) -> tuple[Lock, ...]:
        """Return all locks, oldest first."""
        return tuple(of_row(Lock, row) for row in self._session.scalars(select(LockRow).order_by(LockRow.since)))

    def unlock(self, actor: str) -> None:
        """Take a lock away.

        Raises:
            NotFound: there is none.

        """
        row = self._session.get(LockRow, actor)
        if row is None:
            raise NotFound("This account is not locked.")
        self._session.delete(row)
        self._session.flush()

    def looks(self, actor: str, subject_id: SubjectId, acts: Collection[str], after_us: int) -> int:
        """Count an actor's entries about a subject in the ledger since a moment, in microseconds."""
        query = select(func.count()).where(
            LedgerRow.subject_id == subject_id,
            LedgerRow.actor == actor,
            LedgerRow.act.in_(acts),
            LedgerRow.at_us > after_us,
        )
        return self._session.scalar(query) or 0


class SpentTable:
    """What actors opened, by hours."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def add(self, actor: str, meter: str, hour: int, count: int) -> int:
        """Add to what was opened in this hour, and forget hours before; gives how much it is now."""
        self._session.execute(delete(SpentRow).where(SpentRow.actor == actor, SpentRow.hour < hour))
        row = self._session.get(SpentRow, (actor, meter, hour))
        if row is None:
            row = SpentRow(actor=actor, meter=meter, hour=hour, count=0)
            self._session.add(row)
        row.count += count
        self._session.flush()
        return row.count


class DecoyTable:
    """Subjects who are nobody."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def add(self, subject_id: SubjectId, now: float) -> None:
        """Say that a subject is nobody; a crash before the commit leaves an ordinary one."""
        self._session.add(DecoyRow(subject_id=subject_id, planted_at=now))
        self._session.flush()

    def count(self, gallery_id: GalleryId) -> int:
        """Count the subjects of a gallery who are nobody."""
        query = select(func.count()).select_from(DecoyRow).join(SubjectRow, SubjectRow.id == DecoyRow.subject_id)
        return self._session.scalar(query.where(SubjectRow.gallery_id == gallery_id)) or 0

    def ending(self, until: float) -> tuple[tuple[GalleryId, SubjectId], ...]:
        """Return those of all galleries whose time is over before a moment."""
        query = (
            select(SubjectRow.gallery_id, SubjectRow.id)
            .join(DecoyRow, DecoyRow.subject_id == SubjectRow.id)
            .where(SubjectRow.expires_at < until)
        )
        return tuple((GalleryId(gallery), SubjectId(one)) for gallery, one in self._session.execute(query))

    def among(self, subjects: Collection[SubjectId]) -> frozenset[SubjectId]:
        """Return those of the subjects who are nobody."""
        return frozenset(self._session.scalars(select(DecoyRow.subject_id).where(DecoyRow.subject_id.in_(subjects))))


class LookTable:
    """How the last newcomers of galleries look, and how many came."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def sealed(self, gallery_id: GalleryId) -> bytes | None:
        """Return what is kept of a gallery's newcomers, or None before the first."""
        return self._session.scalar(select(LookRow.looks_sealed).where(LookRow.gallery_id == gallery_id))

    def came(self, gallery_id: GalleryId, looks_sealed: bytes) -> None:
        """Count one more, and keep how the last ones look; a crash before the commit leaves it as it was."""
        row = self._session.get(LookRow, gallery_id)
        if row is None:
            row = LookRow(gallery_id=gallery_id, came=0, settled=0)
            self._session.add(row)
        row.came += 1
        row.looks_sealed = looks_sealed
        self._session.flush()

    def unsettled(self) -> dict[GalleryId, int]:
        """Say how many came, by gallery, where somebody did since `settle`."""
        query = select(LookRow.gallery_id, LookRow.came).where(LookRow.came != LookRow.settled)
        return {GalleryId(gallery): came for gallery, came in self._session.execute(query)}

    def settle(self, gallery_id: GalleryId, came: int) -> None:
        """Say that no decoy was missing when so many had come; a crash before the commit has it looked at again."""
        self._session.execute(update(LookRow).where(LookRow.gallery_id == gallery_id).values(settled=came))


class DeploymentTable:
    """What galleries are used under."""

    def __init__(self, session: Session) -> None:
        """Made by `Transaction` only."""
        self._session = session

    def put(self, deployment: Deployment) -> None:
        """Set a gallery's; a crash before the commit leaves the old one."""
        self._session.merge(DeploymentRow(**as_columns(deployment)))
        self._session.flush()

    def get(self, gallery_id: GalleryId) -> Deployment | None:
        """Return a gallery's, or None where nobody has set any."""
        row = self._session.get(DeploymentRow, gallery_id)
        return None if row is None else of_row(Deployment, row)
