"""Galleries in the database."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select

from moiety.foundation.errors import AlreadyThere, BadInput, UnknownGallery
from moiety.foundation.ids import GalleryId
from moiety.storage.records import Gallery, GalleryState
from moiety.storage.tables import GalleryRow, SubjectRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from moiety.foundation.clock import Clock

THRESHOLDS_MAX = 3


def _record(row: GalleryRow) -> Gallery:
    return Gallery(
        id=GalleryId(row.id),
        name=row.name,
        purpose=row.purpose,
        model_name=row.model_name,
        model_sha256=row.model_sha256,
        dim=row.dim,
        rotation_id=row.rotation_id,
        fmr_target=row.fmr_target,
        thresholds=row.thresholds,
        bands=row.bands,
        retention_days=row.retention_days,
        policy_version=row.policy_version,
        state=GalleryState(row.state),
        created_at=row.created_at,
    )


def _check_bands(thresholds: Sequence[int], bands: Sequence[str]) -> None:
    """One to three rising thresholds, a different name for each."""
    rising = all(low < high for low, high in pairwise(thresholds))
    if not 1 <= len(thresholds) <= THRESHOLDS_MAX or not rising or min(thresholds) < 0:
        raise BadInput(f"A gallery has 1 to {THRESHOLDS_MAX} thresholds, rising, none below 0.")
    if len(bands) != len(thresholds) or len(set(bands)) != len(bands):
        raise BadInput("Each threshold of a gallery needs a band name of its own.")


class GalleryTable:
    """The galleries of one transaction."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Transaction` only."""
        self._session = session
        self._clock = clock

    def create(
        self,
        *,
        gallery_id: GalleryId,
        name: str,
        purpose: str,
        model_name: str,
        model_sha256: str,
        dim: int,
        rotation_id: str,
        fmr_target: float,
        thresholds: Sequence[int],
        bands: Sequence[str],
        retention_days: int | None = None,
        policy_version: int = 1,
    ) -> Gallery:
        """Add a `pending` gallery; `rotation_id` is hex text, thresholds are scores in 0..16129.

        Raises:
            AlreadyThere: a gallery of that name or id exists.
            BadInput: thresholds or bands break their rule.

        """
        _check_bands(thresholds, bands)
        taken = select(exists().where((GalleryRow.name == name) | (GalleryRow.id == gallery_id)))
        if self._session.scalar(taken):
            raise AlreadyThere("There is a gallery of that name already.")
        row = GalleryRow(
            id=gallery_id,
            name=name,
            purpose=purpose,
            model_name=model_name,
            model_sha256=model_sha256,
            dim=dim,
            rotation_id=rotation_id,
            fmr_target=fmr_target,
            thresholds=tuple(thresholds),
            bands=tuple(bands),
            retention_days=retention_days,
            policy_version=policy_version,
            state=GalleryState.PENDING.value,
            next_seq=1,
            created_at=self._clock.now(),
        )
        # A crash after the commit leaves a pending gallery: its intent is found at the next start, which opens it
        # if both vaults know it and removes it if not.
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def _row(self, gallery_id: GalleryId) -> GalleryRow:
        row = self._session.get(GalleryRow, gallery_id)
        if row is None:
            raise UnknownGallery
        return row

    def get(self, gallery_id: GalleryId) -> Gallery:
        """Return one gallery in any state.

        Raises:
            UnknownGallery: there is none with this id.

        """
        return _record(self._row(gallery_id))

    def by_name(self, name: str) -> Gallery:
        """Return the gallery called `name`, in any state.

        Raises:
            UnknownGallery: there is none of this name.

        """
        row = self._session.scalar(select(GalleryRow).where(GalleryRow.name == name))
        if row is None:
            raise UnknownGallery
        return _record(row)

    def list(self) -> tuple[Gallery, ...]:
        """Return all galleries, by name."""
        return tuple(_record(row) for row in self._session.scalars(select(GalleryRow).order_by(GalleryRow.name)))

    def open(self, gallery_id: GalleryId) -> Gallery:
        """Let the gallery answer. A crash before the commit leaves it as it was; opening twice does no harm.

        Raises:
            UnknownGallery: there is none with this id.

        """
        return self._move(gallery_id, GalleryState.OPEN)

    def close(self, gallery_id: GalleryId) -> Gallery:
        """Stop the gallery from answering. A crash before the commit leaves it as it was.

        Raises:
            UnknownGallery: there is none with this id.

        """
        return self._move(gallery_id, GalleryState.CLOSED)

    def set_thresholds(self, gallery_id: GalleryId, thresholds: Sequence[int]) -> None:
        """Write the thresholds that are taken here. A crash before the commit leaves those of before.

        Raises:
            UnknownGallery: there is none with this id.

        """
        self._row(gallery_id).thresholds = tuple(thresholds)
        self._session.flush()

    def _move(self, gallery_id: GalleryId, state: GalleryState) -> Gallery:
        row = self._row(gallery_id)
        row.state = state.value
        self._session.flush()
        return _record(row)

    def remove(self, gallery_id: GalleryId) -> None:
        """Take away a gallery that was begun and never opened; used when a crash is tidied up.

        A crash before the commit leaves the gallery and its intent, and the next start tries again.

        Raises:
            UnknownGallery: there is none with this id that is pending and empty.

        """
        empty = ~exists().where(SubjectRow.gallery_id == gallery_id)
        pending = GalleryRow.state == GalleryState.PENDING.value
        gone = self._session.scalars(
            delete(GalleryRow).where(GalleryRow.id == gallery_id, pending, empty).returning(GalleryRow.id)
        ).all()
        if not gone:
            raise UnknownGallery("There is no pending, empty gallery with this id.")
