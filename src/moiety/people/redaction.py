"""What of one person's record is about another: guardians, witnesses, victims, whoever gave a tip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ABOUT_OTHERS: Final = "[left out: about another person]"
# A field whose name begins so is about another person; what it says is left out wherever it stands.
OTHERS: Final = ("guardian_", "other_", "minor_", "victim_", "witness_", "complainant_", "tip_", "informant_")
# Shorter words stand in too many others.
CHARS_MIN: Final = 3


class Redaction:
    """Leaves out what is about others, and remembers in which fields it did."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Learn from all values of a record who else is in it."""
        others = {value.strip() for name, value in values.items() if name.startswith(OTHERS)}
        words = sorted((one for one in others if len(one) >= CHARS_MIN), key=len, reverse=True)
        self._named = re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None
        self._names: set[str] = set()

    @property
    def names(self) -> list[str]:
        """In which fields something was left out."""
        return sorted(self._names)

    def add(self, name: str) -> None:
        """Note that something was left out of a field."""
        self._names.add(name)

    def of(self, name: str, value: str) -> str:
        """Give a value as the person may have it."""
        if name.startswith(OTHERS):
            shown = ABOUT_OTHERS
        else:
            shown = self._named.sub(ABOUT_OTHERS, value) if self._named else value
        if shown != value:
            self.add(name)
        return shown
