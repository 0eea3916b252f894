"""One thing that needs its reader."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """One thing: `kind` is bad, warn, or calm; `address` is where it is done, under the words of `action`."""

    words: str
    address: str
    action: str
    kind: str = "warn"
    hint: str = ""
