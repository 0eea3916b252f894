"""Whether a gallery may be asked: it is in use under an impact assessment, its thresholds were taken by two people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.foundation import settings
from moiety.foundation.errors import NotApproved, NotDeployed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.storage import Gallery, Transaction
    from moiety.storage.guard_records import Deployment

LOWERED = "A threshold of this gallery was lowered at the vaults; two people have to take that here, by a test report."


def asked_for(tx: Transaction, name: str) -> bool:
    """Whether a setting asks for something: always, never, or from the day on which the first operator came in."""
    word = settings.setting(name)
    return word == "needed" or (word == "staffed" and tx.operators.any_joined())


def must_be_deployed(tx: Transaction, gallery: Gallery, now: float) -> Deployment | None:
    """Give what a gallery is used under, if it says so.

    Raises:
        NotDeployed: the setting wants an assessment that is not there, or the day of its review has passed.

    """
    found = tx.deployments.get(gallery.id)
    if found is None and asked_for(tx, "MOIETY_ASSESSMENT"):
        raise NotDeployed
    if found is not None and found.review_at <= now:
        raise NotDeployed
    return found


def must_not_be_lowered(gallery: Gallery, in_force: Sequence[int]) -> None:
    """Refuse thresholds below those that were taken here.

    Raises:
        NotApproved: one of them was lowered.

    """
    if any(now < then for now, then in zip(in_force, gallery.thresholds, strict=False)):
        raise NotApproved(LOWERED)
