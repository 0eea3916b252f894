"""What has outlived its use: the texts of answered reports from outside, and the names of those who stopped working."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moiety.foundation import settings
from moiety.foundation.errors import BadInput
from moiety.ledger import Kind

if TYPE_CHECKING:
    from moiety.matching.desk import Desk

ACTOR: Final = "retention"
PURPOSE: Final = "what is kept has an end"
DAY_S: Final = 86_400
REPORTS, NAMES = "MOIETY_REPORT_KEEP_DAYS", "MOIETY_OPERATOR_NAME_DAYS"


class Outlived:
    """The end of them, at one gate."""

    def __init__(self, desk: Desk) -> None:
        """Erase at `desk` after the terms of the settings.

        Raises:
            BadInput: a term is no whole number of days, or less than one: there is no way to keep them for ever.

        """
        self._desk = desk
        self._reports_s, self._names_s = _term(REPORTS), _term(NAMES)

    def sweep(self) -> int:
        """Erase what is due; gives how many reports and names that were. Each kind has one entry of the ledger."""
        now = self._desk.clock.now()
        reports, names = now - self._reports_s, now - self._names_s
        with self._desk.store.read() as tx:
            if not tx.reports.outlived(reports) and not tx.operators.outlived(names):
                return 0
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves all of them, and no entry; the next sweep finds them again.
            texts, named = tx.reports.erase_texts(reports), tx.operators.erase_names(names)
            if texts:
                self._desk.ledger.append(tx, Kind.ERASURE, "report-erase", actor=ACTOR, purpose=PURPOSE, reports=texts)
            if named:
                self._desk.ledger.append(
                    tx, Kind.ERASURE, "operator-erase-name", actor=ACTOR, purpose=PURPOSE, operators=named
                )
        return texts + named


def _term(name: str) -> float:
    days = settings.number(name)
    if days < 1:
        raise BadInput(f"{name} must be at least 1.")
    return float(days * DAY_S)
