"""What a gallery is used under: an impact assessment and the day of its review, set by two people; its thresholds too.

Safeguards 10, 12 and 20.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput
from moiety.ledger import Kind as Record
from moiety.people.rules import DAY_SECONDS, day_of
from moiety.warrants.warrant import Act

if TYPE_CHECKING:
    from moiety.access.spending import Spend
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery
    from moiety.storage.guard_records import Deployment

REVIEW_DAYS_MAX: Final = 366
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")


def check_reference(reference: str) -> str:
    """Give a reference of an impact assessment or a test report back.

    Raises:
        BadInput: it is no short code.

    """
    if not _REFERENCE.fullmatch(reference):
        raise BadInput("A reference is a short code of at most 48 letters, digits, dots and dashes.")
    return reference


def deployment_lines(wanted: Deployment) -> dict[str, str]:
    """Give the lines that two people agree on for what a gallery is used under."""
    return {
        "assessment": wanted.assessment,
        "review": day_of(wanted.review_at),
        "police": "yes" if wanted.police else "no",
        "two to search": "yes" if wanted.two_to_search else "no",
    }


def threshold_lines(gallery: Gallery, report: str) -> dict[str, str]:
    """Give the lines that two people agree on for the thresholds that the vaults' policy has now."""
    return {
        "policy version": str(gallery.policy_version),
        "thresholds": ", ".join(map(str, gallery.thresholds)),
        "report": report,
    }


class Deploying:
    """Puts galleries into use, and takes thresholds that were lowered."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def put(self, gallery: Gallery, wanted: Deployment, asker: Asker, spend: Spend) -> Deployment:
        """Say what a gallery is used under, for two people who said so.

        Raises:
            BadInput: the reference is no short code, or the day of review is not within a year.
            NotApproved: what was approved is not exactly this.

        """
        check_reference(wanted.assessment)

        def keep() -> None:
            now = self._desk.clock.now()
            if not now < wanted.review_at <= now + REVIEW_DAYS_MAX * DAY_SECONDS:
                raise BadInput(f"An impact assessment is reviewed within {REVIEW_DAYS_MAX} days.")
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves what was there, and the approval as it was.
                spend(tx, deployment_lines(wanted))
                tx.deployments.put(wanted)
                self._desk.write_down(
                    tx,
                    Record.ALTERATION,
                    "deployment",
                    gallery,
                    asker,
                    assessment=wanted.assessment.lower(),
                    police=int(wanted.police),
                    two_to_search=int(wanted.two_to_search),
                    review_at=int(wanted.review_at),
                )

        await asyncio.to_thread(keep)
        return wanted

    async def get(self, gallery: Gallery) -> Deployment | None:
        """Give what a gallery is used under, if anybody has said it."""

        def read() -> Deployment | None:
            with self._desk.store.read() as tx:
                return tx.deployments.get(gallery.id)

        return await asyncio.to_thread(read)

    async def at_the_vaults(self, gallery: Gallery) -> Gallery:
        """Give a gallery with the thresholds that the vaults' policy has, also those that nobody here has taken yet."""
        return (await self._desk.terms(gallery, Act.REVEAL)).gallery

    async def take_thresholds(self, gallery: Gallery, report: str, asker: Asker, spend: Spend) -> Gallery:
        """Take the thresholds that the vaults' keepers have put into force, by a test report and two people.

        Raises:
            BadInput: the report's reference is no short code.
            NotApproved: what was approved is not exactly this.

        """
        check_reference(report)
        now = await self.at_the_vaults(gallery)

        def keep() -> None:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the thresholds of before.
                spend(tx, threshold_lines(now, report))
                tx.galleries.set_thresholds(gallery.id, now.thresholds)
                self._desk.write_down(
                    tx,
                    Record.ALTERATION,
                    "thresholds",
                    gallery,
                    asker,
                    version=now.policy_version,
                    report=report.lower(),
                )

        await asyncio.to_thread(keep)
        return now
