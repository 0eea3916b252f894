"""What has outlived its use: texts of reports, names of those who stopped or never came, what approvals said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moiety.foundation import settings
from moiety.foundation.errors import BadInput
from moiety.ledger import Kind

if TYPE_CHECKING:
    from moiety.matching.desk import Desk
    from moiety.storage import Transaction

ACTOR: Final = "retention"
PURPOSE: Final = "what is kept has an end"
DAY_S: Final = 86_400
REPORTS, NAMES, APPROVALS = "MOIETY_REPORT_KEEP_DAYS", "MOIETY_OPERATOR_NAME_DAYS", "MOIETY_APPROVAL_KEEP_DAYS"


class Outlived:
    """The end of them, at one gate."""

    def __init__(self, desk: Desk) -> None:
        """Erase at `desk` after the terms of the settings.

        Raises:
            BadInput: a term is no whole number of days, or less than one: there is no way to keep them for ever.

        """
        self._desk = desk
        self._reports_s, self._names_s, self._approvals_s = _term(REPORTS), _term(NAMES), _term(APPROVALS)

    def sweep(self) -> int:
        """Erase what is due; gives how many reports, names and approvals that were. Each kind is in the ledger."""
        now = self._desk.clock.now()
        reports, names, approvals = now - self._reports_s, now - self._names_s, now - self._approvals_s
        with self._desk.store.read() as tx:
            due = tx.reports.outlived(reports), tx.operators.outlived(names), tx.approvals.outlived(approvals)
        if not any(due):
            return 0
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves all of them, and no entry; the next sweep finds them again.
            texts, named = tx.reports.erase_texts(reports), tx.operators.erase_names(names)
            said = tx.approvals.erase_contents(approvals)
            answered = sum(texts.values())
            if answered:
                self._note(tx, "report-erase", reports=answered)
            for number in (one for one, was in texts.items() if not was):
                # Nobody answered it, and it goes on to count as such: each is named, so that none is lost in a sum.
                self._note(tx, "report-unanswered", report=number)
            if named:
                self._note(tx, "operator-erase-name", operators=named)
            if said:
                self._note(tx, "approval-erase", approvals=said)
        return len(texts) + named + said

    def _note(self, tx: Transaction, act: str, **detail: Any) -> None:
        self._desk.ledger.append(tx, Kind.ERASURE, act, actor=ACTOR, purpose=PURPOSE, **detail)


def _term(name: str) -> float:
    days = settings.number(name)
    if days < 1:
        raise BadInput(f"{name} must be at least 1.")
    return float(days * DAY_S)
