"""What a gallery asks before it keeps anybody, and for how long it may: purpose, basis, controller, source, end."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput, NotApproved
from moiety.ledger import Kind as Record
from moiety.matching.deployed import asked_for
from moiety.storage.person_records import Rule, SubjectRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.access.spending import Spend
    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction
    from moiety.storage.guard_records import Deployment

DAY_SECONDS: Final = 86_400
# Three years from the last contact: safeguard 30.
CEILING_DAYS: Final = 1095
ADULT_YEARS: Final = 18
CONTROLLER_CHARS_MAX: Final = 200
# Regulation (EU) 2016/679, article 6 (1) a to f.
BASES: Final = ("consent", "contract", "legal-obligation", "vital-interest", "public-task", "legitimate-interest")
SOURCES: Final = ("person", "guardian", "relative", "employer", "authority", "import")
BIRTH: Final = "birth_date"
# Directive (EU) 2016/680, article 6: whoever is kept for a police purpose is one of these.
POLICE: Final = ("suspect", "convicted", "victim", "witness", "missing")
POLICE_STATUS: Final = "police_status"
# Else one person could take from everybody who comes what those before them were asked.
GOES_ON: Final = "This gallery asks for consent and keeps people; open another gallery for those who are not asked."
LOOSER: Final = "Keeping people longer, or keeping their photos, needs a second person: propose it, and have it signed."
_NOTICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a record says of itself; what is empty is taken from the gallery's rule, and always who answers for it.

    `ends_at` (seconds since 1970) is an end of its own, earlier than the gallery's.
    """

    basis: str = ""
    source: str = ""
    minor: bool = False
    police: str = ""
    ends_at: float | None = None


class Rules:
    """Sets and shows galleries' rules."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def put(self, gallery: Gallery, rule: Rule, asker: Asker, spend: Spend | None) -> Rule:
        """Set a gallery's rule; records that are there keep what they say. One person tightens it, two loosen it.

        Raises:
            BadInput: something is missing or out of its range, or people whose consent was asked for are there and it
                would not be asked for any more.
            NotApproved: it is looser than before and people are there, and nobody else approved exactly this.

        """
        check_rule(rule)

        def keep() -> None:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the old rule whole.
                before = tx.rules.get(gallery.id)
                people = bool(tx.subjects.page(gallery.id, limit=1))
                if people and before and before.consent and not rule.consent:
                    raise BadInput(GOES_ON)
                if spend:
                    # What two people signed is used up here, also where one would have been enough by now.
                    spend(tx, rule_lines(rule))
                elif people and loosens(gallery, before, rule):
                    raise NotApproved(LOOSER)
                tx.rules.put(rule)
                if rule.consent and not (before and before.consent):
                    tx.release_waits.ask_all(gallery.id, self._desk.clock.now())
                self._desk.write_down(
                    tx,
                    Record.ALTERATION,
                    "rules",
                    gallery,
                    asker,
                    consent=int(rule.consent),
                    basis=rule.basis,
                    keep_days=rule.keep_days,
                    keep_photos=int(rule.keep_photos),
                )

        await asyncio.to_thread(keep)
        return rule

    async def get(self, gallery: Gallery) -> Rule | None:
        """Give a gallery's rule, if it has one."""

        def read() -> Rule | None:
            with self._desk.store.read() as tx:
                return tx.rules.get(gallery.id)

        return await asyncio.to_thread(read)


def check_rule(rule: Rule) -> None:
    """Check what a rule says.

    Raises:
        BadInput: something is missing or out of its range.

    """
    _check_stated(rule.basis, rule.controller, rule.source)
    if not 1 <= rule.keep_days <= CEILING_DAYS:
        raise BadInput(f"A record ends 1 to {CEILING_DAYS} days after the last contact.")
    check_notice(rule.notice)


def check_notice(version: str) -> None:
    """Check the version of a notice.

    Raises:
        BadInput: it is no short word.

    """
    if not _NOTICE.fullmatch(version):
        raise BadInput("A notice's version is a short word of letters, digits, dots and dashes.")


