"""Texts that attackers send, and names in the scripts of the world, for tests of forms and of what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

# What is looked for in answers and logs; and what a template that was run would show.
MARK: Final = "Quokka7731"
COMPUTED: Final = str(7331 * 7)
NASTY: Final = (
    "' OR 1=1 --",
    "'; DROP TABLE subject; --",
    '" UNION SELECT * FROM api_key --',
    "{{7331*7}}",
    "{%7331*7%}",
    "#{7331*7}",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "+HYPERLINK(0)",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\0",
    "a\0b",
    "../../etc/passwd",
    "%00%0d%0aSet-Cookie: a=b",
    "\r\nX-Header: 1",
    "\u202eevil\u202c",
    "\ufeff",
    "\ud800",
    "\U0001d56c\U0001d589\U0001d586",
    "🧑\u200d🦰",
    "A" * 5_000,
    "é" * 4_001,
    "\u0301" * 300,
    "null",
    "NaN",
    "-0",
    "1e999",
    "[]",
    "{}",
)
SCRIPTS: Final = (
    (0x41, 0x5A), (0xC0, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x556), (0x5D0, 0x5EA), (0x620, 0x64A),
    (0x904, 0x939), (0x985, 0x9B9), (0xB85, 0xBB9), (0xC05, 0xC39), (0xE01, 0xE2E), (0x10D0, 0x10FA), (0x1200, 0x1248),
    (0x1780, 0x17B3), (0x3041, 0x3096), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x10400, 0x1044F), (0x1F600, 0x1F64F),
)  # fmt: skip


def drawn(draw: random.Random) -> str:
    """Draw a name of one script, what attackers send, or a name with that behind it."""
    low, high = draw.choice(SCRIPTS)
    name = "".join(chr(draw.randint(low, high)) for _ in range(draw.randint(1, 60)))
    return draw.choice((name, draw.choice(NASTY), name + draw.choice(NASTY)))
