"""How much of people one person, and a whole gallery, may have shown: by the hour, and by thirty days.

The short windows stop somebody who takes all at once, the long ones somebody who takes a little every day. Both are
counted in B's own journal: whoever owns the gate cannot set them back.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from moiety.foundation import settings
from moiety.vault.guard import MONTH_HOURS, Charge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PERSON: Final = b"person:"
NAMED: Final = b"named:"
_PERSON_ID: Final = re.compile(r"opr_[a-z2-7]{16}")
_MARK: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Pace:
    """Fields and labels that one person may have shown, and fields and labels of one gallery altogether."""

    person_fields_hour: int = 60
    person_fields_month: int = 500
    person_labels_hour: int = 2_000
    person_labels_month: int = 20_000
    gallery_fields_month: int = 10_000
    gallery_labels_month: int = 1_000_000

    @classmethod
    def of_settings(cls) -> Self:
        """Read it.

        Raises:
            BadInput: a setting is no whole number.

        """
        return cls(
            settings.number("MOIETY_PERSON_FIELDS_HOUR"),
            settings.number("MOIETY_PERSON_FIELDS_MONTH"),
            settings.number("MOIETY_PERSON_LABELS_HOUR"),
            settings.number("MOIETY_PERSON_LABELS_MONTH"),
            settings.number("MOIETY_GALLERY_FIELDS_MONTH"),
            settings.number("MOIETY_GALLERY_LABELS_MONTH"),
        )

    def charges(self, counts: Counter[str], people: Sequence[bytes], *, bare: bool) -> list[Charge]:
        """Charge what is shown to each of the people, and in the long run to all together.

        A reference that is shown `bare`, not masked in a list, counts as a field of theirs.
        """
        charges = []
        for klass, count in counts.items():
            label = klass == "label"
            everybody = self.gallery_labels_month if label else self.gallery_fields_month
            charges.append(Charge(f"reveal-{klass}-month", count, everybody, MONTH_HOURS, shared=True))
        shown = Counter({"field": counts.total()}) if bare else counts
        limits = {
            "label": (self.person_labels_hour, self.person_labels_month),
            "field": (self.person_fields_hour, self.person_fields_month),
        }
        for klass, count in shown.items():
            hour, month = limits[klass]
            for payer in people:
                charges.append(Charge(f"person-{klass}", count, hour, payer=payer))
                charges.append(Charge(f"person-{klass}-month", count, month, MONTH_HOURS, payer=payer))
        return charges


@dataclass(frozen=True, slots=True)
class By:
    """Who wants to see, as the gate says: a person's id or nothing, marks of the session and of the reason.

    `bare`: what is opened is shown as it is, not masked in a list.
    """

    person: str = ""
    session: str = ""
    reason: str = ""
    bare: bool = True

    @classmethod
    def told(cls, meta: Mapping[str, Any]) -> Self:
        """Read what came; what is no id and no mark is nothing."""
        said = meta.get("by")
        given = said if isinstance(said, dict) else {}
        person, session, reason = (str(given.get(name, "")) for name in ("person", "session", "reason"))
        return cls(
            person if _PERSON_ID.fullmatch(person) else "",
            session if _MARK.fullmatch(session) else "",
            reason if _MARK.fullmatch(reason) else "",
            given.get("bare") is not False,
        )

    def people(self, payers: Sequence[bytes]) -> list[bytes]:
        """Say who pays as a person: those whose passkeys signed, else whom the gate names."""
        signed = [payer for payer in payers if payer.startswith(PERSON)]
        return signed or ([NAMED + self.person.encode()] if self.person else [])

    def words(self) -> dict[str, str]:
        """Give what the log is told, where there is something."""
        told = {"caller": self.person, "session": self.session, "reason_mark": self.reason}
        return {name: value or "-" for name, value in told.items()}