def _check_stated(basis: str, controller: str, source: str) -> None:
    """Check the three of a record that somebody has to say.

    Raises:
        BadInput: one is missing or unknown; the message says which.

    """
    missing = [name for name, value in (("basis", basis), ("controller", controller), ("source", source)) if not value]
    if missing:
        raise BadInput(f"A record needs a purpose, a basis, a controller, a source and an end; missing: {missing[0]}.")
    if basis not in BASES:
        raise BadInput(f"A basis is one of: {', '.join(BASES)}.")
    if source not in SOURCES:
        raise BadInput(f"A source is one of: {', '.join(SOURCES)}.")
    if len(controller) > CONTROLLER_CHARS_MAX or not controller.isprintable():
        raise BadInput(f"A controller is one line of at most {CONTROLLER_CHARS_MAX} characters.")


def record_of(
    tx: Transaction, gallery: Gallery, subject: SubjectId, stated: Stated, now: float
) -> SubjectRecord | None:
    """Make a new subject's record; None where the gallery has no rule, nothing is stated and the setting allows it.

    Raises:
        BadInput: something is missing.

    """
    rule = tx.rules.get(gallery.id)
    said = any((stated.basis, stated.source, stated.minor))
    if rule is None and not said and not asked_for(tx, "MOIETY_RECORDS"):
        return None
    basis = stated.basis or (rule.basis if rule else "")
    controller = rule.controller if rule else ""
    source = stated.source or (rule.source if rule else "")
    _check_stated(basis, controller, source)
    return SubjectRecord(subject, gallery.id, gallery.purpose, basis, controller, source, stated.minor, now)


def rule_lines(rule: Rule) -> dict[str, str]:
    """Give the lines that two people agree on for a looser rule: all of it."""
    return {
        "consent": "yes" if rule.consent else "no",
        "notice": rule.notice,
        "basis": rule.basis,
        "controller": rule.controller,
        "source": rule.source,
        "keep days": str(rule.keep_days),
        "keep photos": "yes" if rule.keep_photos else "no",
    }


def loosens(gallery: Gallery, before: Rule | None, rule: Rule) -> bool:
    """Whether people would be kept longer than by the rule before, or their photos that were not."""
    photos = rule.keep_photos and not (before and before.keep_photos)
    return photos or rule.keep_days > _days(gallery, before)


def _days(gallery: Gallery, rule: Rule | None) -> int:
    return min(rule.keep_days if rule else gallery.retention_days or CEILING_DAYS, CEILING_DAYS)


def end_of(gallery: Gallery, rule: Rule | None, contact: float) -> float:
    """Say when a record ends that nobody touches after `contact`: never later than three years."""
    return contact + _days(gallery, rule) * DAY_SECONDS


def day_of(seconds: float) -> str:
    """Write the day of a moment in UTC, as people agree on it: `2027-06-01`."""
    return datetime.fromtimestamp(int(seconds), UTC).date().isoformat()


def check_police(under: Deployment | None, stated: Stated) -> None:
    """Check what a new record says the person is to the police: one of a few words where the gallery is theirs.

    Raises:
        BadInput: it is missing or unknown, or the gallery is for something else.

    """
    wanted = under is not None and under.police
    if wanted != bool(stated.police):
        raise BadInput(
            f"What somebody is to the police ({', '.join(POLICE)}) is said in galleries of the police alone."
        )
    if stated.police and stated.police not in POLICE:
        raise BadInput(f"What somebody is to the police is one of: {', '.join(POLICE)}.")


def is_minor(fields: Mapping[str, str], now: float) -> bool:
    """Say whether a record's birth date, `birth_date` as YYYY-MM-DD, makes its person younger than eighteen.

    Raises:
        BadInput: it is no date.

    """
    if BIRTH not in fields:
        return False
    try:
        born = date.fromisoformat(fields[BIRTH].strip())
    except ValueError:
        raise BadInput("A birth date is written as YYYY-MM-DD.") from None
    today = datetime.fromtimestamp(now, UTC).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day)) < ADULT_YEARS
