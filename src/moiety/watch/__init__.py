"""Watching a part run: log lines, counts and spans that no personal data can get into.

What may leave is decided by what a value *is*, not by looking for what must not: see `shapes`.
"""

from moiety.watch.closed import declare, known
from moiety.watch.counts import Counts
from moiety.watch.origins import ErrorKind, Spot, kind_of, place, places
from moiety.watch.shapes import KEYS, Withheld, clean
from moiety.watch.spans import span

__all__ = [
    "KEYS",
    "Counts",
    "ErrorKind",
    "Spot",
    "Withheld",
    "clean",
    "declare",
    "kind_of",
    "known",
    "place",
    "places",
    "span",
]
