"""How a personal value looks before somebody gives a reason to see it: enough to tell people apart."""

from __future__ import annotations

import unicodedata
from typing import Final

DOTS: Final = "•••"
WORDS_MAX: Final = 4
LAST_DIGITS: Final = 2
# Short numbers would be shown whole by their last digits.
DIGITS_MIN: Final = 6


def masked(value: str) -> str:
    """Mask a value: `Ada King` is `A••• K•••`, `555-0142-77` is `•••77`; the number of dots tells no length."""
    digits = [one for one in value if one.isdigit()]
    letters = [one for one in value if one.isalpha()]
    if len(digits) > len(letters):
        return DOTS + ("".join(digits[-LAST_DIGITS:]) if len(digits) >= DIGITS_MIN else "")
    words = [shown for word in value.split()[:WORDS_MAX] if (shown := _first(word))]
    return " ".join(words) or DOTS


def _first(word: str) -> str:
    """Give a word's first letter, with the marks that belong to it, and dots."""
    at = next((i for i, one in enumerate(word) if one.isalpha()), None)
    if at is None:
        return ""
    end = at + 1
    while end < len(word) and end < at + 4 and unicodedata.combining(word[end]):
        end += 1
    return word[at:end] + DOTS
