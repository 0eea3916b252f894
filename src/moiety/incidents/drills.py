"""Reports of drills: what was attacked and what held, signed by the gate and written into its ledger."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Final

from moiety.foundation import settings
from moiety.foundation.errors import BadInput
from moiety.foundation.ids import new_id
from moiety.ledger import Kind as Record
from moiety.people.receipts import Receipt
from moiety.storage import DrillReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.access import Caller
    from moiety.matching.desk import Desk

PURPOSE: Final = "drills"
DRILLS_MAX: Final = 200
DAY_S: Final = 86_400
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")


class SignedDrills(Receipt):
    """A report as it is handed out; `moiety drill verify-report` checks it without any installation."""

    FORM: ClassVar[str] = "moiety/drill-report/1"
    KEYS: ClassVar[frozenset[str]] = frozenset({"moiety", "id", "tenant", "version", "at", "drills"})
    BAD: ClassVar[str] = "This is no report of drills, or it was altered."


@dataclass(frozen=True, slots=True)
class Ran:
    """One drill: how much it and its control obtained, and how long both took in seconds."""

    name: str
    obtained: int
    control_obtained: int
    seconds: float

    @property
    def held(self) -> bool:
        """Whether the attack got nothing, and its control something."""
        return self.obtained == 0 and self.control_obtained > 0


@dataclass(frozen=True, slots=True)
class LastDrill:
    """When drills were last put on record and how many failed; `overdue` when that is too long ago, or never was."""

    at: float | None
    drills: int
    failed: int
    overdue: bool
    days: int


def check_drills(ran: Sequence[Ran], version: str) -> None:
    """Check what a report tells.

    Raises:
        BadInput: a name or the version is none, or there are none or too many.

    """
    names = [one.name for one in ran]
    if not 1 <= len(ran) <= DRILLS_MAX or len(set(names)) != len(names) or not all(map(_NAME.fullmatch, names)):
        raise BadInput(f"A report tells of 1 to {DRILLS_MAX} drills by different names.")
    if not _VERSION.fullmatch(version):
        raise BadInput("A version is a short code such as 1.2.0.")


class Drills:
    """The reports of one gate."""

    def __init__(self, desk: Desk) -> None:
        """Sign with the gate's key."""
        self._desk = desk

    def keep(self, ran: Sequence[Ran], version: str, caller: Caller) -> SignedDrills:
        """Sign a report, keep it, and write it into the ledger with its digest.

        Raises:
            BadInput: a name, a number or the version is none, or there are none or too many.

        """
        check_drills(ran, version)
        now = self._desk.clock.now()
        told = {
            "moiety": SignedDrills.FORM,
            "id": new_id("dri"),
            "tenant": self._desk.tenant,
            "version": version,
            "at": datetime.fromtimestamp(int(now), UTC).isoformat(),
            "drills": [
                {"name": one.name, "obtained": one.obtained, "control_obtained": one.control_obtained}
                | {"seconds": round(one.seconds), "held": one.held}
                for one in ran
            ],
        }
        document = json.dumps(told, sort_keys=True, separators=(",", ":"))
        key = self._desk.secrets.service
        made = SignedDrills(document, key.sign(SignedDrills.signed(document)), key.public_key().public_bytes_raw())
        failed = sum(not one.held for one in ran)
        kept = DrillReport(str(told["id"]), now, len(ran), failed, document, made.signature)
        digest = hashlib.sha256(document.encode()).hexdigest()[:40]
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves neither; the drills are run again.
            tx.drills.add(kept)
            self._desk.ledger.append(
                tx,
                Record.CONSULTATION,
                "drill-report",
                actor=caller.key_id,
                purpose=PURPOSE,
                report=kept.id,
                digest=digest,
                drills=len(ran),
                failed=failed,
            )
        return made

    def list(self) -> Sequence[DrillReport]:
        """Give the newest reports, newest first."""
        with self._desk.store.read() as tx:
            return tx.drills.list()

    def handed_out(self, kept: DrillReport) -> SignedDrills:
        """Give a kept report with the key by which it is checked."""
        return SignedDrills(kept.document, kept.signature, self._desk.secrets.service.public_key().public_bytes_raw())

    def last(self) -> LastDrill:
        """Say when drills were last put on record."""
        days = settings.number("MOIETY_DRILL_DAYS")
        with self._desk.store.read() as tx:
            found = tx.drills.list(1)
        if not found:
            return LastDrill(None, 0, 0, overdue=days > 0, days=days)
        (one,) = found
        overdue = days > 0 and self._desk.clock.now() - one.at > days * DAY_S
        return LastDrill(one.at, one.drills, one.failed, overdue, days)
