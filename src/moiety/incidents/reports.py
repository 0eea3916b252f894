"""The inbox for strangers who found a hole: text in, a number and a secret out, and a clock that everybody sees.

Nothing of the sender is kept but what the text says: no address, no header, no cookie. Texts end (`outlived`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moiety.foundation import settings
from moiety.foundation.errors import NotFound, TooMany
from moiety.foundation.ids import new_id
from moiety.incidents.sealed import plain_text
from moiety.ledger import Kind as Record
from moiety.storage import Report

if TYPE_CHECKING:
    from moiety.access import Caller
    from moiety.incidents.sealed import Words
    from moiety.matching.desk import Desk
    from moiety.storage import Transaction

PURPOSE: Final = "reports from outside"
# Four bytes each, they fit into the body that the gate takes.
TEXT_CHARS_MAX: Final = 12_000
CONTACT_CHARS_MAX: Final = 200
ANSWER_CHARS_MAX: Final = 10_000
SECRET_BYTES: Final = 20
WAITING_MAX: Final = 500
DAY_S: Final = 86_400
_NUMBER: Final = re.compile(r"rep_[a-z2-7]{16}")
CONTENT, ANSWER = "report.content", "report.answer"
NONE: Final = "There is no report with this number and secret."


def another_way() -> str:
    """Say how a stranger is heard where the inbox takes no more."""
    contact = settings.setting("MOIETY_SECURITY_CONTACT").removeprefix("mailto:")
    return f"write to {contact}" if contact else "write to the organisation that runs this gate"


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A report as those who answer read it; `erased` ones have no text, and an answer only if it was given since."""

    report: Report
    text: str
    contact: str
    answer: str | None
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """How many wait, how many of them for longer than `days`, and since when the oldest does (seconds since 1970)."""

    waiting: int
    overdue: int
    oldest_at: float | None
    days: int


class Reports:
    """The inbox of one gate."""

    def __init__(self, desk: Desk, words: Words) -> None:
        """Keep what comes sealed by `words`."""
        self._desk = desk
        self._words = words

    # ---- for strangers ----

    def receive(self, text: str, contact: str = "") -> tuple[str, str]:
        """Take a report; gives its number, and the secret with which the answer is asked for. Both are shown once.

        Raises:
            BadInput: it is empty or too long.
            TooMany: too many wait already.

        """
        told = {
            "text": plain_text("A report", text, TEXT_CHARS_MAX, needed=True),
            "contact": plain_text("A way to reach you", contact, CONTACT_CHARS_MAX),
        }
        number, secret = new_id("rep"), secrets.token_urlsafe(SECRET_BYTES)
        sealed = self._words.seal(CONTENT, number, json.dumps(told))
        with self._desk.store.begin() as tx:
            if tx.reports.waiting() >= WAITING_MAX:
                raise TooMany(f"Too many reports wait for an answer; {another_way()}.")
            # A crash before the commit leaves no report; its sender has no number then, and sends it again.
            tx.reports.put(Report(number, _mark(secret), sealed, self._desk.clock.now()))
            self._note(tx, Record.COLLECTION, "report-receive", "stranger", number)
        return number, secret

    def _note(self, tx: Transaction, kind: Record, act: str, actor: str, number: str) -> None:
        self._desk.ledger.append(tx, kind, act, actor=actor, purpose=PURPOSE, report=number)

    def look_up(self, number: str, secret: str) -> Opened:
        """Give a report with its answer, if there is one, to whoever has its secret.

        Raises:
            NotFound: number or secret is wrong.

        """
        if not _NUMBER.fullmatch(number):
            raise NotFound(NONE)
        with self._desk.store.read() as tx:
            found = tx.reports.find(number)
        known = found.secret_sha256 if found else bytes(32)
        if not hmac.compare_digest(known, _mark(secret)) or found is None:
            raise NotFound(NONE)
        return self._opened(found)

    def clock(self) -> Clock:
        """Say how long reports wait; anybody may know it."""
        days = settings.number("MOIETY_REPORT_DAYS")
        with self._desk.store.read() as tx:
            overdue = tx.reports.waiting(self._desk.clock.now() - days * DAY_S)
            return Clock(tx.reports.waiting(), overdue, tx.reports.oldest(), days)

    # ---- for those who answer ----

    def list(self) -> tuple[Report, ...]:
        """Give the reports, those without an answer first, unopened."""
        with self._desk.store.read() as tx:
            return tx.reports.list()

    def read(self, number: str, caller: Caller) -> Opened:
        """Open a report; who did is in the ledger first.

        Raises:
            NotFound: there is none.

        """
        with self._desk.store.begin() as tx:
            # A crash after the commit leaves an entry of a reading that nobody saw.
            found = _there(tx, number)
            self._note(tx, Record.CONSULTATION, "report-read", caller.key_id, number)
        return self._opened(found)

    def reply(self, number: str, text: str, caller: Caller) -> Opened:
        """Answer a report, or answer it anew; whoever has its secret reads the answer.

        Raises:
            BadInput: the answer is empty or too long.
            NotFound: there is no such report.

        """
        told = plain_text("An answer", text, ANSWER_CHARS_MAX, needed=True)
        sealed = self._words.seal(ANSWER, number, told)
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves the report as it was.
            made = replace(
                _there(tx, number),
                answered_at=self._desk.clock.now(),
                answered_by=str(caller.key_id),
                answer_sealed=sealed,
            )
            tx.reports.put(made)
            self._note(tx, Record.DISCLOSURE, "report-answer", caller.key_id, number)
        return self._opened(made)

    def _opened(self, one: Report) -> Opened:
        answer = None if one.answer_sealed is None else self._words.open(ANSWER, one.id, one.answer_sealed)
        if not one.content_sealed:
            return Opened(one, "", "", answer, erased=True)
        told = json.loads(self._words.open(CONTENT, one.id, one.content_sealed))
        return Opened(one, told["text"], told["contact"], answer)


def _there(tx: Transaction, number: str) -> Report:
    found = tx.reports.find(number)
    if found is None:
        raise NotFound("There is no such report.")
    return found


def _mark(secret: str) -> bytes:
    """Keep the hash only."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()
