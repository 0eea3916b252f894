"""What the look from outside finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `hole` is false where all is well; `said` says it in plain words."""

    what: str
    hole: bool
    said: str
